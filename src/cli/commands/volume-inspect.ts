/** `wherry volume inspect`. */
import { atLeast, type Command } from '../command.ts';
import { inspectAll } from '../output/inspect.ts';
import { valueFormatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS] VOLUME [VOLUME...]',
  flags: `
  -f, --format string   ${valueFormatHelp}
`,
  arity: atLeast(1),
  completes: ['volume'],
  examples: `
# Where it lies
wherry volume inspect -f '{{.Mountpoint}}' data`,
  async run(session, { flags, args }) {
    const client = await session.client();
    await inspectAll(session, args, flags.string('format'), (name) => client.volumes.inspectText(name));
  },
};
