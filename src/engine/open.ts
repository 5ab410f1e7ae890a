/** Wires every room; the only file that knows all implementations. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Builds, Engine } from '../api/index.ts';
import { LayerForms, openCacheTransfer, openExporter, openSources } from '../build/index.ts';
import {
  type ContainerRoom,
  hasBlockWeight,
  hasSwapLimit,
  logDrivers,
  openContainers,
  ownCapabilities,
  type Settings,
} from '../container/index.ts';
import { CdiDevices } from '../cdi/index.ts';
import { Bootstrap, fallingBack, thisHost } from '../bootstrap/index.ts';
import { openContent } from '../content/index.ts';
import { type ImageStore, openImages } from '../image/index.ts';
import { type CgroupLayout, cgroupLayout, hostId, privileges, removeEmptyCgroup, unmount } from '../linux/index.ts';
import { openNetworking } from '../network/index.ts';
import { openRegistry, type RegistryOptions } from '../registry/index.ts';
import { connectHostPorts } from '../rootless/index.ts';
import { detectRuntimes, findProgram, Runtime } from '../runtime/index.ts';
import { openSnapshots } from '../snapshot/index.ts';
import { Fault, KeyedMutex, type Logger, nowNanos, randomId, runProgram } from '../std/index.ts';
import { openVolumes } from '../volume/index.ts';
import { loadApparmor } from './apparmor.ts';
import { type Building, openBuilding, tellPrunes } from './building.ts';
import type { Config } from './config.ts';
import { DiskPressure } from './disk-pressure.ts';
import { cacheSpace, openBuilder } from './builder.ts';
import { Events } from './events.ts';
import { Metrics } from './metrics/metrics.ts';
import { timed } from './metrics/timed.ts';
import { openPullThrough } from './pull-through.ts';
import { resolveUsernsRemap } from './subordinate-ids.ts';
import { openSystem } from './system.ts';
import { Verification } from './verify.ts';
import { productVersion } from './version.ts';

export interface OpenEngine extends AsyncDisposable {
  engine: Engine;
  building: Building;
  /** Adopts running containers and starts those that should run. */
  resume(): Promise<void>;
  /** The machine goes down: containers are stopped in order, and come back with it. */
  halt(): Promise<void>;
  describe(): { runtime: string; cgroups: string };
}

/** @throws Fault unavailable when the host lacks something, naming the package */
export async function openEngine(config: Config, log: Logger): Promise<OpenEngine> {
  await using loans = new AsyncDisposableStack();
  for (const root of [config.dataRoot, config.execRoot]) mkdirSync(root, { recursive: true, mode: 0o711 });
  // Layers hold setuid programs: nobody but root may walk in, as with Docker's root.
  chmodSync(config.dataRoot, 0o710);
  refuseRootless(config);
  const idMapping = config.usernsRemap === undefined ? undefined : await resolveUsernsRemap(config.usernsRemap);
  // Whom containers run as may go through, not look.
  chownSync(config.dataRoot, 0, hostId(idMapping?.gids ?? [], 0) ?? 0);
  const warnings: string[] = [];
  const cgroups = cgroupLayout();
  const { all: runtimes, standard } = await detectRuntimes({
    cgroups,
    configured: config.runtimes,
    preferred: config.defaultRuntime,
  });
  const conmon = findProgram(config.conmon ?? 'conmon');
  if (conmon === undefined)
    throw new Fault(
      'unavailable',
      'Cannot run containers: the monitor conmon is not installed. Install it: apt-get install conmon',
    );
  const conmonVersion = /version\s+(\S+)/.exec((await runProgram(conmon, ['--version'])).stdout)?.[1] ?? 'unknown';
  const swapLimit = hasSwapLimit({ cgroups });
  warnings.push(...limitWarnings(cgroups, swapLimit));
  const apparmor = await loadApparmor(log);
  clearLeftovers(config);

  const events = new Events();
  const id = engineId(config.dataRoot);
  const content = await openContent({ root: join(config.dataRoot, 'content') });
  const snapshots = await openSnapshots({
    root: join(config.dataRoot, 'snapshots'),
    driver: config.storageDriver,
    log,
  });
  let pressure: DiskPressure | undefined;
  // Rooms below ask who uses what; containers, opened last, know.
  let room: ContainerRoom | undefined;
  const registryOptions: RegistryOptions = {
    insecureRegistries: config.insecureRegistries,
    mirrors: config.registryMirrors,
    certificateFolders: config.registryCertificates,
    proxies: config.proxies,
    transferAttempts: config.maxDownloadAttempts,
    env: process.env,
    log,
  };
  const mirror = await openPullThrough(config, { content, registryOptions, log });
  if (mirror !== undefined) loans.use(mirror);
  const registry = openRegistry(registryOptions);
  const store = await openImages({
    root: join(config.dataRoot, 'images'),
    content,
    snapshots,
    registry: mirror?.throughCache(registry) ?? registry,
    parallelDownloads: config.maxConcurrentDownloads,
    parallelUploads: config.maxConcurrentUploads,
    version: productVersion,
    uses: (imageId) => room?.imageUses(imageId) ?? [],
    emit: ({ action, id: ID, attributes }) => {
      events.emit({ Type: 'image', Action: action, Actor: { ID, Attributes: attributes } });
      if (action !== 'prune') pressure?.look();
    },
    log,
  });
  loans.use(store);
  const images: ImageStore = {
    ...store,
    pull: fallingBack((request, signal) => store.pull(request, signal), {
      bootstrap: () => bootstrap,
      always: config.bootstrap,
    }),
  };
  const volumes = await openVolumes({
    root: join(config.dataRoot),
    uses: (name) => room?.volumeUses(name) ?? [],
    trashMs: config.volumeTrashMs,
    emit: ({ action, id: ID, attributes }) =>
      events.emit({ Type: 'volume', Action: action, Actor: { ID, Attributes: attributes } }),
    logger: log,
  });
  loans.defer(() => volumes.close());
  const metrics = new Metrics();
  const hostPorts = config.rootless === undefined ? undefined : connectHostPorts(config.rootless);
  if (hostPorts !== undefined) loans.use(hostPorts);
  const networking = await openNetworking({
    root: join(config.dataRoot),
    runRoot: config.execRoot,
    bridge: config.bridge,
    bip: config.bip,
    bip6: config.bip6,
    fixedCidr: config.fixedCidr,
    defaultGateway: config.defaultGatewayIp,
    defaultGatewayV6: config.defaultGatewayIp6,
    driverDefaults: config.defaultNetworkOptions,
    directRouting: config.allowDirectRouting,
    addressPools: config.defaultAddressPools,
    tableName: tableName(config),
    defaultPublishAddress: config.publishAddress,
    respectHostFirewall: config.respectHostFirewall,
    dns: config.dns,
    dnsSearch: config.dnsSearch,
    dnsOptions: config.dnsOptions,
    hostGatewayIp: config.hostGatewayIp,
    mtu: config.mtu,
    ipv6: config.ipv6,
    fixedCidrV6: config.fixedCidrV6,
    icc: config.icc,
    userlandProxy: config.userlandProxy,
    hostPorts,
    emit: ({ action, id: ID, attributes }) =>
      events.emit({ Type: 'network', Action: action, Actor: { ID, Attributes: attributes } }),
    logger: log,
  });
  loans.defer(() => networking.close());

  const programs = new Map<string, Runtime>();
  const runtime = (name: string): Runtime => {
    const program = runtimes.get(name) ?? standard;
    let found = programs.get(program.name);
    if (found === undefined) {
      found = new Runtime({
        program,
        conmon,
        stateRoot: join(config.execRoot, 'runtime', program.name),
        exitDirectory: join(config.execRoot, 'exits'),
        temporary: temporaryFolder(config),
        cgroups,
        systemdCgroup: config.systemdCgroup,
      });
      programs.set(program.name, found);
    }
    return found;
  };
  if (!logDrivers.includes(config.logDriver))
    throw new Fault('invalid', `unknown log driver "${config.logDriver}"; known: ${logDrivers.join(', ')}`);
  const settings: Settings = {
    dataRoot: config.dataRoot,
    runRoot: config.execRoot,
    facts: {
      cgroupVersion: cgroups.version,
      controllers: new Set(cgroups.controllers),
      cpus: cpus().length,
      memory: totalmem(),
      swapLimit,
      blockWeight: hasBlockWeight({ cgroups }),
      runtimes: [...runtimes.keys()],
      defaultRuntime: standard.name,
      logDriver: config.logDriver,
      logOptions: config.logOptions,
      shmSize: config.shmSize,
      ipcMode: config.ipcMode,
      cgroupnsMode: config.cgroupnsMode,
      ulimits: config.ulimits,
      init: config.init,
      userNamespaces: idMapping !== undefined,
    },
    cgroups,
    cgroupParent:
      ownParent(config, cgroups) ??
      (config.systemdCgroup ? 'system.slice' : `${cgroups.delegated ?? ''}${cgroupParent(config)}`),
    systemdCgroup: config.systemdCgroup,
    heldCapabilities: ownCapabilities(),
    kernel: release(),
    initPath:
      config.initPath ??
      ['docker-init', 'tini-static', 'catatonit'].map((name) => findProgram(name)).find((path) => path !== undefined),
    restartUnhealthy: config.restartUnhealthy,
    dns: config.dns,
    dnsSearch: config.dnsSearch,
    dnsOptions: config.dnsOptions,
    noNewPrivileges: config.noNewPrivileges,
    idMapping,
    seccompProfile: config.seccompProfile,
    apparmor,
    stopTimeoutSeconds: 10,
    liveRestore: true,
  };
  const forms = new LayerForms();
  const builder = loans.use(
    await openBuilder({
      config,
      content,
      snapshots,
      images,
      steps: { settings, networking, runtime },
      sources: await openSources({
        root: join(config.dataRoot, 'build/sources'),
        http: (request, signal) => registry.get(request, signal),
        env: process.env,
        log,
        now: nowNanos,
      }),
      exporter: openExporter({
        folder: join(config.dataRoot, 'build/exports'),
        content,
        snapshots,
        images,
        forms,
        now: nowNanos,
      }),
      caches: openCacheTransfer({ content, snapshots, images, registry, forms, now: nowNanos }),
      log,
    }),
  );
  const devices = new CdiDevices(config.cdiSpecDirs);
  room = await openContainers({
    settings,
    log,
    snapshots,
    images,
    networking: timed(networking, { connect: 'allocate', closeSandbox: 'release' }, metrics.networkAction),
    volumes,
    devices,
    volumePath: (name) => join(config.dataRoot, 'volumes', name, '_data'),
    runtime,
    emit: (event) => events.emit(event),
    onProbe: metrics.probed,
  });
  const containers = room;
  if (config.cgroupParent === undefined && !config.systemdCgroup)
    loans.defer(() => removeEmptyCgroup(cgroups, settings.cgroupParent));
  loans.use(containers);
  await networking.restore(containers.running());
  await images.collect();
  if (config.imageGc !== undefined) {
    pressure = new DiskPressure({
      dataRoot: config.dataRoot,
      marks: config.imageGc,
      sources: [cacheSpace(builder), images],
      log,
    });
    loans.use(pressure);
    pressure.look();
  }

  const builds: Builds = tellPrunes(
    builder,
    (event) => events.emit(event),
    (options) => building.freeTrees(options),
  );
  const building = openBuilding({
    builds,
    dataRoot: config.dataRoot,
    execRoot: config.execRoot,
    id,
    hostGateway: networking.hostGateway(),
  });
  loans.use(building);

  const bootstrap = new Bootstrap({
    root: join(config.dataRoot, 'bootstrap'),
    images,
    builds,
    host: thisHost(),
    now: () => new Date(),
  });

  const lock = new KeyedMutex();
  const engine: Engine = {
    containers: timed(containers.containers, timedActions, metrics.containerAction),
    execs: containers.execs,
    images,
    networks: {
      list: (filters) => networking.list(filters),
      inspect: (ref) => networking.inspect(ref),
      create: (body) => lock.run('network', () => networking.create(body)),
      connect: (ref, containerRef, endpoint) => containers.connect(ref, containerRef, endpoint),
      disconnect: (ref, containerRef, { force }) => containers.disconnect(ref, containerRef, force),
      remove: (ref) => lock.run('network', () => networking.remove(ref)),
      prune: (filters) => lock.run('network', () => networking.prune(filters)),
    },
    volumes: {
      list: (filters) => volumes.list(filters),
      inspect: (name) => volumes.inspect(name),
      create: (body) => volumes.create(body),
      remove: (name, options) => volumes.remove(name, options),
      rename: (name, to) => volumes.rename(name, to),
      trash: () => volumes.trash(),
      restore: (name) => volumes.restoreFromTrash(name),
      prune: (filters, options) => volumes.prune(filters, options),
    },
    builds,
    baseImages: bootstrap,
    system: openSystem({
      config,
      id,
      cgroups,
      cgroupDriver: !cgroups.usable ? 'none' : config.systemdCgroup ? 'systemd' : 'cgroupfs',
      runtimes,
      standardRuntime: standard,
      conmonVersion,
      swapLimit,
      apparmor,
      room: containers,
      images,
      volumes,
      devices,
      builds,
      events,
      warnings,
      space: { dataRoot: config.dataRoot, content, snapshots, images, builder, room: containers, volumes, mirror },
      verification: new Verification({
        dataRoot: config.dataRoot,
        images,
        builder,
        room: containers,
        volumes,
        networking,
        log,
      }),
      notices: () => mirror?.notices() ?? [],
      metrics,
      networks: async () => (await networking.list(new Map())).length,
    }),
  };
  await mirror?.start();
  const kept = loans.move();
  return {
    engine,
    building,
    resume: () => containers.resume(),
    halt: () => containers.halt(config.shutdownTimeout),
    describe: () => ({ runtime: `${standard.name} ${standard.version}`, cgroups: `v${cgroups.version}` }),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** What Docker's own timers call them, and two more. */
const timedActions = {
  changes: 'changes',
  commit: 'commit',
  create: 'create',
  remove: 'delete',
  restart: 'restart',
  start: 'start',
  stop: 'stop',
} as const;

/** What rootless cannot be. @throws Fault invalid */
function refuseRootless({ usernsRemap, systemdCgroup }: Config): void {
  if (!privileges().inUserNamespace) return;
  if (usernsRemap !== undefined)
    throw new Fault(
      'invalid',
      'Cannot use userns-remap in rootless mode: containers run as ids of an ordinary user already. Take the setting away',
    );
  if (systemdCgroup)
    throw new Fault(
      'invalid',
      'Cannot use the cgroup driver systemd in rootless mode. Take native.cgroupdriver=systemd away: the control group that systemd delegates is used as it is',
    );
}

/** The parent that was configured: rootless, below what was delegated. */
function ownParent({ cgroupParent }: Config, { delegated }: CgroupLayout): string | undefined {
  return cgroupParent === undefined || delegated === undefined
    ? cgroupParent
    : join(delegated, join('/', cgroupParent));
}

/** As Docker's `info` warns of limits that cannot be set. */
function limitWarnings(cgroups: CgroupLayout, swapLimit: boolean): string[] {
  if (!cgroups.usable) {
    const how =
      cgroups.version === 2
        ? 'Systemd is required to enable cgroups in rootless-mode.'
        : 'To enable cgroups in rootless-mode, you need to boot the system in cgroup v2 mode.';
    return [`WARNING: Running in rootless-mode without cgroups. ${how}`];
  }
  if (cgroups.delegated === undefined) return swapLimit ? [] : ['WARNING: No swap limit support'];
  const missing = (controller: string, ...what: string[]): string[] =>
    cgroups.controllers.includes(controller) ? [] : what.map((each) => `WARNING: No ${each} support`);
  return [
    ...missing('memory', 'memory limit', 'swap limit'),
    ...missing('cpu', 'cpu cfs quota', 'cpu cfs period', 'cpu shares'),
    ...missing('cpuset', 'cpuset'),
    ...missing('pids', 'pids limit'),
    ...missing(
      'io',
      'io.weight',
      'io.weight (per device)',
      'io.max (rbps)',
      'io.max (wbps)',
      'io.max (riops)',
      'io.max (wiops)',
    ),
  ];
}

/** One nft table a daemon: the default data root has the plain name. */
function tableName(config: Config): string {
  return config.dataRoot === '/var/lib/wherry' ? 'wherry' : `wherry_${hash(config.dataRoot)}`;
}

/** One cgroup parent a daemon, so that daemons side by side leave each other's alone. */
function cgroupParent(config: Config): string {
  return config.dataRoot === '/var/lib/wherry' ? '/wherry' : `/wherry-${hash(config.dataRoot)}`;
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

/** The engine's identity, made once. */
function engineId(dataRoot: string): string {
  const file = join(dataRoot, 'engine-id');
  if (existsSync(file)) return readFileSync(file, 'utf8').trim();
  const hex = randomId();
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  writeFileSync(file, `${id}\n`);
  return id;
}

/** Temporary roots of a `cp` that a crash cut short. */
const temporaryFolder = (config: Config): string => join(config.execRoot, 'tmp');

function clearLeftovers(config: Config): void {
  const temporary = temporaryFolder(config);
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(temporary)) {
    const path = join(temporary, name);
    // A monitor of the last daemon may be about to start its container.
    if (Date.now() - lstatSync(path).mtimeMs > 60_000) rmSync(path, { recursive: true, force: true });
  }
  const roots = join(config.execRoot, 'roots');
  if (!existsSync(roots)) return;
  for (const name of readdirSync(roots)) {
    unmount(join(roots, name));
    rmdirSync(join(roots, name));
  }
}
