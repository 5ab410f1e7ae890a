/** `wherry image prune`. */
import { noArgs, type Command } from '../command.ts';
import { imagesText, pruneFilters, reclaimedText } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -a, --all             Remove all unused images, not just dangling ones
      --filter filter   Provide filter values (e.g. "until=<timestamp>")
  -f, --force           Do not prompt for confirmation
`,
  arity: noArgs,

  examples: `
# Images without a name
wherry image prune
# All that no container uses
wherry image prune -a`,
  async run(session, { flags }) {
    const filters = pruneFilters(session, flags);
    const all = flags.bool('all');
    filters['dangling'] = [all ? 'false' : 'true'];
    await mustConfirm(
      session,
      flags.bool('force'),
      all
        ? 'WARNING! This will remove all images without at least one container associated to them.'
        : 'WARNING! This will remove all dangling images.',
    );
    const client = await session.client();
    const { ImagesDeleted, SpaceReclaimed } = await client.images.prune(filters);
    session.out.write(imagesText(ImagesDeleted) + reclaimedText(SpaceReclaimed));
  },
};
