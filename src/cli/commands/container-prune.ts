/** `wherry container prune`. */
import { noArgs, type Command } from '../command.ts';
import { deletedText, pruneFilters, reclaimedText } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --filter filter   Provide filter values (e.g. "until=<timestamp>")
  -f, --force           Do not prompt for confirmation
`,
  arity: noArgs,

  examples: `
# What ended more than a day ago
wherry container prune --filter until=24h`,
  async run(session, { flags }) {
    const filters = pruneFilters(session, flags);
    await mustConfirm(session, flags.bool('force'), 'WARNING! This will remove all stopped containers.');
    const client = await session.client();
    const { ContainersDeleted, SpaceReclaimed } = await client.containers.prune(filters);
    session.out.write(deletedText('Deleted Containers', ContainersDeleted) + reclaimedText(SpaceReclaimed));
  },
};
