/**
 * What older API versions see and mean differently (from §1.6 of moby's version history): one row per difference, applied when the
 * request's version is below `below`. Handlers speak only the newest version; nothing else in the house knows of older ones,
 * save the cgroup-v1 default of CgroupnsMode, which the engine decides from the version it is given.
 */
import type {
  BuildCacheEntry,
  ContainerConfig,
  ContainerCreateBody,
  ContainerInspect,
  ContainerSummary,
  ContainerUpdateBody,
  DiskUsage,
  EndpointConfig,
  EventMessage,
  ExecCreateBody,
  HostConfig,
  ImageInspect,
  ImageSummary,
  MountPointInput,
} from '../api/index.ts';
import { Fault, shortId } from '../std/index.ts';

/** Applies when the request's version is lower than `below`. Pure: returns a new value, or throws a Fault for a refusal. */
export interface Delta<T> {
  readonly below: number;
  readonly apply: (value: T) => T;
}

/** A delta that holds for every version spoken. */
const always = Number.POSITIVE_INFINITY;

export function applyDeltas<T>(deltas: readonly Delta<T>[], version: number, value: T): T {
  let result = value;
  for (const delta of deltas) if (version < delta.below) result = delta.apply(result);
  return result;
}

export const createDeltas: readonly Delta<ContainerCreateBody>[] = [
  { below: 40, apply: (body) => withHost(body, (host) => ({ ...host, IpcMode: host.IpcMode || 'shareable' })) },
  { below: 40, apply: mapMounts((mount) => without(mount, 'BindOptions', 'NonRecursive')) },
  { below: 42, apply: (body) => withHost(body, (host) => ({ ...host, ConsoleSize: undefined })) },
  { below: 42, apply: mapMounts((mount) => without(mount, 'BindOptions', 'CreateMountpoint')) },
  { below: 43, apply: (body) => withHost(body, (host) => ({ ...host, Annotations: undefined })) },
  { below: 44, apply: ignoreStartInterval },
  {
    below: 44,
    apply: mapMounts((mount) =>
      without(without(mount, 'BindOptions', 'ReadOnlyNonRecursive'), 'BindOptions', 'ReadOnlyForceRecursive'),
    ),
  },
  { below: 44, apply: refuseManyEndpoints },
  { below: 44, apply: mapEndpoints((endpoint) => ({ ...endpoint, MacAddress: undefined })) },
  { below: always, apply: moveMacAddress },
  { below: 45, apply: refuseMounts((mount) => Boolean(mount.VolumeOptions?.Subpath), 'VolumeOptions.Subpath', '1.45') },
  {
    below: 46,
    apply: refuseMounts((mount) => (mount.TmpfsOptions?.Options?.length ?? 0) > 0, 'TmpfsOptions.Options', '1.46'),
  },
  { below: 48, apply: refuseMounts((mount) => mount.Type === 'image', 'Mount type "Image"', '1.48') },
  { below: 48, apply: mapEndpoints((endpoint) => ({ ...endpoint, GwPriority: undefined })) },
];

export const endpointDeltas: readonly Delta<EndpointConfig>[] = [
  { below: 48, apply: (endpoint) => ({ ...endpoint, GwPriority: undefined }) },
];

export const updateDeltas: readonly Delta<ContainerUpdateBody>[] = [
  { below: 40, apply: (body) => ({ ...body, PidsLimit: undefined }) },
];

export const execDeltas: readonly Delta<ExecCreateBody>[] = [
  { below: 42, apply: (body) => ({ ...body, ConsoleSize: undefined }) },
];

export const containerDeltas: readonly Delta<ContainerInspect>[] = [{ below: 45, apply: addLegacyAliases }];

export const containerSummaryDeltas: readonly Delta<ContainerSummary>[] = [
  { below: 46, apply: (summary) => ({ ...summary, HostConfig: { NetworkMode: summary.HostConfig.NetworkMode } }) },
];

export const imageSummaryDeltas: readonly Delta<ImageSummary>[] = [
  { below: 43, apply: nameUntagged },
  { below: 44, apply: (summary) => ({ ...summary, VirtualSize: summary.Size }) },
  { below: 51, apply: (summary) => ({ ...summary, Containers: -1 }) },
];

/** Disk usage always counted an image's containers, unlike the list. */
export const diskUsageDeltas: readonly Delta<DiskUsage>[] = [
  {
    below: 42,
    apply: (usage) => ({
      ...usage,
      BuildCache: usage.BuildCache.map(({ Parents, ...entry }) => ({ ...entry, ...firstParent(Parents) })),
      BuilderSize: usage.BuildCache.reduce((sum, { Size }) => sum + Size, 0),
    }),
  },
  { below: always, apply: (usage) => ({ ...usage, BuildCache: usage.BuildCache.map(nameParents) }) },
  { below: 43, apply: (usage) => ({ ...usage, Images: usage.Images.map(nameUntagged) }) },
  {
    below: 44,
    apply: (usage) => ({
      ...usage,
      Images: usage.Images.map((image): ImageSummary => Object.assign({}, image, { VirtualSize: image.Size })),
    }),
  },
];

export const imageDeltas: readonly Delta<ImageInspect>[] = [
  { below: 44, apply: (image) => ({ ...image, VirtualSize: image.Size }) },
  { below: 45, apply: (image) => ({ ...image, Container: '', ContainerConfig: { ...containerOnly, ...emptyConfig } }) },
  { below: 50, apply: (image) => ({ ...image, Config: image.Config && { ...containerOnly, ...image.Config } }) },
];

/** Events that clients of a version are shown at all. */
export function showsEvent(version: number, event: EventMessage): boolean {
  return version >= 46 || event.Type !== 'image' || event.Action !== 'create';
}

const containerOnly = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
} satisfies ContainerConfig;

const emptyConfig = {
  User: '',
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
} satisfies ContainerConfig;

function withHost(body: ContainerCreateBody, change: (host: HostConfig) => HostConfig): ContainerCreateBody {
  return { ...body, HostConfig: change(body.HostConfig ?? {}) };
}

function mapMounts(
  change: (mount: MountPointInput) => MountPointInput,
): (body: ContainerCreateBody) => ContainerCreateBody {
  return (body) =>
    body.HostConfig?.Mounts === undefined || body.HostConfig.Mounts === null
      ? body
      : { ...body, HostConfig: { ...body.HostConfig, Mounts: body.HostConfig.Mounts.map(change) } };
}

function refuseMounts(
  offends: (mount: MountPointInput) => boolean,
  what: string,
  needs: string,
): (body: ContainerCreateBody) => ContainerCreateBody {
  return mapMounts((mount) => {
    if (offends(mount)) throw new Fault('invalid', `${what} needs API v${needs} or newer`);
    return mount;
  });
}

function without(mount: MountPointInput, options: 'BindOptions', key: string): MountPointInput {
  if (mount[options] === undefined || mount[options] === null) return mount;
  return { ...mount, [options]: { ...mount[options], [key]: undefined } };
}

function mapEndpoints(
  change: (endpoint: EndpointConfig) => EndpointConfig,
): (body: ContainerCreateBody) => ContainerCreateBody {
  return (body) => {
    const endpoints = body.NetworkingConfig?.EndpointsConfig;
    if (endpoints === undefined || endpoints === null) return body;
    const changed = Object.entries(endpoints).map(([name, endpoint]) => [name, endpoint && change(endpoint)] as const);
    return { ...body, NetworkingConfig: { EndpointsConfig: Object.fromEntries(changed) } };
  };
}

function ignoreStartInterval(body: ContainerCreateBody): ContainerCreateBody {
  return body.Healthcheck ? { ...body, Healthcheck: { ...body.Healthcheck, StartInterval: 0 } } : body;
}

function refuseManyEndpoints(body: ContainerCreateBody): ContainerCreateBody {
  const names = Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (names.length > 1) {
    throw new Fault('invalid', `Container cannot be connected to network endpoints: ${names.sort().join(', ')}`);
  }
  return body;
}

/** Config.MacAddress, deprecated, means the address on the network named by NetworkMode. */
function moveMacAddress(body: ContainerCreateBody): ContainerCreateBody {
  const address = body.MacAddress;
  if (address === undefined || address === '') return body;
  const mode = body.HostConfig?.NetworkMode || 'default';
  if (mode === 'host' || mode === 'none' || mode.startsWith('container:')) {
    throw new Fault('invalid', 'conflicting options: mac-address and the network mode');
  }
  const endpoints = body.NetworkingConfig?.EndpointsConfig ?? {};
  const given = endpoints[mode]?.MacAddress;
  if (given !== undefined && given !== '' && given !== address) {
    throw new Fault(
      'invalid',
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  }
  const { MacAddress: _, ...rest } = body;
  return {
    ...rest,
    NetworkingConfig: { EndpointsConfig: { ...endpoints, [mode]: { ...endpoints[mode], MacAddress: address } } },
  };
}

const predefined = new Set(['bridge', 'host', 'none', 'default']);

function addLegacyAliases(container: ContainerInspect): ContainerInspect {
  const own = [shortId(container.Id), container.Config.Hostname ?? ''].filter((name) => name !== '');
  const networks = Object.entries(container.NetworkSettings.Networks).map(([name, endpoint]) => {
    if (predefined.has(name)) return [name, endpoint] as const;
    return [name, { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), ...own])] }] as const;
  });
  return {
    ...container,
    NetworkSettings: { ...container.NetworkSettings, Networks: Object.fromEntries(networks) },
  };
}

function firstParent(parents: readonly string[] = []): Pick<BuildCacheEntry, 'Parent'> {
  return parents[0] === undefined ? {} : { Parent: parents[0] };
}

/** Docker's own types have a blank before the name, so its clients look for that; the API's description has none. */
function nameParents(entry: BuildCacheEntry): BuildCacheEntry {
  const { Parents, ...rest } = entry;
  return Parents === undefined || Parents.length === 0 ? rest : Object.assign({}, entry, { ' Parents': Parents });
}

function nameUntagged(summary: ImageSummary): ImageSummary {
  if (summary.RepoTags.length > 0 || summary.RepoDigests.length > 0) return summary;
  return { ...summary, RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'] };
}
