/**
 * An instruction with its variables put in, exactly where BuildKit does: not in RUN, CMD, ENTRYPOINT, HEALTHCHECK, SHELL, ONBUILD and
 * MAINTAINER, whose text is for others to read; not in FROM and ARG, whose scope is another (`scope/`).
 */
import { type Mount, resolveMount } from '../instruction/mount.ts';
import type { InlineFile, Instruction, KeyValue, RunInstruction } from '../instruction/types.ts';
import { SyntaxProblem } from '../source/problem.ts';
import type { Word } from '../source/range.ts';
import type { EscapeToken } from '../text/read-lines.ts';
import { expand, type Expansion, ExpansionError, type ExpandOptions, type Variables } from './expand.ts';
import { TextBudget } from './text-budget.ts';

/** RUN has its mounts resolved; the rest are what they were, with other words. */
export type ExpandedInstruction =
  | Exclude<Instruction, { kind: 'RUN' | 'FROM' | 'ARG' }>
  | (RunInstruction & { readonly resolvedMounts: readonly Mount[] });

export type Expandable = Exclude<Instruction, { kind: 'FROM' | 'ARG' }>;

/** Expands words one after the other and remembers what they asked for. */
export class Expander {
  /** Variables that had a value: what a cache key depends on, and what makes a build argument used. */
  readonly used = new Set<string>();
  /** Variables that had none, once for each word that asked. */
  readonly misses: { readonly name: string; readonly word: Word }[] = [];
  readonly #variables: Variables;
  readonly #escape: EscapeToken;
  readonly #budget: TextBudget;

  /** @param budget shared by all that expand words of the same Dockerfile */
  constructor(variables: Variables, escape: EscapeToken, budget: TextBudget = new TextBudget()) {
    this.#variables = variables;
    this.#escape = escape;
    this.#budget = budget;
  }

  /** @throws SyntaxProblem `bad-substitution` */
  word(word: Word): Word {
    return { text: this.#expand(word, { escape: this.#escape }).text, range: word.range };
  }

  /** One word that may become several. @throws SyntaxProblem `bad-substitution` */
  words(word: Word): Word[] {
    return this.#expand(word, { escape: this.#escape }).words.map(({ text }) => ({ text, range: word.range }));
  }

  /** The body of a heredoc: quotes are text, and the escape is `\` whatever the file says. */
  body(file: InlineFile): InlineFile {
    if (!file.expands) return file;
    const word = { text: file.content, range: file.range };
    return { ...file, content: this.#expand(word, { ignoreQuotes: true }).text };
  }

  #expand(word: Word, options: ExpandOptions): Expansion {
    try {
      const result = expand(word.text, this.#variables, options);
      if (result.used.size > 0) this.#budget.spend(result.text.length);
      for (const name of result.used) this.used.add(name);
      this.#miss(result.missing, word);
      return result;
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      this.#miss(error.missing, word);
      throw new SyntaxProblem('bad-substitution', error.message, word.range);
    }
  }

  #miss(names: Iterable<string>, word: Word): void {
    for (const name of names) this.misses.push({ name, word });
  }
}

/** @throws SyntaxProblem in BuildKit's words, at the word that cannot be expanded or the mount that cannot be read */
export function expandInstruction(instruction: Expandable, expander: Expander): ExpandedInstruction {
  const word = (one: Word): Word => expander.word(one);
  const maybe = (one: Word | undefined): Word | undefined => (one === undefined ? undefined : word(one));
  switch (instruction.kind) {
    case 'ENV':
    case 'LABEL':
      return { ...instruction, pairs: instruction.pairs.map((pair) => expandPair(pair, word)) };
    case 'WORKDIR':
      return { ...instruction, path: word(instruction.path) };
    case 'USER':
      return { ...instruction, user: word(instruction.user) };
    case 'STOPSIGNAL':
      return { ...instruction, signal: word(instruction.signal) };
    case 'VOLUME':
      return { ...instruction, paths: instruction.paths.map(word) };
    case 'EXPOSE':
      return { ...instruction, ports: instruction.ports.flatMap((port) => expander.words(port)) };
    case 'COPY':
      return { ...instruction, ...expandTransfer(instruction, expander) };
    case 'ADD':
      return { ...instruction, checksum: maybe(instruction.checksum), ...expandTransfer(instruction, expander) };
    case 'RUN':
      return {
        ...instruction,
        resolvedMounts: instruction.mounts.map((mount) => resolveMount(mount, (field) => word(field).text)),
      };
    default:
      return instruction;
  }
}

function expandPair(pair: KeyValue, word: (one: Word) => Word): KeyValue {
  return { ...pair, key: word(pair.key), value: word(pair.value) };
}

type Transfer = Extract<Instruction, { kind: 'COPY' | 'ADD' }>;

function expandTransfer(
  instruction: Transfer,
  expander: Expander,
): Pick<Transfer, 'chown' | 'chmod' | 'exclude' | 'sources' | 'destination' | 'inline'> {
  const maybe = (one: Word | undefined): Word | undefined => (one === undefined ? undefined : expander.word(one));
  return {
    chown: maybe(instruction.chown),
    chmod: maybe(instruction.chmod),
    exclude: instruction.exclude.map((one) => expander.word(one)),
    sources: instruction.sources.map((one) => expander.word(one)),
    destination: expander.word(instruction.destination),
    inline: instruction.inline.map((file) => expander.body(file)),
  };
}
