/** The surroundings of a start, found out by reading and making files, to a runtime configuration (spec.ts does the pure part). */
import { chownSync, mkdirSync, writeFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerEdits, EditMount } from '../cdi/index.ts';
import { mount } from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import { confinement, defaultSysctls, refusedHere } from './confinement.ts';
import { bundleDirectory, type Context, containerDirectory } from './context.ts';
import { describedDevice } from './device-requests.ts';
import { blockDevice, containerDevices } from './devices.ts';
import { find } from './find.ts';
import { knownUser } from './known-user.ts';
import { linkEnvironment, type NetworkSetup } from './network-setup.ts';
import type { ContainerMount, ContainerRecord } from './record.ts';
import { rlimitCeilings } from './rlimits.ts';
import { makeDirectoryInRoot, mendLinks, readInRoot, withRoot } from './rootfs.ts';
import { runtimeSpec, type SpecMount } from './spec.ts';
import { type ProcessUser, resolveUser } from './user.ts';
import { type Remapped, rootOf } from './user-namespace.ts';

export interface Surroundings {
  rootfs: string;
  user: ProcessUser;
  bundle: string;
  network: NetworkSetup;
  cgroup: string;
  volumes: Map<ContainerMount, string>;
  remapped: Remapped | undefined;
  /** For the devices that were asked for by name. */
  edits: ContainerEdits;
}

/** Makes in the root, which is mounted plainly, what the start needs there, and finds out whom the process runs as. @throws Fault invalid */
export function prepareRoot({ config, hostConfig, mounts }: ContainerRecord, rootfs: string): ProcessUser {
  return withRoot(rootfs, (root) => {
    for (const { destination } of mounts) mendLinks(root, destination);
    if (config.WorkingDir && config.WorkingDir !== '/') makeDirectoryInRoot(root, config.WorkingDir);
    const [passwd, group] = ['passwd', 'group'].map((name) => readInRoot(root, `/etc/${name}`) ?? '') as [
      string,
      string,
    ];
    return knownUser(resolveUser(config.User ?? '', hostConfig.GroupAdd ?? [], passwd, group));
  });
}

export function buildSpec(context: Context, record: ContainerRecord, around: Surroundings): object {
  const { settings } = context;
  const { config, hostConfig: host } = record;
  const confined = confinement(context, host);
  const owner = rootOf(around.remapped?.mapping);
  const ipc = ipcMounts(context, record, around.bundle, owner);
  const ownNetwork = around.network.sandbox !== undefined;
  const { edits } = around;
  const mounts = [
    ...volumeMounts(record, around.volumes),
    ...fileMounts(context, record, around.network, owner),
    ...ipc.mounts,
  ];
  // What the user mounts goes before what a vendor wants there.
  const taken = new Set(mounts.map(({ destination }) => destination));
  mounts.push(...edits.mounts.map(describedMount).filter(({ destination }) => !taken.has(destination)));
  const useInit = host.Init ?? settings.facts.init;
  let init: string | undefined;
  if (useInit && host.PidMode !== 'host') {
    if (settings.initPath === undefined)
      throw new Fault('invalid', 'Cannot use --init: no init program found. Install one: apt-get install tini');
    init = '/sbin/docker-init';
    mounts.push({ destination: init, type: 'bind', source: settings.initPath, options: ['bind', 'ro'] });
  }
  mounts.sort((a, b) => a.destination.split('/').length - b.destination.split('/').length);
  const links = linkEnvironment(context, record);
  const environment = [...links, ...(config.Env ?? []), ...edits.env];
  const nodes = edits.deviceNodes.map((node) => describedDevice(node));
  return runtimeSpec({
    id: record.id,
    path: record.path,
    args: record.args,
    config: { ...config, Env: environment },
    host,
    rootfs: around.rootfs,
    user: { ...around.user, additionalGids: [...new Set([...around.user.additionalGids, ...edits.additionalGids])] },
    ...confined.profile,
    selinuxLabel: undefined,
    mounts,
    devices: [...containerDevices(host).filter(({ path }) => !nodes.some((node) => node.path === path)), ...nodes],
    namespaces: {
      network: around.network.namespace,
      pid: joined(context, host.PidMode, 'pid'),
      ipc: ipc.namespace,
      uts: host.UTSMode === 'host' || (host.NetworkMode === 'host' && !config.Hostname) ? undefined : '',
      cgroup: host.CgroupnsMode === 'private' && settings.cgroups.usable ? '' : undefined,
      user: around.remapped?.path,
    },
    idMapping: around.remapped?.mapping,
    hostname: around.network.hostname,
    cgroupsPath: settings.cgroups.usable ? around.cgroup : undefined,
    refused: refusedHere(),
    cgroupVersion: settings.cgroups.version,
    init,
    rlimitCeilings: rlimitCeilings(),
    shmSize: ipc.shmSize,
    annotations: { ...host.Annotations, ...confined.annotations },
    deviceNumbers: blockDevice,
    edits,
    sysctls: {
      ...(ownNetwork ? defaultSysctls(host.Sysctls ?? {}, around.remapped?.mapping.gids[0]?.size) : {}),
      ...host.Sysctls,
    },
  });
}

/** A vendor's mount; one without a type is a bind, whatever its options leave out. */
function describedMount({ hostPath, containerPath, type, options }: EditMount): SpecMount {
  const isBind = ['', 'bind', 'none'].includes(type);
  const bound = isBind && !options.some((option) => option === 'bind' || option === 'rbind');
  return {
    destination: containerPath,
    type: isBind ? 'bind' : type,
    source: hostPath,
    options: bound ? ['rbind', ...options] : options,
  };
}

/** Who the container's root is on the host. */
type Owner = ReturnType<typeof rootOf>;

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
  owner: Owner,
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
    const data = `mode=1777,size=${size},uid=${owner.uid},gid=${owner.gid}`;
    mount({ source: 'shm', target: shm, type: 'tmpfs', flags: 2 | 4 | 8, data });
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
    // Nothing is below a file; and crun 1.8 opens as a folder what is to be read-only all the way down.
    const isFolder = statSync(source, { throwIfNoEntry: false })?.isDirectory() !== false;
    const isDeep = isFolder && !entry.nonRecursive && !entry.readOnlyNonRecursive;
    const access = entry.readOnly ? ['ro', ...(isDeep ? ['rro'] : [])] : ['rw'];
    return {
      destination: entry.destination,
      type: 'bind',
      source,
      options: [recursive, ...access, entry.propagation || 'rprivate'],
    };
  });
}

/** /etc/hostname, /etc/hosts and /etc/resolv.conf, written anew on each start, unless a volume is mounted there. */
function fileMounts(context: Context, record: ContainerRecord, network: NetworkSetup, owner: Owner): SpecMount[] {
  const shared = 'sharedWith' in network.files ? network.files.sharedWith : undefined;
  const directory = containerDirectory(context, shared ?? record.id);
  if ('hosts' in network.files) {
    const { hosts, resolvConf } = network.files;
    const contents = { hosts, 'resolv.conf': resolvConf, hostname: `${network.hostname}\n` };
    for (const [name, text] of Object.entries(contents)) {
      writeFileSync(join(directory, name), text, { mode: 0o644 });
      chownSync(join(directory, name), owner.uid, owner.gid);
    }
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

/** JSON with 64-bit numbers as they are. */
export function stringifySpec(spec: object): string {
  const json = JSON as unknown as { rawJSON(text: string): unknown };
  return JSON.stringify(spec, (_key, value: unknown) =>
    typeof value === 'bigint' ? json.rawJSON(value.toString()) : value,
  );
}
