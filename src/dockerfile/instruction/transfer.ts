import { SyntaxProblem } from '../source/problem.ts';
import type { Word } from '../source/range.ts';
import { parseHeredocMark, stripTabs } from '../text/heredoc.ts';
import { readJsonForm } from '../text/json-form.ts';
import { splitAtBlanks } from '../text/split-words.ts';
import type { InstructionContext } from './context.ts';
import { FlagSet } from './flags.ts';
import type { AddInstruction, CopyInstruction, InlineFile } from './types.ts';

/** `COPY [flags] source … destination`, or as a JSON array. */
export function parseCopy(context: InstructionContext): CopyInstruction {
  const paths = readPaths(context, 'COPY');
  const flags = new FlagSet(context.base.flags, {
    chown: 'string',
    from: 'string',
    chmod: 'string',
    link: 'boolean',
    parents: 'boolean',
    exclude: 'strings',
  });
  return {
    ...context.base,
    kind: 'COPY',
    ...splitSources(context, paths, 'COPY'),
    ...sharedFlags(flags),
    from: flags.string('from'),
    parents: flags.boolean('parents') ?? false,
  };
}

/** `ADD [flags] source … destination`, or as a JSON array. */
export function parseAdd(context: InstructionContext): AddInstruction {
  const paths = readPaths(context, 'ADD');
  const flags = new FlagSet(context.base.flags, {
    chown: 'string',
    chmod: 'string',
    link: 'boolean',
    'keep-git-dir': 'boolean',
    checksum: 'string',
    unpack: 'boolean',
    exclude: 'strings',
  });
  return {
    ...context.base,
    kind: 'ADD',
    ...splitSources(context, paths, 'ADD'),
    ...sharedFlags(flags),
    checksum: flags.string('checksum'),
    keepGitDir: flags.boolean('keep-git-dir'),
    unpack: flags.boolean('unpack'),
  };
}

function readPaths({ rest, base }: InstructionContext, name: string): Word[] {
  const paths = readJsonForm(rest) ?? splitAtBlanks(rest).map((word) => word.word());
  if (paths.length >= 2) return paths;
  const message = `${name} requires at least two arguments, but only one was provided. Destination could not be determined`;
  throw new SyntaxProblem('missing-argument', message, rest.text === '' ? base.keyword.range : rest.range);
}

function sharedFlags(flags: FlagSet): Pick<CopyInstruction, 'chown' | 'chmod' | 'link' | 'exclude'> {
  return {
    chown: flags.string('chown'),
    chmod: flags.string('chmod'),
    link: flags.boolean('link') ?? false,
    exclude: flags.strings('exclude'),
  };
}

function splitSources(
  { base }: InstructionContext,
  paths: readonly Word[],
  name: string,
): Pick<CopyInstruction, 'sources' | 'inline' | 'destination'> {
  const destination = paths.at(-1)!;
  if (parseHeredocMark(destination.text) !== undefined) {
    throw new SyntaxProblem('bad-heredoc', `${name} cannot accept a heredoc as a destination`, destination.range);
  }
  const sources: Word[] = [];
  const inline: InlineFile[] = [];
  for (const source of paths.slice(0, -1)) {
    const mark = parseHeredocMark(source.text);
    if (mark === undefined) sources.push(source);
    else {
      // The last of several of one name is the one that counts; in the JSON form there is no body.
      const heredoc = base.heredocs.findLast((one) => one.name === mark.name);
      const content = heredoc?.content ?? '';
      inline.push({
        name: mark.name,
        content: mark.stripsTabs ? stripTabs(content) : content,
        expands: mark.expands,
        range: heredoc?.contentRange ?? source.range,
      });
    }
  }
  return { sources, inline, destination };
}
