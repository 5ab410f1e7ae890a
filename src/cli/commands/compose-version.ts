/** `wherry compose version`. */
import { composeVersion } from '../../compose/index.ts';
import { noArgs, type Command } from '../command.ts';

export const command: Command = {
  use: '[OPTIONS]',
  arity: noArgs,
  flags: `
  -f, --format string   Format the output. Values: [pretty | json]. (Default: pretty)
      --short           Shows only Compose's version number
`,
  hidden: `
      --dry-run
`,
  completesFlags: { format: ['pretty', 'json'] },
  examples: `
# For scripts
wherry compose version --short`,
  async run(session, { flags }) {
    if (flags.bool('short')) session.out.write(`${composeVersion}\n`);
    else if (flags.string('format') === 'json')
      session.out.write(`${JSON.stringify({ version: `v${composeVersion}` })}\n`);
    // Those who look for docker compose's version find the one whose rules these are.
    else session.out.write(`Docker Compose version v${composeVersion}\n`);
  },
};
