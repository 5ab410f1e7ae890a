/** `ps`: which containers, in which order. */
import {
  acceptFilters,
  type ContainerSummary,
  type Filters,
  matchesExact,
  matchesLabels,
  matchesPattern,
} from '../api/index.ts';
import { Fault } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { find } from './find.ts';
import { containerState, endpointsOf, healthOf, summarise } from './inspect.ts';
import { containerSizes } from './size.ts';

const accepted =
  'ancestor before exited expose health id is-task isolation label label! name network publish since status volume'.split(
    ' ',
  );
const healths = ['none', 'starting', 'healthy', 'unhealthy'];
const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

export interface ListOptions {
  all: boolean;
  limit: number;
  size: boolean;
  filters: Filters;
}

/** Newest first. @throws Fault invalid for an unknown filter or a bad value */
export async function listContainers(context: Context, options: ListOptions): Promise<ContainerSummary[]> {
  const { filters } = options;
  acceptFilters(filters, accepted);
  for (const status of filters.get('status') ?? []) {
    if (!statuses.includes(status))
      throw new Fault(
        'invalid',
        `invalid filter 'status=${status}': invalid value for state (${status}): must be one of ${statuses.join(', ')}`,
      );
  }
  for (const health of filters.get('health') ?? []) {
    if (!healths.includes(health))
      throw new Fault(
        'invalid',
        `invalid filter 'health=${health}': invalid value for health (${health}): must be one of ${healths.join(', ')}`,
      );
  }
  const exited = new Set<number>();
  for (const code of filters.get('exited') ?? []) {
    if (!/^-?\d+$/.test(code)) throw new Fault('invalid', `invalid filter 'exited=${code}'`);
    exited.add(Number(code));
  }
  const before = [...(filters.get('before') ?? [])].map((ref) => created(find(context, ref)));
  const since = [...(filters.get('since') ?? [])].map((ref) => created(find(context, ref)));
  const ancestors = await ancestorIds(context, filters);
  const networks = networkIds(context, filters);
  const everything = options.all || options.limit > 0 || (filters.get('status')?.size ?? 0) > 0 || exited.size > 0;

  const matches = (live: Live): boolean => {
    const { record } = live;
    const state = containerState(live);
    if (!everything && !state.Running) return false;
    if (before.some((time) => created(live) >= time) || since.some((time) => created(live) <= time)) return false;
    if (exited.size > 0 && (state.Running || !exited.has(state.ExitCode) || state.Status === 'created')) return false;
    if (ancestors !== undefined && !ancestors.has(record.image)) return false;
    if (
      networks !== undefined &&
      !Object.entries(endpointsOf(context, live)).some(
        ([name, endpoint]) => networks.has(name) || networks.has(endpoint.NetworkID),
      )
    )
      return false;
    const ids = filters.get('id');
    return (
      (ids === undefined || ids.size === 0 || [...ids].some((id) => record.id.startsWith(id))) &&
      matchesPattern(filters, 'name', [`/${record.name}`, record.name]) &&
      matchesLabels(filters, record.config.Labels) &&
      matchesExact(filters, 'status', state.Status) &&
      matchesExact(filters, 'health', healthOf(live)?.Status ?? 'none') &&
      matchesExact(filters, 'is-task', 'false') &&
      matchesVolume(live, filters) &&
      matchesPorts(live, filters)
    );
  };
  let found = [...context.live.values()].filter(matches).sort((a, b) => Number(created(b) - created(a)));
  if (options.limit > 0) found = found.slice(0, options.limit);
  const nowMs = Date.now();
  return Promise.all(
    found.map(async (live) => {
      const summary = summarise(context, live, {
        imageName: await imageName(context, live),
        names: namesOf(context, live),
        nowMs,
      });
      return options.size ? { ...summary, ...(await containerSizes(context, live)) } : summary;
    }),
  );
}

function created(live: Live): bigint {
  return BigInt(live.record.createdNanos);
}

async function ancestorIds(context: Context, filters: Filters): Promise<Set<string> | undefined> {
  const wanted = filters.get('ancestor');
  if (wanted === undefined || wanted.size === 0) return undefined;
  const ids = new Set<string>();
  for (const ref of wanted) {
    try {
      ids.add((await context.images.resolve(ref)).id);
    } catch {
      // An image that is not there is nobody's ancestor.
    }
  }
  return ids;
}

function networkIds(context: Context, filters: Filters): Set<string> | undefined {
  const wanted = filters.get('network');
  if (wanted === undefined || wanted.size === 0) return undefined;
  const ids = new Set<string>(wanted);
  for (const ref of wanted) {
    try {
      ids.add(context.networking.lookup(ref).id);
    } catch {
      // An unknown network matches nothing.
    }
  }
  return ids;
}

/** The name that the container was created with, or the id when that name now means another image. */
async function imageName(context: Context, live: Live): Promise<string> {
  const { Image = '' } = live.record.config;
  try {
    return (await context.images.resolve(Image)).id === live.record.image ? Image : live.record.image;
  } catch {
    return live.record.image;
  }
}

/** Its own name, and "/linker/alias" for everyone who links to it. */
function namesOf(context: Context, live: Live): string[] {
  const names = [`/${live.record.name}`];
  for (const other of context.live.values()) {
    for (const link of other.record.hostConfig.Links ?? []) {
      const [ref = '', alias] = link.replace(/^\//, '').split(':');
      if (ref === live.record.name || (ref !== '' && live.record.id.startsWith(ref)))
        names.push(`/${other.record.name}/${alias?.split('/').at(-1) ?? ref}`);
    }
  }
  return names;
}

function matchesVolume(live: Live, filters: Filters): boolean {
  const wanted = filters.get('volume');
  if (wanted === undefined || wanted.size === 0) return true;
  return live.record.mounts.some((mount) => wanted.has(mount.source) || wanted.has(mount.destination));
}

function matchesPorts(live: Live, filters: Filters): boolean {
  const { config, hostConfig } = live.record;
  const within = (wanted: ReadonlySet<string> | undefined, ports: string[]): boolean => {
    if (wanted === undefined || wanted.size === 0) return true;
    return [...wanted].some((pattern) => {
      const match = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(pattern);
      if (match === null) throw new Fault('invalid', `invalid filter: invalid port "${pattern}"`);
      return ports.some((port) => {
        const [number = '', protocol = 'tcp'] = port.split('/');
        return (
          Number(number) >= Number(match[1]) &&
          Number(number) <= Number(match[2] ?? match[1]) &&
          protocol === (match[3] ?? 'tcp')
        );
      });
    });
  };
  const published = Object.keys(hostConfig.PortBindings ?? {});
  // As in Docker: `publish` asks for ports of the host, `expose` for those of the container.
  const open = Object.entries(live.run?.ports ?? {}).flatMap(([port, bindings]) =>
    (bindings ?? []).map(({ HostPort }) => `${HostPort ?? ''}/${port.split('/')[1] ?? 'tcp'}`),
  );
  return (
    within(filters.get('publish'), open) &&
    within(filters.get('expose'), [...Object.keys(config.ExposedPorts ?? {}), ...published])
  );
}
