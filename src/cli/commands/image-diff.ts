/** `wherry image diff`: what differs between two images. */
import type { ImageDifference } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { exactly, type Command } from '../command.ts';
import { explain } from '../explain.ts';
import { DifferencePrinter } from '../output/image-difference.ts';
import { platformJson } from '../registry/platform.ts';
import { Exit } from '../usage-fault.ts';

const kinds = ['config', 'packages', 'files'] as const;
const kindOf = { config: 'config', package: 'packages', file: 'files' } as const;

export const command: Command = {
  use: '[OPTIONS] IMAGE IMAGE',
  long: `Compares configuration, packages (of dpkg and apk) and files (content, mode,
owner, attributes; not times). The daemon reads both images where they lie:
nothing is run, mounted or copied.

The exit code is that of diff(1): 0 where nothing differs, 1 where something
does, 2 for trouble.`,
  flags: `
  -a, --all               List every file of a directory that was added or removed
      --format string     'json' prints one object a line, as they come
      --only strings      Compare only these: "config", "packages", "files"
      --platform string   Compare the images of this platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
  -q, --quiet             Print nothing: only the exit code tells
`,
  arity: exactly(2),
  arityCode: 2,
  completes: ['image'],
  completesFlags: { only: kinds, format: ['json'] },
  examples: `
# What an update brings
wherry image diff nginx:1.28 nginx:1.29
# The packages alone
wherry image diff --only packages debian:12 debian:13
# Whether two builds came out the same
wherry image diff -q app:ci app:local && echo the same`,
  async run(session, { flags, args: [from = '', to = ''] }) {
    const format = flags.string('format');
    if (format !== '' && format !== 'json') throw trouble(`unknown format "${format}": must be "json"`);
    const only = new Set(flags.list('only'));
    for (const each of only) {
      if (!(kinds as readonly string[]).includes(each))
        throw trouble(`unknown part "${each}": must be one of "config", "packages", "files"`);
    }
    const wants = (kind: keyof typeof kindOf): boolean => only.size === 0 || only.has(kindOf[kind]);
    const given = flags.optional('platform');
    const printer = new DifferencePrinter((text) => session.out.write(text), { everyFile: flags.bool('all') });
    let different = false;
    try {
      const platform = given === undefined ? undefined : platformJson(given);
      const client = await session.client();
      for await (const line of client.images.diff(from, to, platform)) {
        if ('error' in line) throw new Fault('internal', line.error);
        if (line.Kind !== 'images' && line.Kind !== 'summary') {
          if (!wants(line.Kind)) continue;
          different = true;
        }
        if (flags.bool('quiet')) {
          if (different) break;
        } else if (format === 'json') session.out.write(`${JSON.stringify(line)}\n`);
        else printer.show(line.Kind === 'summary' ? counted(line, wants) : line);
      }
    } catch (error) {
      throw new Exit(2, explain(error, session.options.debug));
    }
    return different ? 1 : 0;
  },
};

function trouble(message: string): Exit {
  return new Exit(2, message);
}

/** The summary without what was not asked for. */
function counted(
  line: Extract<ImageDifference, { Kind: 'summary' }>,
  wants: (kind: keyof typeof kindOf) => boolean,
): typeof line {
  return {
    ...line,
    ...(wants('config') ? {} : { Config: 0 }),
    ...(wants('package') ? {} : { Packages: 0 }),
    ...(wants('file') ? {} : { Added: 0, Removed: 0, Changed: 0, AddedSize: 0, RemovedSize: 0 }),
  };
}
