/** `wherry network prune`. */
import { noArgs, type Command } from '../command.ts';
import { deletedText, pruneFilters } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --filter filter   Provide filter values (e.g. "until=<timestamp>")
  -f, --force           Do not prompt for confirmation
`,
  arity: noArgs,

  examples: `
# Networks that no container is in
wherry network prune -f`,
  async run(session, { flags }) {
    const filters = pruneFilters(session, flags);
    await mustConfirm(
      session,
      flags.bool('force'),
      'WARNING! This will remove all custom networks not used by at least one container.',
    );
    const client = await session.client();
    const { NetworksDeleted } = await client.networks.prune(filters);
    session.out.write(deletedText('Deleted Networks', NetworksDeleted));
  },
};
