/** `wherry compose commit`. */
import { type Command } from '../command.ts';
import { containerOf } from '../compose/containers.ts';
import { delegate } from '../compose/delegate.ts';
import { Compose } from '../compose/open.ts';
import { command as commitCommand } from './commit.ts';

export const command: Command = {
  use: '[OPTIONS] SERVICE [REPOSITORY[:TAG]]',
  arity: { min: 1, max: 2 },
  flags: `
  -a, --author string    Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")
  -c, --change list      Apply Dockerfile instruction to the created image
      --index int        index of the container if service has multiple replicas.
  -m, --message string   Commit message
  -p, --pause            Pause container during commit (default true)
`,
  hidden: `
      --dry-run
`,
  completes: ['service', 'image'],
  examples: `
# An image of what a service has become
wherry compose commit web web:as-it-is`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const container = await containerOf(compose, args[0]!, { all: true, oneOffs: true });
    const text = (name: string): string[] => (flags.string(name) === '' ? [] : [`--${name}=${flags.string(name)}`]);
    const words = [
      ...text('author'),
      ...text('message'),
      ...flags.list('change').map((each) => `--change=${each}`),
      `--pause=${flags.bool('pause')}`,
      container.Id,
      ...args.slice(1),
    ];
    return delegate(session, commitCommand, words, invocation.path);
  },
};
