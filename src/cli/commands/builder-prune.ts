/** `wherry builder prune`. */
import { noArgs, type Command } from '../command.ts';
import { deletedText, pruneFilters, reclaimedText } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '',
  flags: `
  -a, --all                  Remove all unused build cache, not just dangling ones
      --filter filter        Provide filter values (e.g. "until=24h")
  -f, --force                Do not prompt for confirmation
      --keep-storage bytes   Amount of disk space to keep for cache
`,
  arity: noArgs,

  examples: `
# What no build needs
wherry builder prune`,
  async run(session, { flags }) {
    const all = flags.bool('all');
    const filters = pruneFilters(session, flags);
    await mustConfirm(
      session,
      flags.bool('force'),
      all ? 'WARNING! This will remove all build cache.' : 'WARNING! This will remove all dangling build cache.',
    );
    const client = await session.client();
    const keep = flags.bytes('keep-storage');
    const { CachesDeleted, SpaceReclaimed } = await client.system.buildPrune(
      { all, 'keep-storage': keep === 0 ? undefined : keep },
      filters,
    );
    session.out.write(deletedText('Deleted build cache objects', CachesDeleted) + reclaimedText(SpaceReclaimed));
  },
};
