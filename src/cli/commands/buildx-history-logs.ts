/** `wherry buildx history logs`. */
import { askProgress } from '../../buildkit/index.ts';
import { connectTo, findBuild } from '../build/past-builds.ts';
import { openDisplay } from '../build/progress/display.ts';
import { atMost, type Command } from '../command.ts';

const modes = ['plain', 'rawjson'] as const;

export const command: Command = {
  use: '[OPTIONS] [REF]',
  long: `Prints what a build printed, step by step. REF is its id or the beginning of it, or ^1 for the last but one; without it, the last build's.
One that goes on is followed to its end.`,
  flags: `
      --builder string    Override the configured builder instance
      --progress string   Set type of progress output ("plain", "rawjson") (default "plain")
`,
  checks: {
    progress: (value) => (modes.includes(value as 'plain') ? undefined : `unsupported progress type: ${value}`),
  },
  arity: atMost(1),
  completesFlags: { progress: modes },
  examples: `
# Of the last build
wherry buildx history logs
# Of another
wherry buildx history ls
wherry buildx history logs 4f0c`,
  async run(session, { flags, args }) {
    const connect = connectTo(await session.client());
    const { ref, error } = await findBuild(connect, args[0] ?? '');
    const mode = flags.string('progress') === 'rawjson' ? 'rawjson' : 'plain';
    const display = openDisplay(mode, session.out, { builder: '', isColored: false });
    try {
      await askProgress(connect, ref, (status) => display.update(status));
    } finally {
      display.stop();
    }
    if (mode === 'plain' && error !== undefined) session.out.write(`ERROR: ${error.message}\n`);
  },
};
