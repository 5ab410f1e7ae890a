/** `wherry ps`: containers, and how far their ports reach. */
import type { ContainerSummary } from '../../api/index.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { noArgs, type Command } from '../command.ts';
import { formatList, type ListShape, type Row } from '../output/list.ts';
import { displayPorts, exposureOf } from '../output/ports.ts';
import { ellipsis, goTime, labelText, shortId } from '../output/short.ts';
import { formatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -a, --all             Show all containers (default shows just running)
  -f, --filter filter   Filter output based on conditions provided
      --format string   ${formatHelp}
  -n, --last int        Show n last created containers (includes all states) (default -1)
  -l, --latest          Show the latest created container (includes all states)
      --no-trunc        Don't truncate output
  -q, --quiet           Only display container IDs
  -s, --size            Display total file sizes
`,
  arity: noArgs,
  examples: `
# What runs, and who can reach it (EXPOSURE: none, loopback, lan or world)
wherry ps
# All containers, also those that have ended, with the disk they take
wherry ps -a -s
# Only those of one image that are unhealthy
wherry ps --filter ancestor=nginx --filter health=unhealthy
# Names and states, for a script
wherry ps -a --format '{{.Names}} {{.State}}'`,
  async run(session, { flags }) {
    const client = await session.client();
    const latest = flags.bool('latest');
    const last = flags.integer('last');
    const quiet = flags.bool('quiet');
    const format = flags.string('format') || (quiet ? '' : (session.config().data.psFormat ?? ''));
    const size = flags.bool('size') || (!quiet && /\{\{[^}]*\.Size\b/.test(format));
    const containers = await client.containers.list({
      all: flags.bool('all') || latest || last > 0,
      ...(latest ? { limit: 1 } : last > 0 ? { limit: last } : {}),
      size,
      filters: flags.filters(),
    });
    const full = flags.bool('no-trunc');
    const now = session.now();
    if (quiet && (format === '' || format === 'table')) {
      session.out.write(containers.map(({ Id }) => `${full ? Id : shortId(Id)}\n`).join(''));
      return;
    }
    const columns = size ? [...shape.columns, 'Size'] : shape.columns;
    const rows = containers.map((each) => containerRow(each, { full, now }));
    session.out.write(await formatList({ ...shape, columns }, rows, format));
  },
};

const shape: ListShape = {
  type: 'ContainerContext',
  headers: {
    ID: 'CONTAINER ID',
    Names: 'NAMES',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Ports: 'PORTS',
    State: 'STATE',
    Status: 'STATUS',
    Size: 'SIZE',
    Labels: 'LABELS',
    Mounts: 'MOUNTS',
    LocalVolumes: 'LOCAL VOLUMES',
    Networks: 'NETWORKS',
    Platform: 'PLATFORM',
    Exposure: 'EXPOSURE',
  },
  columns: ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Exposure', 'Ports', 'Names'],
  hidden: ['Label', 'Platform'],
};

function containerRow(container: ContainerSummary, { full, now }: { full: boolean; now: number }): Row {
  const labels = container.Labels ?? {};
  const mounts = container.Mounts ?? [];
  return {
    ID: full ? container.Id : shortId(container.Id),
    Names: names(container.Names, full),
    Image: imageName(container, full),
    Command: JSON.stringify(full ? container.Command : ellipsis(container.Command, 20)),
    CreatedAt: goTime(container.Created),
    RunningFor: `${humanDuration(now - container.Created * 1000)} ago`,
    Ports: displayPorts(container.Ports ?? []),
    Exposure: exposureOf(container.Ports ?? [], container.State === 'running' ? container.HostConfig?.NetworkMode : ''),
    State: container.State,
    Status: container.Status,
    Size: sizeText(container),
    Labels: labelText(labels),
    Label: (name: unknown) => labels[String(name)] ?? '',
    Mounts: mounts.map((mount) => (full ? mountName(mount) : ellipsis(mountName(mount), 15))).join(','),
    LocalVolumes: String(mounts.filter((mount) => mount.Driver === 'local').length),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
    Platform: '',
  };
}

function mountName(mount: ContainerSummary['Mounts'][number]): string {
  return mount.Name === undefined || mount.Name === '' ? mount.Source : mount.Name;
}

/** Names without slashes; those given by links (`/other/alias`) only in full. */
function names(given: readonly string[], full: boolean): string {
  const bare = given.map((name) => name.replace(/^\//, ''));
  return (full ? bare : bare.filter((name) => !name.includes('/'))).join(',');
}

function imageName({ Image: image, ImageID: id }: ContainerSummary, full: boolean): string {
  if (image === '') return '<no image>';
  if (full) return image;
  const short = (text: string): string => text.replace(/^[a-z0-9]+:/, '').slice(0, 12);
  if (short(id) === short(image)) return short(image);
  return image.includes('@') ? image.replace(/@.*$/, '') : image;
}

function sizeText({ SizeRw: writable = 0, SizeRootFs: virtual = 0 }: ContainerSummary): string {
  const own = humanSize(writable, 3);
  return virtual > 0 ? `${own} (virtual ${humanSize(virtual, 3)})` : own;
}
