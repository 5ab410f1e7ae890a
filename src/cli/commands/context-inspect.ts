/** `wherry context inspect`. */
import { atLeast, type Command } from '../command.ts';
import { defaultSocket } from '../../context/index.ts';
import { currentContext, inspectContext } from '../context/describe.ts';
import { inspectAll } from '../output/inspect.ts';
import { valueFormatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS] [CONTEXT] [CONTEXT...]',
  flags: `
  -f, --format string   ${valueFormatHelp}
`,
  arity: atLeast(0),
  completes: ['context'],
  examples: `
# Where it leads
wherry context inspect -f '{{.Endpoints.docker.Host}}' far`,
  async run(session, { flags, args }) {
    const names = args.length === 0 ? [currentContext(session)] : args;
    const host = session.env['DOCKER_HOST'] || session.env['WHERRY_HOST'] || `unix://${defaultSocket(session.env)}`;
    await inspectAll(session, names, flags.string('format'), async (name) =>
      JSON.stringify(inspectContext(session, name, host))
        .replaceAll('<', '\\u003c')
        .replaceAll('>', '\\u003e'),
    );
  },
};
