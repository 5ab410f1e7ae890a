/** `wherry system prune`. */
import { noArgs, type Command } from '../command.ts';
import { Fault } from '../../std/index.ts';
import { deletedText, imagesText, pruneFilters, reclaimedText } from '../output/prune.ts';
import { mustConfirm } from '../prompt.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -a, --all             Remove all unused images not just dangling ones
      --filter filter   Provide filter values (e.g. "label=<key>=<value>")
  -f, --force           Do not prompt for confirmation
      --volumes         Prune anonymous volumes
`,
  arity: noArgs,

  examples: `
# Stopped containers, unused networks, images without a name, build cache
wherry system prune
# Everything that nothing uses, data in anonymous volumes too
wherry system prune -a --volumes`,
  async run(session, { flags }) {
    const filters = pruneFilters(session, flags);
    const all = flags.bool('all');
    const volumes = flags.bool('volumes');
    if (volumes && filters['until'] !== undefined)
      throw new Fault('invalid', 'The "until" filter is not supported with "--volumes"');
    await mustConfirm(session, flags.bool('force'), warning(all, volumes, flags.list('filter')));
    const client = await session.client();
    let reclaimed = 0;
    const containers = await client.containers.prune(filters);
    session.out.write(deletedText('Deleted Containers', containers.ContainersDeleted));
    reclaimed += containers.SpaceReclaimed;
    const networks = await client.networks.prune(filters);
    session.out.write(deletedText('Deleted Networks', networks.NetworksDeleted));
    if (volumes) {
      const pruned = await client.volumes.prune(filters);
      session.out.write(deletedText('Deleted Volumes', pruned.VolumesDeleted));
      reclaimed += pruned.SpaceReclaimed;
    }
    const images = await client.images.prune({ ...filters, dangling: [all ? 'false' : 'true'] });
    session.out.write(imagesText(images.ImagesDeleted));
    reclaimed += images.SpaceReclaimed;
    const { label: _label, 'label!': _notLabel, ...cacheFilters } = filters;
    const cache = await client.system.buildPrune({ all }, cacheFilters).catch(() => undefined);
    if (cache !== undefined) {
      session.out.write(deletedText('Deleted build cache objects', cache.CachesDeleted));
      reclaimed += cache.SpaceReclaimed;
    }
    session.out.write(reclaimedText(reclaimed));
  },
};

function warning(all: boolean, volumes: boolean, filters: readonly string[]): string {
  const what = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ];
  const filtered =
    filters.length === 0
      ? ''
      : `\n  Items to be pruned will be filtered with:\n${filters.map((each) => `  - ${each}`).join('\n')}\n`;
  return `WARNING! This will remove:\n${what.map((each) => `  - ${each}`).join('\n')}\n${filtered}`;
}
