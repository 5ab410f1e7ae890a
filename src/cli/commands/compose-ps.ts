/** `wherry compose ps`. */
import type { ContainerInspect } from '../../api/index.ts';
import {
  type Container,
  isOneOff,
  label,
  listContainers,
  nameOf,
  noSuchService,
  serviceOf,
} from '../../compose/index.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { formatHelp } from '../output/format-help.ts';
import { formatList, type ListShape, type Row } from '../output/list.ts';
import { displayPorts } from '../output/ports.ts';
import { ellipsis, goTime, shortId } from '../output/short.ts';
import type { Flags } from '../flag/parse.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
  -a, --all                  Show all stopped containers (including those created by the run command)
      --filter string        Filter services by a property (supported filters: status)
      --format string        ${formatHelp} (default "table")
      --no-trunc             Don't truncate output
      --orphans              Include orphaned services (not declared by project) (default true)
  -q, --quiet                Only display IDs
      --services             Display services
      --status stringArray   Filter services by status. Values: [paused | restarting | removing | running | dead | created | exited]
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  completesFlags: { status: ['paused', 'restarting', 'removing', 'running', 'dead', 'created', 'exited'] },
  examples: `
# What runs, and what has ended
wherry compose ps -a
# For a script
wherry compose ps --format json`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const statuses = statusesOf(flags);
    const { project, name } = compose.projectOrName(args);
    const unknown = project === undefined ? undefined : args.find((each) => !(each in project.services));
    if (unknown !== undefined) throw noSuchService(unknown, Object.keys(project!.services));
    const wanted =
      args.length > 0 || flags.bool('orphans') || project === undefined ? args : Object.keys(project.services);
    const client = await session.client();
    const all = flags.bool('all') || statuses.length > 0;
    const containers = (await listContainers(client, name))
      .filter(
        (each) =>
          all ||
          (each.State === 'running' && !isOneOff(each)) ||
          each.State === 'restarting' ||
          each.State === 'paused',
      )
      .filter((each) => flags.bool('all') || !isOneOff(each))
      .filter((each) => wanted.length === 0 || wanted.includes(serviceOf(each)))
      .filter((each) => statuses.length === 0 || statuses.includes(each.State))
      .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    if (flags.bool('quiet')) session.out.write(containers.map(({ Id }) => `${Id}\n`).join(''));
    else if (flags.bool('services')) session.out.write(`${[...new Set(containers.map(serviceOf))].join('\n')}\n`);
    else {
      const format = flags.string('format') || (session.config().data.psFormat ?? '');
      // Only templates and JSON ask for more than the list of containers has.
      const isTable = format === 'table' || format === '';
      const inspected = isTable ? [] : await Promise.all(containers.map(({ Id }) => client.containers.inspect(Id)));
      const full = flags.bool('no-trunc');
      const rows = containers.map((each, index) => psRow(each, inspected[index], { full, now: session.now() }));
      session.out.write(await formatList(shape, rows, format));
    }
  },
};

function statusesOf(flags: Flags): string[] {
  const filter = flags.string('filter');
  if (filter === '') return [...flags.list('status')];
  const [, key, value] = /^([^=]*)=(.*)$/.exec(filter) ?? [];
  if (key === undefined) throw new Exit(1, 'arguments to --filter should be in form KEY=VAL');
  if (key !== 'status') throw new Exit(1, `unknown filter ${key}`);
  return [...flags.list('status'), value!];
}

const shape: ListShape = {
  type: 'ContainerContext',
  headers: {
    ID: 'CONTAINER ID',
    Name: 'NAME',
    Project: 'PROJECT',
    Service: 'SERVICE',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Ports: 'PORTS',
    State: 'STATE',
    Status: 'STATUS',
    Size: 'SIZE',
    Labels: 'LABELS',
  },
  columns: ['Name', 'Image', 'Command', 'Service', 'RunningFor', 'Status', 'Ports'],
  hidden: ['Label'],
};

function psRow(
  container: Container,
  inspected: ContainerInspect | undefined,
  { full, now }: { full: boolean; now: number },
): Row {
  const { Id, Names, Image, Command, Created, State, Status, Labels, Mounts, Ports } = container;
  const ports = [...(Ports ?? [])].sort((a, b) => a.PrivatePort - b.PrivatePort);
  const mounts = Mounts.map(({ Name, Source }) => (Name === undefined || Name === '' ? Source : Name));
  const bare = Names.map((name) => name.replace(/^\//, ''));
  return {
    ID: full ? Id : shortId(Id),
    Name: nameOf(container),
    Names: (full ? bare : bare.filter((name) => !name.includes('/')).slice(0, 1)).join(','),
    Project: Labels[label.project] ?? '',
    Service: serviceOf(container),
    Image,
    Command: JSON.stringify(full ? Command : ellipsis(Command, 20)),
    CreatedAt: goTime(Created),
    RunningFor: `${humanDuration(now - Created * 1000)} ago`,
    ExitCode: State === 'exited' || State === 'dead' ? (inspected?.State.ExitCode ?? 0) : 0,
    State,
    Status,
    Health: State === 'running' ? (inspected?.State.Health?.Status ?? '') : '',
    Publishers: ports.map(({ IP = '', PrivatePort, PublicPort = 0, Type }) => ({
      URL: IP,
      TargetPort: PrivatePort,
      PublishedPort: PublicPort,
      Protocol: Type,
    })),
    Ports: displayPorts(ports),
    Labels: Object.entries(Labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Label: (key: unknown) => Labels[String(key)] ?? '',
    Mounts: mounts.map((name) => (full ? name : ellipsis(name, 15))).join(','),
    LocalVolumes: String(Mounts.filter(({ Driver }) => Driver === 'local').length),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {}).join(','),
    Size: humanSize(container.SizeRw ?? 0, 3),
  };
}
