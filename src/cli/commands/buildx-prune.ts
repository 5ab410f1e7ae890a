/** `wherry buildx prune`: as `builder prune`, and tells of each record that went. */
import { type Connect, askUsage } from '../../buildkit/index.ts';
import { humanSize } from '../../std/index.ts';
import { cacheDetails, cacheTable } from '../build/cache-list.ts';
import { pruneSpaceFlags, pruneSpaceQuery } from '../build/prune-space.ts';
import { noArgs, type Command } from '../command.ts';
import { pruneFilters } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -a, --all                    Include internal/frontend images
      --builder string         Override the configured builder instance
      --filter filter          Provide filter values
  -f, --force                  Do not prompt for confirmation
${pruneSpaceFlags}      --verbose                Provide a more verbose output
`,
  hidden: `
      --keep-storage bytes   =reserved-space
`,
  arity: noArgs,
  examples: `
# What no build needs
wherry buildx prune
# What was not used for a week, without a question
wherry buildx prune -f --filter until=168h
# Until the cache is no larger than 10 GB
wherry buildx prune --max-used-space 10gb`,
  async run(session, { flags }) {
    const all = flags.bool('all');
    await mustConfirm(
      session,
      flags.bool('force'),
      all ? 'WARNING! This will remove all build cache.' : 'WARNING! This will remove all dangling build cache.',
    );
    const client = await session.client();
    const connect: Connect = (door, headers) => client.caller.upgrade(door, 'h2c', headers);
    const before = await askUsage(connect, []);
    const { CachesDeleted, SpaceReclaimed } = await client.system.buildPrune(
      { all, ...pruneSpaceQuery(flags) },
      pruneFilters(session, flags),
    );
    const deleted = new Set(CachesDeleted);
    const gone = before.filter(({ id }) => deleted.has(id));
    const now = session.now();
    if (gone.length > 0) {
      session.out.write(
        flags.bool('verbose')
          ? cacheDetails(gone, now, false)
          : await cacheTable(gone, { format: '', now, withSums: false }),
      );
    }
    session.out.write(`Total:\t${humanSize(SpaceReclaimed ?? 0)}\n`);
  },
};
