/** `wherry volume prune`. */
import { noArgs, type Command } from '../command.ts';
import { Fault } from '../../std/index.ts';
import { deletedText, pruneFilters, reclaimedText } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -a, --all             Remove all unused volumes, not just anonymous ones
      --filter filter   Provide filter values (e.g. "label=<label>")
  -f, --force           Do not prompt for confirmation
`,
  arity: noArgs,

  examples: `
# Anonymous volumes that no container uses
wherry volume prune
# Named ones too
wherry volume prune -a`,
  async run(session, { flags }) {
    const filters = pruneFilters(session, flags);
    if (flags.bool('all')) {
      if (filters['all'] !== undefined)
        throw new Fault('invalid', 'conflicting options: cannot specify both --all and --filter all=1');
      filters['all'] = ['true'];
    }
    const what = flags.bool('all') ? 'all local volumes' : 'anonymous local volumes';
    await mustConfirm(
      session,
      flags.bool('force'),
      `WARNING! This will remove ${what} not used by at least one container.`,
    );
    const client = await session.client();
    const { VolumesDeleted, SpaceReclaimed } = await client.volumes.prune(filters);
    session.out.write(deletedText('Deleted Volumes', VolumesDeleted) + reclaimedText(SpaceReclaimed));
  },
};
