/** `wherry container inspect`. */
import { atLeast, type Command } from '../command.ts';
import { inspectAll } from '../output/inspect.ts';
import { valueFormatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: `
  -f, --format string   ${valueFormatHelp}
  -s, --size            Display total file sizes
`,
  arity: atLeast(1),
  completes: ['container'],
  examples: `
# All there is to know
wherry container inspect web
# Its address
wherry container inspect -f '{{.NetworkSettings.IPAddress}}' web`,
  async run(session, { flags, args }) {
    const client = await session.client();
    await inspectAll(session, args, flags.string('format'), (name) =>
      client.containers.inspectText(name, flags.bool('size')),
    );
  },
};
