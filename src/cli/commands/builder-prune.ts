/** `wherry builder prune`. */
import { pruneSpaceFlags, pruneSpaceQuery } from '../build/prune-space.ts';
import { noArgs, type Command } from '../command.ts';
import { deletedText, pruneFilters, reclaimedText } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '',
  flags: `
  -a, --all                    Remove all unused build cache, not just dangling ones
      --filter filter          Provide filter values (e.g. "until=24h")
  -f, --force                  Do not prompt for confirmation
${pruneSpaceFlags}`,
  hidden: `
      --keep-storage bytes   =reserved-space
`,
  arity: noArgs,

  examples: `
# What no build needs
wherry builder prune
# Everything but the last 10 GB used
wherry builder prune -a --reserved-space 10gb`,
  async run(session, { flags }) {
    const all = flags.bool('all');
    const filters = pruneFilters(session, flags);
    await mustConfirm(
      session,
      flags.bool('force'),
      all ? 'WARNING! This will remove all build cache.' : 'WARNING! This will remove all dangling build cache.',
    );
    const client = await session.client();
    const query = { all, ...pruneSpaceQuery(flags) };
    const { CachesDeleted, SpaceReclaimed } = await client.system.buildPrune(query, filters);
    session.out.write(deletedText('Deleted build cache objects', CachesDeleted) + reclaimedText(SpaceReclaimed));
  },
};
