/** `start`: loans on one stack (root, volumes, network, files), the spec, the runtime through its monitor; then the process goes. */
import { closeSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  controllerFolder,
  descriptorPath,
  isAlive,
  mount,
  openFlags,
  openInRoot,
  processStart,
} from '../linux/index.ts';
import { Fault, faultKind, formatNanos, messageOf, nowNanos, zeroTime } from '../std/index.ts';
import { capabilityMask, containerCapabilities } from './capabilities.ts';
import { bundleDirectory, type Context, containerDirectory, exitDirectory, type Live, logPath } from './context.ts';
import { imageMountName } from './create.ts';
import { blockDevice, containerDevices } from './devices.ts';
import { containerEvent } from './event.ts';
import { find } from './find.ts';
import { startHealth } from './health.ts';
import { checkLogDriver, forwardLogs } from './log-forward.ts';
import { linkEnvironment, type NetworkSetup, setUpNetwork } from './network-setup.ts';
import type { ContainerMount, ContainerRecord, RunState } from './record.ts';
import { makeDirectoryInRoot, mendLinks, readInRoot, withRoot } from './rootfs.ts';
import { compiledSeccomp } from './seccomp-cache.ts';
import { customSeccomp, defaultSeccomp, type Seccomp } from './seccomp-profile.ts';
import { parseSecurityOptions } from './security.ts';
import { runtimeSpec, type SpecMount } from './spec.ts';
import { startFailure } from './start-error.ts';
import { resolveUser } from './user.ts';
import { settleWaiters } from './wait.ts';

/** The caller holds the container's lock. `automatic`: by the restart policy, not by a person. @throws Fault */
export async function startContainer(context: Context, live: Live, options: { automatic: boolean }): Promise<void> {
  await live.ending;
  if (live.removing) throw new Fault('conflict', 'container is marked for removal and cannot be started');
  if (live.run?.paused) throw new Fault('conflict', 'cannot start a paused container, try unpause instead');
  if (live.run !== undefined) throw new Fault('not-modified', 'container is already running');
  if (live.restart !== undefined) {
    clearTimeout(live.restart.timer);
    live.restart = undefined;
  }
  live.stopRequested = false;
  live.starting = true;
  try {
    await launch(context, live, options);
  } catch (error) {
    await failed(context, live, error, options.automatic);
    throw error;
  } finally {
    live.starting = false;
  }
}

async function launch(context: Context, live: Live, options: { automatic: boolean }): Promise<void> {
  const { record } = live;
  await using loans = new AsyncDisposableStack();
  const rootfs = context.snapshots.mount(record.id);
  loans.defer(() => context.snapshots.unmount(record.id));
  const bundle = bundleDirectory(context, record.id);
  rmSync(bundle, { recursive: true, force: true });
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  loans.defer(() => rmSync(bundle, { recursive: true, force: true }));
  mkdirSync(exitDirectory(context), { recursive: true, mode: 0o700 });
  rmSync(join(exitDirectory(context), record.id), { force: true });

  const volumes = await lendVolumes(context, record, loans);
  const network = await setUpNetwork(context, live, loans);
  const cgroup = cgroupPath(context, record);
  const spec = buildSpec(context, record, { rootfs, bundle, network, cgroup, volumes });
  writeFileSync(join(bundle, 'config.json'), stringifySpec(spec), { mode: 0o600 });

  const runtime = context.runtime(record.hostConfig.Runtime ?? '');
  loans.defer(() => runtime.delete(record.id, cgroup));
  const log = record.hostConfig.LogConfig;
  checkLogDriver(log?.Type ?? '', log?.Config ?? {});
  const { pid } = await runtime
    .create({
      id: record.id,
      name: record.name,
      bundle,
      logPath: log?.Type === 'none' ? undefined : logPath(context, record.id),
      logSizeMax: hardLogLimit(log?.Config ?? {}),
      terminal: record.config.Tty ?? false,
      stdin: record.config.OpenStdin ?? false,
      leaveStdinOpen: !(record.config.StdinOnce ?? false) || (record.config.Tty ?? false),
    })
    .catch((error: unknown) => {
      if (faultKind(error) !== 'internal') throw error;
      const failure = startFailure(messageOf(error), record.path);
      throw Object.assign(failure.fault, { exitCode: failure.exitCode, cause: error });
    });
  const startTicks = processStart(pid);
  if (startTicks === undefined) throw new Fault('internal', 'the container process ended before it was started');
  for (const session of live.pending) session.connect(`${bundle}/attach`);
  live.pending.clear();
  const run: RunState = {
    id: record.id,
    bootId: context.bootId,
    pid,
    startTicks,
    monitorPid: Number(readFileSync(join(bundle, 'conmon.pid'), 'utf8')),
    startedAt: formatNanos(nowNanos()),
    paused: false,
    endpoints: network.endpoints,
    ports: network.ports,
    cgroup,
    sandbox: network.sandbox,
  };
  live.oomKilled = false;
  live.exited = Promise.withResolvers<void>();
  live.run = run;
  try {
    // Written before the process runs: a daemon killed right after finds the container by it.
    await context.runs.put(record.id, run, { durable: false });
    await runtime.start(record.id, () => isAlive(pid, startTicks));
  } catch (error) {
    live.run = undefined;
    await context.runs.delete(record.id);
    throw error;
  }
  loans.move();
  record.state = { ...record.state, exitCode: 0, error: '', oomKilled: false, startedAt: run.startedAt };
  record.manuallyStopped = false;
  record.wasRunning = true;
  if (!options.automatic) {
    record.restartCount = 0;
    live.restartDelayMs = 0;
  }
  if (!(record.hostConfig.AutoRemove ?? false))
    context.background(context.lock.run(`record:${record.id}`, () => saveIfThere(context, live)));
  containerEvent(context, record, 'start');
  forwardLogs(context, live);
  startHealth(context, live);
}

/** Writes the record unless the container was removed meanwhile. */
export async function saveIfThere(context: Context, live: Live): Promise<void> {
  if (context.live.get(live.record.id) === live) await context.records.put(live.record.id, live.record);
}

async function failed(context: Context, live: Live, error: unknown, automatic: boolean): Promise<void> {
  const { record } = live;
  const exitCode = (error as { exitCode?: number }).exitCode ?? 128;
  record.state = {
    ...record.state,
    exitCode,
    error: messageOf(error),
    ...(record.state.startedAt === zeroTime ? {} : { status: 'exited' as const }),
  };
  for (const session of live.pending) session.detach();
  live.pending.clear();
  await saveIfThere(context, live).catch(() => {});
  if (!automatic) settleWaiters(live, ['not-running', 'next-exit'], { StatusCode: exitCode, Error: null });
  context.log.warn('container did not start', { container: record.id, error: messageOf(error) });
}

/** The bytes after which conmon itself begins the file anew: the daemon rotates long before, if it is there. */
function hardLogLimit(config: Record<string, string>): number | undefined {
  const { maxSize, maxFiles } = logLimits(config);
  return maxSize === undefined ? undefined : maxSize * Math.max(2, maxFiles);
}

const defaultLogSize = 10 * 1000 * 1000;

/** `max-size` and `max-file` of json-file and local; bounded by default (users.md 12), unbounded for max-size=-1. */
export function logLimits(config: Record<string, string>): { maxSize: number | undefined; maxFiles: number } {
  const size = config['max-size'];
  const parsed = size === undefined ? defaultLogSize : size === '-1' ? undefined : parseLogSize(size);
  const files = config['max-file'] === undefined ? 3 : Number(config['max-file']);
  if (!Number.isInteger(files) || files < 1) throw new Fault('invalid', `invalid max-file: ${config['max-file']}`);
  return { maxSize: parsed, maxFiles: files };
}

function parseLogSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s?([kmgt]?)b?$/i.exec(text);
  const bytes = match === null ? 0 : Number(match[1]) * 1000 ** ' kmgt'.indexOf((match[2] || ' ').toLowerCase());
  if (bytes <= 0) throw new Fault('invalid', `invalid value for max-size: ${text}`);
  return bytes;
}

function cgroupPath(context: Context, record: ContainerRecord): string {
  const parent = record.hostConfig.CgroupParent || context.settings.cgroupParent;
  if (context.settings.systemdCgroup) return `${parent || 'system.slice'}:wherry:${record.id}`;
  return `${parent.startsWith('/') ? parent : `/${parent}`}/${record.id}`;
}

interface Surroundings {
  rootfs: string;
  bundle: string;
  network: NetworkSetup;
  cgroup: string;
  volumes: Map<ContainerMount, string>;
}

async function lendVolumes(
  context: Context,
  record: ContainerRecord,
  loans: AsyncDisposableStack,
): Promise<Map<ContainerMount, string>> {
  const paths = new Map<ContainerMount, string>();
  for (const entry of record.mounts) {
    if (entry.type === 'volume') {
      const path = await context.volumes.mount(entry.source, record.id);
      loans.defer(() => context.volumes.unmount(entry.source, record.id));
      paths.set(entry, entry.subpath === '' ? path : await context.volumes.subpath(entry.source, entry.subpath));
    } else if (entry.type === 'image') {
      const name = imageMountName(record.id, entry);
      const path = context.snapshots.mount(name);
      loans.defer(() => context.snapshots.unmount(name));
      paths.set(entry, entry.subpath === '' ? path : inImage(path, entry.subpath));
    } else if (entry.type === 'bind') {
      if (entry.createSource && !existsSync(entry.source)) mkdirSync(entry.source, { recursive: true, mode: 0o755 });
      if (!existsSync(entry.source))
        throw new Fault(
          'invalid',
          `invalid mount config for type "bind": bind source path does not exist: ${entry.source}`,
        );
      paths.set(entry, entry.source);
    }
  }
  return paths;
}

/** A path in an image's root, with the image's links followed inside it only. @throws Fault invalid */
function inImage(root: string, subpath: string): string {
  return withRoot(root, (fd) => {
    try {
      const found = openInRoot(fd, subpath, openFlags.path);
      try {
        return readlinkSync(descriptorPath(found));
      } finally {
        closeSync(found);
      }
    } catch (error) {
      throw new Fault('invalid', `cannot access path ${subpath} in the image: ${messageOf(error)}`, { cause: error });
    }
  });
}

function buildSpec(context: Context, record: ContainerRecord, around: Surroundings): object {
  const { settings } = context;
  const { config, hostConfig: host } = record;
  const security = parseSecurityOptions(host.SecurityOpt ?? []);
  const privileged = host.Privileged ?? false;
  const capabilities = containerCapabilities(
    { add: host.CapAdd ?? [], drop: host.CapDrop ?? [], privileged },
    settings.heldCapabilities,
  );
  const user = withRoot(around.rootfs, (root) => {
    for (const { destination } of record.mounts) mendLinks(root, destination);
    if (config.WorkingDir && config.WorkingDir !== '/') makeDirectoryInRoot(root, config.WorkingDir);
    return resolveUser(
      config.User ?? '',
      host.GroupAdd ?? [],
      readInRoot(root, '/etc/passwd') ?? '',
      readInRoot(root, '/etc/group') ?? '',
    );
  });
  const ipc = ipcMounts(context, record, around.bundle);
  const ownNetwork = around.network.sandbox !== undefined;
  const mounts = [
    ...volumeMounts(record, around.volumes),
    ...fileMounts(context, record, around.network),
    ...ipc.mounts,
  ];
  const useInit = host.Init ?? settings.facts.init;
  let init: string | undefined;
  if (useInit && host.PidMode !== 'host') {
    if (settings.initPath === undefined)
      throw new Fault('invalid', 'Cannot use --init: no init program found. Install one: apt-get install tini');
    init = '/sbin/docker-init';
    mounts.push({ destination: init, type: 'bind', source: settings.initPath, options: ['bind', 'ro'] });
  }
  mounts.sort((a, b) => a.destination.split('/').length - b.destination.split('/').length);
  const seccomp = privileged ? undefined : seccompFor(context, security.seccomp, capabilities);
  const crun = context.runtime(host.Runtime ?? '').program.kind === 'crun';
  const filter = crun && seccomp !== undefined ? compiledSeccomp(context, seccomp) : undefined;
  const environment = linkEnvironment(context, record);
  return runtimeSpec({
    id: record.id,
    path: record.path,
    args: record.args,
    config: environment.length === 0 ? config : { ...config, Env: [...environment, ...(config.Env ?? [])] },
    host,
    rootfs: around.rootfs,
    user,
    capabilities,
    seccomp,
    noNewPrivileges: security.noNewPrivileges ?? settings.noNewPrivileges,
    apparmorProfile: !settings.apparmor || privileged ? security.apparmor : (security.apparmor ?? 'wherry-default'),
    selinuxLabel: undefined,
    mounts,
    devices: containerDevices(host),
    namespaces: {
      network: around.network.namespace,
      pid: joined(context, host.PidMode, 'pid'),
      ipc: ipc.namespace,
      uts: host.UTSMode === 'host' || (host.NetworkMode === 'host' && !config.Hostname) ? undefined : '',
      cgroup: host.CgroupnsMode === 'private' ? '' : undefined,
    },
    hostname: around.network.hostname,
    cgroupsPath: around.cgroup,
    cgroupVersion: settings.cgroups.version,
    init,
    rlimitCeilings: rlimitCeilings(settings.heldCapabilities),
    shmSize: ipc.shmSize,
    annotations: { ...host.Annotations, ...(filter === undefined ? {} : { 'run.oci.seccomp_bpf_data': filter }) },
    deviceNumbers: blockDevice,
    sysctls: { ...(ownNetwork ? defaultSysctls(host.Sysctls ?? {}) : {}), ...host.Sysctls },
  });
}

function defaultSysctls(asked: Record<string, string>): Record<string, string> {
  // As Docker: ordinary users in the container may bind low ports and ping.
  const defaults: Record<string, string> = {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
  };
  return Object.fromEntries(Object.entries(defaults).filter(([key]) => !(key in asked)));
}

function seccompFor(context: Context, option: string | undefined, capabilities: string[]): Seccomp | undefined {
  const text = option ?? context.settings.seccompProfile;
  if (text === 'unconfined') return undefined;
  if (text === undefined) return defaultSeccomp(capabilities, process.arch);
  return customSeccomp(text, capabilities, process.arch, context.settings.kernel);
}

/** The namespace for `--pid`: "" new, undefined the host's, or the path of another container's. */
function joined(context: Context, mode: string | undefined, type: 'pid' | 'ipc'): string | undefined {
  if (mode === 'host') return undefined;
  if (!mode?.startsWith('container:')) return '';
  const other = find(context, mode.slice('container:'.length));
  if (other.run === undefined)
    throw new Fault(
      'conflict',
      `cannot join ${type.toUpperCase()} namespace of a non running container: ${other.record.id}`,
    );
  return `/proc/${other.run.pid}/ns/${type}`;
}

function ipcMounts(
  context: Context,
  record: ContainerRecord,
  bundle: string,
): { mounts: SpecMount[]; namespace: string | undefined; shmSize: number | undefined } {
  const mode = record.hostConfig.IpcMode ?? 'private';
  const size = record.hostConfig.ShmSize ?? 67_108_864;
  const bindShm = (source: string): SpecMount[] => [
    { destination: '/dev/shm', type: 'bind', source, options: ['rbind', 'rprivate'] },
  ];
  if (mode === 'host') return { mounts: bindShm('/dev/shm'), namespace: undefined, shmSize: undefined };
  if (mode === 'none') return { mounts: [], namespace: '', shmSize: undefined };
  if (mode === 'shareable') {
    const shm = join(bundle, 'shm');
    mkdirSync(shm, { mode: 0o1777 });
    mount({ source: 'shm', target: shm, type: 'tmpfs', flags: 2 | 4 | 8, data: `mode=1777,size=${size}` });
    return { mounts: bindShm(shm), namespace: '', shmSize: undefined };
  }
  if (mode.startsWith('container:')) {
    const other = find(context, mode.slice('container:'.length));
    if (other.record.hostConfig.IpcMode !== 'shareable') {
      throw new Fault(
        'invalid',
        `cannot join IPC of a container ${other.record.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      );
    }
    return {
      mounts: bindShm(join(bundleDirectory(context, other.record.id), 'shm')),
      namespace: joined(context, mode, 'ipc'),
      shmSize: undefined,
    };
  }
  return { mounts: [], namespace: '', shmSize: size };
}

function volumeMounts(record: ContainerRecord, paths: Map<ContainerMount, string>): SpecMount[] {
  return record.mounts.map((entry): SpecMount => {
    const source = paths.get(entry) ?? '';
    if (entry.type === 'tmpfs') {
      const words = entry.options.filter((word) => word !== 'defaults');
      const base = ['nosuid', 'nodev', 'noexec'].filter((word) => !words.includes(word.slice(2)));
      return {
        destination: entry.destination,
        type: 'tmpfs',
        source: 'tmpfs',
        options: [...new Set([...base, ...words])],
      };
    }
    const recursive = entry.nonRecursive ? 'bind' : 'rbind';
    const access = entry.readOnly
      ? ['ro', ...(entry.nonRecursive || entry.readOnlyNonRecursive ? [] : ['rro'])]
      : ['rw'];
    return {
      destination: entry.destination,
      type: 'bind',
      source,
      options: [recursive, ...access, entry.propagation || 'rprivate'],
    };
  });
}

/** /etc/hostname, /etc/hosts and /etc/resolv.conf, written anew on each start, unless a volume is mounted there. */
function fileMounts(context: Context, record: ContainerRecord, network: NetworkSetup): SpecMount[] {
  const shared = 'sharedWith' in network.files ? network.files.sharedWith : undefined;
  const directory = containerDirectory(context, shared ?? record.id);
  if ('hosts' in network.files) {
    writeFileSync(join(directory, 'hosts'), network.files.hosts, { mode: 0o644 });
    writeFileSync(join(directory, 'resolv.conf'), network.files.resolvConf, { mode: 0o644 });
    writeFileSync(join(directory, 'hostname'), `${network.hostname}\n`, { mode: 0o644 });
  }
  const taken = new Set(record.mounts.map((entry) => entry.destination));
  const access = record.hostConfig.ReadonlyRootfs ? ['ro'] : [];
  return ['resolv.conf', 'hostname', 'hosts']
    .filter((name) => !taken.has(`/etc/${name}`))
    .map((name) => ({
      destination: `/etc/${name}`,
      type: 'bind',
      source: join(directory, name),
      options: ['rbind', 'rprivate', ...access],
    }));
}

/** Without CAP_SYS_RESOURCE no limit can go above the daemon's own hard one. */
function rlimitCeilings(held: bigint): ReadonlyMap<string, number> {
  if (((held >> 24n) & 1n) === 1n) return new Map();
  const rows: Record<string, string> = {
    core: 'Max core file size',
    cpu: 'Max cpu time',
    data: 'Max data size',
    fsize: 'Max file size',
    locks: 'Max file locks',
    memlock: 'Max locked memory',
    msgqueue: 'Max msgqueue size',
    nice: 'Max nice priority',
    nofile: 'Max open files',
    nproc: 'Max processes',
    rss: 'Max resident set',
    rtprio: 'Max realtime priority',
    rttime: 'Max realtime timeout',
    sigpending: 'Max pending signals',
    stack: 'Max stack size',
  };
  const text = readFileSync('/proc/self/limits', 'utf8');
  const ceilings = new Map<string, number>();
  for (const [name, title] of Object.entries(rows)) {
    const match = new RegExp(`^${title}\\s+\\S+\\s+(\\d+)`, 'm').exec(text);
    if (match !== null) ceilings.set(name, Number(match[1]));
  }
  return ceilings;
}

/** JSON with 64-bit numbers as they are. */
function stringifySpec(spec: object): string {
  const json = JSON as unknown as { rawJSON(text: string): unknown };
  return JSON.stringify(spec, (_key, value: unknown) =>
    typeof value === 'bigint' ? json.rawJSON(value.toString()) : value,
  );
}

/** Ulimits that will be clamped, as warnings for create. */
export function ulimitWarnings(context: Context, ulimits: readonly { Name: string; Hard: number }[]): string[] {
  const ceilings = rlimitCeilings(context.settings.heldCapabilities);
  return ulimits
    .filter(
      ({ Name, Hard }) =>
        (ceilings.get(Name) ?? Number.POSITIVE_INFINITY) < (Hard === -1 ? Number.POSITIVE_INFINITY : Hard),
    )
    .map(
      ({ Name, Hard }) =>
        `ulimit ${Name}=${Hard} is above the hard limit ${ceilings.get(Name)} of this daemon, which may not raise it; ${ceilings.get(Name)} is used`,
    );
}

/** For tests and `info`: what capabilities this process holds. */
export function ownCapabilities(): bigint {
  return capabilityMask(readFileSync('/proc/self/status', 'utf8'), 'CapEff');
}

/** Whether the kernel accounts swap. */
export function hasBlockWeight(context: Pick<Context['settings'], 'cgroups'>): boolean {
  if (context.cgroups.version === 2) return context.cgroups.controllers.includes('io');
  const folder = controllerFolder(context.cgroups, 'blkio', '/');
  return folder !== undefined && ['blkio.weight', 'blkio.bfq.weight'].some((name) => existsSync(join(folder, name)));
}

export function hasSwapLimit(context: Pick<Context['settings'], 'cgroups'>): boolean {
  const folder = controllerFolder(context.cgroups, 'memory', '/');
  if (folder === undefined) return false;
  return context.cgroups.version === 2 || existsSync(join(folder, 'memory.memsw.limit_in_bytes'));
}
