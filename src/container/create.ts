/** `create`: a request, checked and settled, to a record, a writable snapshot and its volumes. All or nothing. */
import { closeSync, existsSync, mkdirSync } from 'node:fs';
import {
  type ContainerConfig,
  type ContainerCreateBody,
  type EndpointConfig,
  type HostConfig,
  restartUnhealthyAnnotation,
} from '../api/index.ts';
import { descriptorPath, openFlags, openInRoot, warmCgroups } from '../linux/index.ts';
import { OneByOne } from '../monitor/index.ts';
import { initChainId } from '../oci/index.ts';
import { errorCode, Fault, faultKind, formatNanos, nowNanos, randomId, removeAll, zeroTime } from '../std/index.ts';
import { type Context, containerDirectory, type Live } from './context.ts';
import { containerEvent } from './event.ts';
import { find } from './find.ts';
import { ensureInitLayer } from './init-layer.ts';
import { mergeConfig } from './merge.ts';
import { resolveMounts } from './mounts.ts';
import { generateName } from './names.ts';
import type { ContainerMount, ContainerRecord } from './record.ts';
import { withRoot } from './rootfs.ts';
import { parseSecurityOptions } from './security.ts';
import { checkName, settleConfig } from './validate.ts';

export interface CreateOptions {
  name: string | undefined;
  platform: string | undefined;
  body: ContainerCreateBody;
  apiVersion: string;
}

/** @throws Fault invalid, not-found (no image), conflict (name) */
export async function createContainer(
  context: Context,
  options: CreateOptions,
): Promise<{ Id: string; Warnings: string[] }> {
  warmCgroups(context.settings.cgroups);
  const { HostConfig: requestedHost, NetworkingConfig: networking, ...requested } = options.body;
  const id = randomId();
  const now = nowNanos();
  const name =
    options.name === undefined || options.name === ''
      ? generateName((candidate) => context.names.has(candidate))
      : checkName(options.name);
  const image = await context.images.resolve(
    requested.Image ?? '',
    options.platform === undefined ? {} : { platform: options.platform },
  );
  const host: HostConfig = requestedHost ?? {};
  const merged = mergeConfig(requested, image.config);
  const command = [...(merged.Entrypoint ?? []), ...(merged.Cmd ?? [])];
  if (command.length === 0) throw new Fault('invalid', 'no command specified');
  if (command[0] === '') throw new Fault('invalid', 'no command specified');
  parseSecurityOptions(host.SecurityOpt ?? []);
  const settled = settleConfig(merged, host, context.settings.facts, id, options.apiVersion);
  if ((settled.host.Isolation ?? '') !== '' && settled.host.Isolation !== 'default')
    throw new Fault('invalid', `invalid isolation (${settled.host.Isolation}): linux only supports 'default'`);
  joinOthers(context, settled.host);
  if (settled.host.NetworkMode === 'host' && Object.keys(settled.host.PortBindings ?? {}).length > 0)
    settled.warnings.push('Published ports are discarded when using host network mode');
  const networks = requestedNetworks(
    settled.host,
    settled.config,
    networking?.EndpointsConfig ?? {},
    options.apiVersion,
  );
  for (const link of host.Links ?? []) {
    const [ref = ''] = link.replace(/^\//, '').split(':');
    named(context, ref, `could not get container for ${ref}: `);
  }
  const mounts = resolveMounts(merged, settled.host, {
    container: (ref) => named(context, ref).record,
    hostPathExists: existsSync,
    volumeDriver: host.VolumeDriver ?? '',
  });
  for (const mount of mounts) {
    if (mount.type === 'image') mount.source = (await context.images.resolve(mount.source)).id;
  }
  if (context.names.has(name)) throw nameTaken(context, name);
  context.names.set(name, id);

  await using undo = new AsyncDisposableStack();
  undo.defer(() => void context.names.delete(name));
  const record: ContainerRecord = {
    id,
    name,
    created: formatNanos(now),
    createdNanos: now.toString(),
    path: command[0]!,
    args: command.slice(1),
    image: image.id,
    chainId: image.chainId,
    platform: image.os || 'linux',
    config: { ...settled.config, Image: requested.Image ?? '' },
    hostConfig: settled.host,
    networks,
    mounts,
    state: { status: 'created', exitCode: 0, error: '', oomKilled: false, startedAt: zeroTime, finishedAt: zeroTime },
    restartCount: 0,
    manuallyStopped: false,
    wasRunning: false,
    restartUnhealthy: host.Annotations?.[restartUnhealthyAnnotation] === 'true' || context.settings.restartUnhealthy,
  };
  // From here on the image is in use, though the container is not there yet.
  context.creating.set(id, record);
  undo.defer(() => void context.creating.delete(id));
  using hold = context.snapshots.hold();
  if (image.chainId !== undefined) hold.add(image.chainId);
  hold.add(initChainId(image.chainId));
  await context.snapshots.prepare(id, await ensureInitLayer(context.snapshots, image.chainId));
  undo.defer(() => context.snapshots.remove(id));
  const directory = containerDirectory(context, id);
  mkdirSync(directory, { recursive: true, mode: 0o710 });
  undo.defer(() => removeAll(directory));
  await makeVolumes(context, record, undo);
  await context.records.put(id, record);
  undo.move();
  context.live.set(id, newLive(record));
  context.creating.delete(id);
  context.images.used(image.id, 'created');
  containerEvent(context, record, 'create');
  return { Id: id, Warnings: settled.warnings };
}

/** A container that the request names. Not there is a fault of the request: at a 404 clients would go and pull the image. */
function named(context: Context, ref: string, prefix = ''): Live {
  try {
    return find(context, ref);
  } catch (error) {
    if (error instanceof Fault && error.kind === 'not-found')
      throw new Fault('invalid', `${prefix}${error.message}`, { cause: error });
    throw error;
  }
}

export function newLive(record: ContainerRecord): Live {
  return {
    record,
    run: undefined,
    pending: new Set(),
    sessions: new Set(),
    closer: new OneByOne(),
    waiters: new Set(),
    restart: undefined,
    removing: false,
    starting: undefined,
    stopRequested: false,
    exited: undefined,
    ending: undefined,
    restartDelayMs: 0,
    stopHealth: undefined,
    execs: new Map(),
    oomKilled: false,
    lastHealth: undefined,
  };
}

export function nameTaken(context: Context, name: string): Fault {
  return new Fault(
    'conflict',
    `Conflict. The container name "/${name}" is already in use by container "${context.names.get(name)}". You have to remove (or rename) that container to be able to reuse that name.`,
  );
}

/** `container:name` modes keep the id, so that a rename does not break them. */
function joinOthers(context: Context, host: HostConfig): void {
  for (const key of ['NetworkMode', 'PidMode', 'IpcMode'] as const) {
    const mode = host[key] ?? '';
    if (!mode.startsWith('container:')) continue;
    const ref = mode.slice('container:'.length);
    if (ref === '')
      throw new Fault('invalid', `invalid ${key.slice(0, -4).toLowerCase()} mode: container ID should not be empty`);
    // One that is not there is missed by start, as in Docker: a 404 here would make the CLI pull the image.
    const other = known(context, ref);
    if (other !== undefined) host[key] = `container:${other}`;
  }
}

function known(context: Context, ref: string): string | undefined {
  try {
    return find(context, ref).record.id;
  } catch (error) {
    if (faultKind(error) === 'not-found') return undefined;
    throw error;
  }
}

function requestedNetworks(
  host: HostConfig,
  config: ContainerConfig,
  endpoints: Record<string, EndpointConfig | null | undefined>,
  apiVersion: string,
): Record<string, EndpointConfig> {
  const mode = host.NetworkMode ?? 'bridge';
  if (mode.startsWith('container:')) return {};
  if (Number(apiVersion.split('.')[1]) < 44 && Object.keys(endpoints).length > 1) {
    throw new Fault(
      'invalid',
      `Container cannot be created with multiple network endpoints: ${Object.keys(endpoints).join(', ')}`,
    );
  }
  const networks: Record<string, EndpointConfig> = {};
  const primary = endpoints[mode] ?? endpoints['default'] ?? undefined;
  networks[mode] = cleanEndpoint(primary ?? {}, config);
  for (const [name, endpoint] of Object.entries(endpoints)) {
    if (name === 'default' || name === mode) continue;
    networks[name] = cleanEndpoint(endpoint ?? {}, undefined);
  }
  return networks;
}

/** Keeps what a client may ask; drops what only the engine fills in (re-posted inspect data). */
export function cleanEndpoint(endpoint: EndpointConfig, config: ContainerConfig | undefined): EndpointConfig {
  const address = endpoint.IPAMConfig ?? undefined;
  return {
    IPAMConfig: address === undefined ? null : address,
    Links: endpoint.Links ?? null,
    Aliases: endpoint.Aliases ?? null,
    MacAddress: endpoint.MacAddress || config?.MacAddress || '',
    DriverOpts: endpoint.DriverOpts ?? null,
    GwPriority: endpoint.GwPriority ?? 0,
  };
}

/** Creates named and anonymous volumes and copies the image's content into new ones (Docker does both at create). */
async function makeVolumes(context: Context, record: ContainerRecord, undo: AsyncDisposableStack): Promise<void> {
  const volumes = record.mounts.filter((mount) => mount.type === 'volume');
  for (const mount of record.mounts) {
    if (mount.type !== 'image') continue;
    const image = await context.images.resolve(mount.source);
    const name = imageMountName(record.id, mount);
    await context.snapshots.prepare(name, image.chainId);
    undo.defer(() => context.snapshots.remove(name));
  }
  if (volumes.length === 0) return;
  for (const mount of volumes) {
    const fresh = !context.volumes.exists(mount.source);
    const options = mount.input?.VolumeOptions;
    await context.volumes.create(
      {
        Name: mount.source,
        Driver: mount.driver,
        ...(options?.DriverConfig?.Options ? { DriverOpts: options.DriverConfig.Options } : {}),
        ...(options?.Labels ? { Labels: options.Labels } : {}),
      },
      { anonymous: mount.anonymous },
    );
    if (fresh && mount.anonymous) undo.defer(() => context.volumes.remove(mount.source, { force: true }));
  }
  const copies = volumes.filter((mount) => !mount.noCopy && mount.subpath === '');
  if (copies.length === 0 || record.chainId === undefined) return;
  const rootfs = context.snapshots.mount(record.id);
  try {
    for (const mount of copies) await copyUp(context, rootfs, mount);
  } finally {
    context.snapshots.unmount(record.id);
  }
}

async function copyUp(context: Context, rootfs: string, mount: ContainerMount): Promise<void> {
  let fd: number;
  try {
    fd = withRoot(rootfs, (root) => openInRoot(root, mount.destination, openFlags.directory));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '')) return;
    throw error;
  }
  try {
    await context.volumes.populate(mount.source, `${descriptorPath(fd)}/`);
  } finally {
    closeSync(fd);
  }
}

/** The writable snapshot that stands for an image mount of a container. */
export function imageMountName(id: string, mount: ContainerMount): string {
  return `${id}-image-${Buffer.from(mount.destination).toString('hex').slice(0, 48)}`;
}

/** Of all image mounts of a container. */
export function imageMountNames(record: ContainerRecord): string[] {
  return record.mounts.filter(({ type }) => type === 'image').map((mount) => imageMountName(record.id, mount));
}
