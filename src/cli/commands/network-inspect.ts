/** `wherry network inspect`. */
import { atLeast, type Command } from '../command.ts';
import { inspectAll } from '../output/inspect.ts';
import { valueFormatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS] NETWORK [NETWORK...]',
  flags: `
  -f, --format string   ${valueFormatHelp}
  -v, --verbose         Verbose output for diagnostics
`,
  arity: atLeast(1),
  completes: ['network'],
  examples: `
# Who is in it
wherry network inspect -f '{{range .Containers}}{{.Name}} {{.IPv4Address}} {{end}}' bridge`,
  async run(session, { flags, args }) {
    const client = await session.client();
    await inspectAll(session, args, flags.string('format'), (name) =>
      client.networks.inspectText(name, flags.bool('verbose')),
    );
  },
};
