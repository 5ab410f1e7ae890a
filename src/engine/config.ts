/** The daemon's settings: dockerd's own flags and daemon.json keys, resolved once into values with nothing left open. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type MirrorSettings, resolveMirror } from '../mirror/index.ts';
import { proxiesOf } from '../registry/index.ts';
import {
  errorCode,
  Fault,
  type LogLevel,
  parseBytes,
  parseGoDuration,
  rootlessVariable,
  type UserFolders,
  userFolders,
} from '../std/index.ts';
import { type GcMarks, parseGcMarks } from './disk-pressure.ts';
import { checkMirror } from './mirror.ts';

export interface ListenSetting {
  /** As written: unix:///run/x.sock, tcp://127.0.0.1:2376, fd:// */
  url: string;
  readOnly: boolean;
  project: string | undefined;
}

export interface Config {
  hosts: ListenSetting[];
  group: string;
  dataRoot: string;
  execRoot: string;
  /** The folder through which a user's daemon talks with the host; undefined for root's. */
  rootless: string | undefined;
  pidfile: string;
  bridge: string;
  bip: string | undefined;
  bip6: string | undefined;
  fixedCidr: string | undefined;
  fixedCidrV6: string | undefined;
  ipv6: boolean;
  defaultAddressPools: { base: string; size: number }[] | undefined;
  defaultGatewayIp: string | undefined;
  defaultGatewayIp6: string | undefined;
  /** By driver. */
  defaultNetworkOptions: Record<string, Record<string, string>>;
  allowDirectRouting: boolean;
  publishAddress: string;
  hostGatewayIp: string | undefined;
  icc: boolean;
  userlandProxy: boolean;
  mtu: number;
  respectHostFirewall: boolean;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  registryMirrors: string[];
  insecureRegistries: string[];
  /** Folders in the layout of /etc/docker/certs.d. */
  registryCertificates: string[];
  /** What this machine offers to others; undefined: nothing. */
  pullThroughCache: MirrorSettings | undefined;
  proxies: { httpProxy: string; httpsProxy: string; noProxy: string };
  logLevel: LogLevel;
  debug: boolean;
  logFormat: 'text' | 'json';
  logDriver: string;
  logOptions: Record<string, string>;
  tls: boolean;
  tlsVerify: boolean;
  tlsCaCert: string;
  tlsCert: string;
  tlsKey: string;
  defaultRuntime: string | undefined;
  runtimes: Record<string, { path?: string; runtimeArgs?: string[] }>;
  cgroupParent: string | undefined;
  systemdCgroup: boolean;
  cgroupnsMode: string | undefined;
  /** Folders of CDI specifications; later ones win. Empty: switched off. */
  cdiSpecDirs: string[];
  /** Only "fuse-overlayfs" says anything, and only rootless. */
  storageDriver: string | undefined;
  ipcMode: string;
  shmSize: number;
  ulimits: { Name: string; Hard: number; Soft: number }[];
  init: boolean;
  initPath: string | undefined;
  noNewPrivileges: boolean;
  usernsRemap: string | undefined;
  seccompProfile: string | undefined;
  labels: string[];
  shutdownTimeout: number;
  /** Infinity: as many as there are. */
  maxConcurrentDownloads: number;
  maxConcurrentUploads: number;
  maxDownloadAttempts: number;
  liveRestore: boolean;
  /** Wherry's own. */
  restartUnhealthy: boolean;
  volumeTrashMs: number;
  /** Whether base images are made here when no registry can be reached. */
  bootstrap: boolean;
  /** When images are freed unasked; undefined: never. */
  imageGc: GcMarks | undefined;
  /** `builder` of daemon.json: what becomes of the build cache. */
  builder: unknown;
  conmon: string | undefined;
  /** Where `/metrics` is served and nothing else; undefined: nowhere but on the API's own sockets. */
  metricsAddress: { host: string; port: number } | undefined;
}

type Kind = 'string' | 'boolean' | 'list' | 'map' | 'number';
interface Option {
  kind: Kind;
  /** The key in daemon.json when it is not the flag's name. */
  key?: string;
  short?: string;
  help: string;
  /** Accepted for dockerd's sake, without effect here; the text says why. */
  ignored?: true;
}

/** dockerd's flags (and Wherry's few). `default-address-pool`, `runtimes` and the like have richer forms in daemon.json. */
export const daemonOptions: Record<string, Option> = {
  host: { kind: 'list', key: 'hosts', short: 'H', help: 'Daemon socket(s) to connect to (unix://, tcp://, fd://)' },
  'config-file': {
    kind: 'string',
    help: 'Daemon configuration file (default "/etc/docker/daemon.json" for dockerd\'s name, "/etc/wherry/daemon.json" else)',
  },
  'data-root': { kind: 'string', short: 'g', help: 'Root directory of persistent state (default "/var/lib/wherry")' },
  'exec-root': { kind: 'string', help: 'Root directory of volatile state (default "/run/wherry")' },
  pidfile: { kind: 'string', short: 'p', help: 'Path to use for daemon PID file (default "<exec-root>/wherryd.pid")' },
  group: { kind: 'string', short: 'G', help: 'Group for the unix socket (default "docker")' },
  bridge: { kind: 'string', short: 'b', help: 'Name of the default bridge, or "none" (default "wherry0")' },
  bip: { kind: 'string', help: 'Address and prefix of the default bridge (e.g. 172.30.0.1/24)' },
  bip6: { kind: 'string', help: 'The same for IPv6 (e.g. fd00:30::1/64)' },
  'fixed-cidr': { kind: 'string', help: 'IPv4 range for containers of the default bridge' },
  'fixed-cidr-v6': { kind: 'string', help: 'IPv6 range (without --bip6: subnet) of the default bridge' },
  ipv6: { kind: 'boolean', help: 'Enable IPv6 on the default bridge' },
  'default-address-pool': {
    kind: 'list',
    key: 'default-address-pools',
    help: 'Pools for networks (base=10.0.0.0/8,size=26)',
  },
  'default-gateway': {
    kind: 'string',
    help: "Another machine of the default bridge's subnet that its containers send through (default: the bridge)",
  },
  'default-gateway-v6': { kind: 'string', help: 'The same for IPv6' },
  'default-network-opt': {
    kind: 'list',
    key: 'default-network-opts',
    help: 'Options of networks that are made, by driver (bridge=com.docker.network.driver.mtu=1400)',
  },
  'allow-direct-routing': {
    kind: 'boolean',
    help: "Let other machines reach published ports at the containers' own addresses, too",
  },
  'ip-forward-no-drop': {
    kind: 'boolean',
    help: 'Accepted; Wherry never drops what is not for containers',
    ignored: true,
  },
  ip: { kind: 'string', help: 'Host address for ports published without one (default "0.0.0.0")' },
  'host-gateway-ip': {
    kind: 'list',
    key: 'host-gateway-ips',
    help: 'Address that host-gateway in --add-host stands for (of several the first)',
  },
  icc: { kind: 'boolean', help: 'Containers of the default bridge may talk to each other (default true)' },
  iptables: { kind: 'boolean', help: 'Accepted; Wherry keeps its rules in one nft table', ignored: true },
  ip6tables: { kind: 'boolean', help: 'Accepted; see --iptables', ignored: true },
  'ip-forward': { kind: 'boolean', help: 'Accepted; forwarding is switched on when a bridge needs it', ignored: true },
  'ip-masq': {
    kind: 'boolean',
    help: 'Accepted; set per network by com.docker.network.bridge.enable_ip_masquerade',
    ignored: true,
  },
  'userland-proxy': {
    kind: 'boolean',
    help: 'Serve published ports on loopback where the kernel cannot (default true)',
  },
  'userland-proxy-path': { kind: 'string', help: 'Accepted; the proxy is part of the daemon', ignored: true },
  'firewall-backend': { kind: 'string', help: 'Accepted; always nftables', ignored: true },
  mtu: { kind: 'number', help: 'MTU of container networks (default 1500)' },
  dns: { kind: 'list', help: 'DNS servers for containers' },
  'dns-search': { kind: 'list', help: 'DNS search domains for containers' },
  'dns-opt': { kind: 'list', key: 'dns-opts', help: 'DNS options for containers' },
  'registry-mirror': {
    kind: 'list',
    key: 'registry-mirrors',
    help: 'Mirror to ask before Docker Hub (URL) or before another registry (REGISTRY=URL)',
  },
  'insecure-registry': {
    kind: 'list',
    key: 'insecure-registries',
    help: 'Registries (host or CIDR) that may be spoken to without TLS',
  },
  'registry-certs': {
    kind: 'list',
    help: 'Folder with certificates for registries (default "/etc/wherry/certs.d" and "/etc/docker/certs.d")',
  },
  'pull-through-cache': {
    kind: 'string',
    help: 'Let other machines pull through this one ([IP:]PORT; a port alone: of 127.0.0.1; default: off)',
  },
  'pull-through-cache-upstream': {
    kind: 'list',
    key: 'pull-through-cache-upstreams',
    help: 'Registry that the cache serves (default "docker.io")',
  },
  'pull-through-cache-client': {
    kind: 'list',
    key: 'pull-through-cache-clients',
    help: 'Network or address whose clients the cache answers (default: loopback and private networks)',
  },
  'pull-through-cache-cert': { kind: 'string', help: 'TLS certificate file of the cache (default: plain HTTP)' },
  'pull-through-cache-key': { kind: 'string', help: 'TLS key file of the cache' },
  'pull-through-cache-credentials': {
    kind: 'string',
    help: 'File of credentials for upstreams, as docker login writes it, that only root may read (default: none)',
  },
  'pull-through-cache-size': { kind: 'string', help: 'Bytes the cache keeps at most (default "10GB")' },
  'pull-through-cache-age': {
    kind: 'string',
    help: 'How long the cache keeps what nobody asks for (default "720h"; 0: while there is room)',
  },
  'http-proxy': { kind: 'string', help: 'Proxy for http registries (default: HTTP_PROXY)' },
  'https-proxy': { kind: 'string', help: 'Proxy for https registries (default: HTTPS_PROXY)' },
  'no-proxy': { kind: 'string', help: 'Hosts and networks to reach without a proxy (default: NO_PROXY)' },
  'log-level': { kind: 'string', short: 'l', help: 'debug, info, warn, error or fatal (default "info")' },
  debug: { kind: 'boolean', short: 'D', help: 'Log at level debug' },
  'log-format': { kind: 'string', help: 'text or json (default "text")' },
  'log-driver': { kind: 'string', help: 'Default log driver of containers (default "json-file")' },
  'log-opt': { kind: 'map', key: 'log-opts', help: 'Default log driver options' },
  tls: { kind: 'boolean', help: 'Use TLS; implied by --tlsverify' },
  tlsverify: { kind: 'boolean', help: 'Use TLS and verify the client' },
  tlscacert: { kind: 'string', help: 'Trust only clients with certificates of this CA' },
  tlscert: { kind: 'string', help: 'TLS certificate file' },
  tlskey: { kind: 'string', help: 'TLS key file' },
  'default-runtime': { kind: 'string', help: 'OCI runtime of containers that name none (default: crun, else runc)' },
  'add-runtime': { kind: 'list', key: 'runtimes', help: 'Register an OCI runtime (name=path)' },
  'cgroup-parent': { kind: 'string', help: 'Parent cgroup of containers (default "/wherry")' },
  'exec-opt': { kind: 'list', key: 'exec-opts', help: 'native.cgroupdriver=cgroupfs|systemd' },
  'default-cgroupns-mode': { kind: 'string', help: 'host or private' },
  'default-ipc-mode': { kind: 'string', help: 'private or shareable (default "private")' },
  'default-shm-size': { kind: 'string', help: 'Size of /dev/shm (default 64MiB)' },
  'default-ulimit': { kind: 'list', key: 'default-ulimits', help: 'Default ulimits (name=soft:hard)' },
  init: { kind: 'boolean', help: 'Run an init in every container' },
  'init-path': { kind: 'string', help: 'Path of the init program' },
  'no-new-privileges': { kind: 'boolean', help: 'Set no-new-privileges by default' },
  'userns-remap': {
    kind: 'string',
    help: 'Containers run as subordinate ids of this user[:group], or "default" (dockremap)',
  },
  'seccomp-profile': { kind: 'string', help: 'Path of the default seccomp profile, or "unconfined"' },
  label: { kind: 'list', key: 'labels', help: 'Labels of the daemon (shown by info)' },
  'shutdown-timeout': { kind: 'number', help: 'Seconds that containers get to stop (default 15)' },
  'max-concurrent-downloads': { kind: 'number', help: 'Layers fetched at once (default 3; 0: no limit)' },
  'max-concurrent-uploads': { kind: 'number', help: 'Layers sent at once per push (default 5; 0: no limit)' },
  'max-download-attempts': {
    kind: 'number',
    help: 'Tries in a row that bring a transfer no further before it fails (default 5)',
  },
  'live-restore': { kind: 'boolean', help: 'Accepted: containers always outlive the daemon' },
  'cdi-spec-dir': {
    kind: 'list',
    key: 'cdi-spec-dirs',
    help: 'Folder of CDI specifications, which describe GPUs and other devices (default "/etc/cdi" and "/var/run/cdi")',
  },
  'storage-driver': {
    kind: 'string',
    short: 's',
    help: 'Rootless: fuse-overlayfs, also where the kernel could; else always overlay',
  },
  'storage-opt': { kind: 'list', key: 'storage-opts', help: 'Accepted', ignored: true },
  'selinux-enabled': { kind: 'boolean', help: 'Accepted', ignored: true },
  containerd: { kind: 'string', help: 'Accepted: Wherry has no containerd', ignored: true },
  'containerd-namespace': { kind: 'string', help: 'Accepted', ignored: true },
  'metrics-addr': {
    kind: 'string',
    help: 'Serve metrics for Prometheus at http://IP:PORT/metrics (e.g. 127.0.0.1:9323; default: off)',
  },
  'authorization-plugin': {
    kind: 'list',
    key: 'authorization-plugins',
    help: 'Refused: Wherry has no plugins; see --read-only-socket and --project-socket',
  },
  'node-generic-resource': { kind: 'list', key: 'node-generic-resources', help: 'Accepted; for swarm', ignored: true },
  'swarm-default-advertise-addr': { kind: 'string', help: 'Accepted; for swarm', ignored: true },
  'network-control-plane-mtu': { kind: 'number', help: 'Accepted; for swarm', ignored: true },
  'network-diagnostic-port': { kind: 'number', help: 'Accepted', ignored: true },
  'cpu-rt-period': { kind: 'number', help: 'Accepted; set per container', ignored: true },
  'cpu-rt-runtime': { kind: 'number', help: 'Accepted; set per container', ignored: true },
  'cri-containerd': { kind: 'boolean', help: 'Accepted', ignored: true },
  'containerd-plugins-namespace': {
    kind: 'string',
    key: 'containerd-plugin-namespace',
    help: 'Accepted',
    ignored: true,
  },
  'raw-logs': { kind: 'boolean', help: 'Accepted: logs have no colours', ignored: true },
  'deprecated-key-path': { kind: 'string', help: 'Accepted', ignored: true },
  rootless: { kind: 'boolean', help: 'Accepted: so is whoever is not root', ignored: true },
  experimental: { kind: 'boolean', help: 'Accepted', ignored: true },
  feature: {
    kind: 'map',
    key: 'features',
    help: 'cdi=false switches devices by name off; all else is accepted',
  },
  builder: {
    kind: 'map',
    help: 'Garbage collection of the build cache (daemon.json: {"gc": {"defaultKeepStorage": "20GB"}})',
  },
  'restart-unhealthy': {
    kind: 'boolean',
    help: 'Restart unhealthy containers of policy always or unless-stopped for every client',
  },
  'respect-host-firewall': { kind: 'boolean', help: "Leave published ports to the host firewall's input rules" },
  'volume-trash': {
    kind: 'string',
    help: 'How long removed volumes can be brought back (default "24h"; 0 removes at once)',
  },
  bootstrap: {
    kind: 'boolean',
    help: "Make base images (debian, busybox, node, postgres) from this machine's own package sources when their registry cannot be reached",
  },
  'image-gc': {
    kind: 'map',
    help: 'Free build cache and image data that can be had again when the data root is fuller than high, until low (high=85%, low=75%; or bytes left: high=5GB, low=20GB; off by default)',
  },
  'read-only-socket': {
    kind: 'list',
    key: 'read-only-sockets',
    help: 'Another socket, on which nothing can be changed (path)',
  },
  'project-socket': {
    kind: 'list',
    key: 'project-sockets',
    help: 'Another socket, for one compose project (project=path)',
  },
  conmon: { kind: 'string', help: 'Path of the container monitor' },
};

const certificateFolders = ['/etc/wherry/certs.d', '/etc/docker/certs.d'];

type Values = Record<string, string | boolean | string[] | Record<string, string> | undefined>;

/** Reads dockerd's command line. @throws Fault invalid naming the flag */
export function parseDaemonFlags(args: readonly string[]): {
  values: Values;
  help: boolean;
  version: boolean;
  validate: boolean;
} {
  const values: Values = {};
  const shorts = new Map(
    Object.entries(daemonOptions).flatMap(([name, { short }]) => (short === undefined ? [] : [[short, name]])),
  );
  let [help, version, validate] = [false, false, false];
  const queue = [...args];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--help' || word === '-h') help = true;
    else if (word === '--version' || word === '-v') version = true;
    else if (word === '--validate') validate = true;
    else {
      const long = /^--([a-z0-9-]+)(?:=([\s\S]*))?$/.exec(word);
      const short = /^-([A-Za-z])(?:=?([\s\S]+))?$/.exec(word);
      const name = long === null ? shorts.get(short?.[1] ?? '') : long[1];
      const option = name === undefined ? undefined : daemonOptions[name];
      if (name === undefined || option === undefined)
        throw new Fault('invalid', word.startsWith('-') ? `unknown flag: ${word}` : `accepts no arguments: ${word}`);
      let value = long === null ? short?.[2] : long[2];
      if (value === undefined && option.kind === 'boolean') value = 'true';
      value ??= queue.shift();
      if (value === undefined) throw new Fault('invalid', `flag needs an argument: ${word}`);
      setValue(values, name, option.kind, value);
    }
  }
  return { values, help, version, validate };
}

function setValue(values: Values, name: string, kind: Kind, value: string): void {
  switch (kind) {
    case 'boolean':
      if (!/^(true|false|1|0|t|f)$/i.test(value))
        throw new Fault('invalid', `invalid argument "${value}" for "--${name}" flag: parse error`);
      values[name] = /^(true|1|t)$/i.test(value);
      return;
    case 'list':
      values[name] = [...((values[name] as string[] | undefined) ?? []), value];
      return;
    case 'map': {
      const equals = value.indexOf('=');
      values[name] = {
        ...(values[name] as Record<string, string> | undefined),
        [value.slice(0, equals < 0 ? undefined : equals)]: equals < 0 ? '' : value.slice(equals + 1),
      };
      return;
    }
    case 'number':
      if (!/^-?\d+$/.test(value))
        throw new Fault('invalid', `invalid argument "${value}" for "--${name}" flag: parse error`);
      values[name] = value;
      return;
    case 'string':
      values[name] = value;
  }
}

type Json = Record<string, unknown>;

/** daemon.json. A missing default file is an empty one. @throws Fault invalid with file and reason */
function readConfigFile(path: string, explicit: boolean): Json {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' && !explicit) return {};
    throw new Fault('invalid', `unable to configure the daemon with file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.trim() === '' ? '{}' : text);
  } catch (error) {
    throw new Fault('invalid', `unable to configure the daemon with file ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new Fault('invalid', `unable to configure the daemon with file ${path}: not an object`);
  return parsed as Json;
}

/** daemon.json keeps under "proxies" what are flags of their own. */
function flatten({ proxies = {}, ...rest }: Json): Json {
  const plain = typeof proxies === 'object' && proxies !== null && !Array.isArray(proxies);
  return plain ? { ...rest, ...(proxies as Json) } : { ...rest, proxies };
}

/** Flags over daemon.json over defaults. The same key in both is refused, as dockerd does. @throws Fault invalid */
export function resolveConfig(args: readonly string[], environment: NodeJS.ProcessEnv): Config {
  const { values } = parseDaemonFlags(args);
  const configFile = values['config-file'] as string | undefined;
  const standardFile = ownFolders(environment)?.config;
  const file = flatten(
    readConfigFile(configFile ?? join(standardFile ?? '/etc/wherry', 'daemon.json'), configFile !== undefined),
  );
  const known = new Map(Object.entries(daemonOptions).map(([name, option]) => [option.key ?? name, name]));
  const unknown = Object.keys(file).filter((key) => !known.has(key) && !(key in daemonOptions));
  if (unknown.length > 0) {
    throw new Fault(
      'invalid',
      `unable to configure the daemon with file ${configFile}: the following directives don't match any configuration option: ${unknown.join(', ')}`,
    );
  }
  const merged: Json = {};
  for (const [key, value] of Object.entries(file)) {
    const name = known.get(key) ?? key;
    const option = daemonOptions[name]!;
    if (values[name] !== undefined && option.kind !== 'list' && option.kind !== 'map') {
      throw new Fault(
        'invalid',
        `unable to configure the daemon with file ${configFile}: the following directives are specified both as a flag and in the configuration file: ${key}: (from flag: ${JSON.stringify(values[name])}, from file: ${JSON.stringify(value)})`,
      );
    }
    checkKind(key, option.kind, value, configFile);
    merged[name] = value;
  }
  for (const [name, value] of Object.entries(values)) {
    const option = daemonOptions[name]!;
    if (option.kind === 'list' && Array.isArray(merged[name]) && Array.isArray(value))
      merged[name] = [...(merged[name] as unknown[]), ...value];
    else if (option.kind === 'map' && typeof merged[name] === 'object')
      merged[name] = { ...(merged[name] as object), ...(value as object) };
    else merged[name] = value;
  }
  return settle(merged, environment);
}

function checkKind(key: string, kind: Kind, value: unknown, file: string | undefined): void {
  const wrong = (wanted: string): Fault =>
    new Fault('invalid', `unable to configure the daemon with file ${file ?? ''}: "${key}" must be ${wanted}`);
  if (kind === 'boolean' && typeof value !== 'boolean') throw wrong('true or false');
  if (kind === 'string' && typeof value !== 'string' && typeof value !== 'number') throw wrong('a string');
  if (kind === 'number' && typeof value !== 'number') throw wrong('a number');
  if (kind === 'map' && (typeof value !== 'object' || value === null || Array.isArray(value))) throw wrong('an object');
}

/** Of an ordinary user, or of root in a user's namespaces; undefined for the machine's root. */
function ownFolders(environment: NodeJS.ProcessEnv): UserFolders | undefined {
  const isRoot = process.getuid?.() === 0 && !environment[rootlessVariable];
  return isRoot ? undefined : userFolders(environment);
}

function settle(values: Json, environment: NodeJS.ProcessEnv): Config {
  const text = (name: string, standard: string): string =>
    values[name] === undefined ? standard : words(values[name]);
  const optional = (name: string): string | undefined =>
    values[name] === undefined || values[name] === '' ? undefined : words(values[name]);
  const flag = (name: string, standard: boolean): boolean =>
    values[name] === undefined ? standard : values[name] === true;
  const list = (name: string): string[] => {
    const value = values[name];
    return value === undefined ? [] : Array.isArray(value) ? value.map(words) : [words(value)];
  };
  const whole = (name: string, standard: number): number =>
    values[name] === undefined ? standard : Number(values[name]);
  // Started without them, requests would pass that somebody meant to be checked.
  if (list('authorization-plugin').some((name) => name !== ''))
    throw new Fault(
      'invalid',
      'authorization plugins cannot be had: leave out "authorization-plugins", and give those whom they held back a socket of their own (--read-only-socket, --project-socket)',
    );
  const own = ownFolders(environment);
  const execRoot = text('exec-root', own?.run ?? '/run/wherry');
  const level = flag('debug', false) ? 'debug' : text('log-level', 'info').replace('warning', 'warn');
  if (!['debug', 'info', 'warn', 'error', 'fatal'].includes(level))
    throw new Fault('invalid', `invalid logging level: ${level}`);
  const format = text('log-format', 'text');
  if (format !== 'text' && format !== 'json') throw new Fault('invalid', `invalid log format: ${format}`);
  const hosts = list('host').map((url): ListenSetting => ({ url, readOnly: false, project: undefined }));
  if (hosts.length === 0)
    hosts.push({
      url: environment['LISTEN_FDS'] === undefined ? `unix://${execRoot}/wherry.sock` : 'fd://',
      readOnly: false,
      project: undefined,
    });
  for (const path of list('read-only-socket'))
    hosts.push({ url: path.includes('://') ? path : `unix://${path}`, readOnly: true, project: undefined });
  for (const pair of list('project-socket')) {
    const [project = '', path = ''] = pair.split(/=(.*)/s);
    if (project === '' || path === '')
      throw new Fault('invalid', `invalid --project-socket "${pair}": wanted project=path`);
    hosts.push({ url: path.includes('://') ? path : `unix://${path}`, readOnly: false, project });
  }
  const shm = parseBytes(text('default-shm-size', '64m'));
  if (shm === undefined) throw new Fault('invalid', `invalid default-shm-size: ${text('default-shm-size', '')}`);
  const trash = parseGoDuration(text('volume-trash', '24h'));
  if (trash === undefined || trash < 0)
    throw new Fault('invalid', `invalid volume-trash: "${text('volume-trash', '')}"; wanted a duration such as 24h`);
  const atOnce = (what: string, standard: number): number => {
    const count = whole(what.replaceAll(' ', '-'), standard);
    if (count < 0) throw new Fault('invalid', `invalid ${what}: ${count}`);
    return count === 0 ? Infinity : count;
  };
  const attempts = whole('max-download-attempts', 5);
  if (attempts <= 0) throw new Fault('invalid', `invalid max download attempts: ${attempts}`);
  const environmentProxies = proxiesOf(environment);
  const seccomp = optional('seccomp-profile');
  const tls = flag('tls', false) || flag('tlsverify', false);
  return {
    hosts,
    group: text('group', own === undefined ? 'docker' : ''),
    dataRoot: text('data-root', own?.data ?? '/var/lib/wherry'),
    rootless: environment[rootlessVariable] || undefined,
    execRoot,
    pidfile: text('pidfile', `${execRoot}/wherryd.pid`),
    bridge: text('bridge', 'wherry0'),
    bip: optional('bip'),
    bip6: optional('bip6'),
    fixedCidr: optional('fixed-cidr'),
    fixedCidrV6: optional('fixed-cidr-v6'),
    ipv6: flag('ipv6', false),
    defaultAddressPools: addressPools(values['default-address-pool']),
    defaultGatewayIp: optional('default-gateway'),
    defaultGatewayIp6: optional('default-gateway-v6'),
    defaultNetworkOptions: networkOptions(values['default-network-opt']),
    allowDirectRouting: flag('allow-direct-routing', false),
    publishAddress: text('ip', ''),
    hostGatewayIp: list('host-gateway-ip').find((address) => address !== ''),
    icc: flag('icc', true),
    userlandProxy: flag('userland-proxy', true),
    mtu: whole('mtu', 1500) || 1500,
    respectHostFirewall: flag('respect-host-firewall', false),
    dns: list('dns'),
    dnsSearch: list('dns-search'),
    dnsOptions: list('dns-opt'),
    registryMirrors: list('registry-mirror').map(checkMirror),
    insecureRegistries: list('insecure-registry'),
    registryCertificates: values['registry-certs'] === undefined ? certificateFolders : list('registry-certs'),
    pullThroughCache: resolveMirror({
      address: optional('pull-through-cache'),
      certificate: optional('pull-through-cache-cert'),
      key: optional('pull-through-cache-key'),
      upstreams: list('pull-through-cache-upstream'),
      clients: list('pull-through-cache-client'),
      credentials: optional('pull-through-cache-credentials'),
      size: optional('pull-through-cache-size'),
      age: optional('pull-through-cache-age'),
    }),
    proxies: {
      httpProxy: optional('http-proxy') ?? environmentProxies.httpProxy,
      httpsProxy: optional('https-proxy') ?? environmentProxies.httpsProxy,
      noProxy: optional('no-proxy') ?? environmentProxies.noProxy,
    },
    logLevel: level as LogLevel,
    debug: flag('debug', false),
    logFormat: format,
    logDriver: text('log-driver', 'json-file'),
    logOptions: (values['log-opt'] as Record<string, string> | undefined) ?? {},
    tls,
    tlsVerify: flag('tlsverify', false),
    tlsCaCert: text('tlscacert', `${environment['HOME'] ?? '/root'}/.docker/ca.pem`),
    tlsCert: text('tlscert', `${environment['HOME'] ?? '/root'}/.docker/cert.pem`),
    tlsKey: text('tlskey', `${environment['HOME'] ?? '/root'}/.docker/key.pem`),
    defaultRuntime: optional('default-runtime'),
    runtimes: runtimes(values['add-runtime']),
    cgroupParent: optional('cgroup-parent'),
    systemdCgroup: list('exec-opt').includes('native.cgroupdriver=systemd'),
    cgroupnsMode: optional('default-cgroupns-mode'),
    cdiSpecDirs: cdiSpecDirs(list('cdi-spec-dir'), values['feature'], own),
    storageDriver: optional('storage-driver'),
    ipcMode: text('default-ipc-mode', 'private'),
    shmSize: shm,
    ulimits: ulimits(values['default-ulimit']),
    init: flag('init', false),
    initPath: optional('init-path'),
    noNewPrivileges: flag('no-new-privileges', false),
    usernsRemap: optional('userns-remap'),
    seccompProfile:
      seccomp === undefined || seccomp === 'builtin'
        ? undefined
        : seccomp === 'unconfined'
          ? seccomp
          : readProfile(seccomp),
    labels: list('label'),
    shutdownTimeout: whole('shutdown-timeout', 15),
    maxConcurrentDownloads: atOnce('max concurrent downloads', 3),
    maxConcurrentUploads: atOnce('max concurrent uploads', 5),
    maxDownloadAttempts: attempts,
    liveRestore: true,
    restartUnhealthy: flag('restart-unhealthy', false),
    volumeTrashMs: trash / 1e6,
    bootstrap: flag('bootstrap', false),
    imageGc: parseGcMarks((values['image-gc'] as Record<string, unknown> | undefined) ?? {}),
    builder: values['builder'],
    conmon: optional('conmon'),
    metricsAddress: metricsAddress(optional('metrics-addr')),
  };
}

/** A single empty one switches it off, as for dockerd. */
function cdiSpecDirs(asked: readonly string[], features: unknown, own: UserFolders | undefined): string[] {
  const { cdi } = (features ?? {}) as { cdi?: unknown };
  if (cdi === false || cdi === 'false') return [];
  if (asked.length > 0) return asked.filter((folder) => folder !== '');
  return [
    '/etc/cdi',
    '/var/run/cdi',
    ...(own === undefined ? [] : [own.config, own.run].map((folder) => join(dirname(folder), 'cdi'))),
  ];
}

/** As Docker reads it; without an address, all of the machine's. @throws Fault invalid */
function metricsAddress(text: string | undefined): Config['metricsAddress'] {
  if (text === undefined) return undefined;
  const [, v6, host = '', port = ''] = /^(?:tcp:\/\/)?(?:\[([^\]]+)\]|([^:/]*)):(\d{1,5})$/.exec(text) ?? [];
  if (port === '' || Number(port) > 65_535)
    throw new Fault('invalid', `invalid metrics-addr "${text}": wanted an address and a port, such as 127.0.0.1:9323`);
  return { host: v6 ?? (host || '0.0.0.0'), port: Number(port) };
}

/** A checked value as text. */
function words(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function readProfile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Fault('invalid', `opening seccomp profile (${path}) failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** `driver=name=value`, or daemon.json's map of maps. @throws Fault invalid */
function networkOptions(value: unknown): Record<string, Record<string, string>> {
  const wrong = (what: unknown): Fault =>
    new Fault('invalid', `invalid default network option ${JSON.stringify(what)}: wanted <driver>=<name>=<value>`);
  const options: Record<string, Record<string, string>> = {};
  const entries = Array.isArray(value) ? (value as unknown[]) : [value];
  for (const entry of entries) {
    if (typeof entry === 'object' && entry !== null) {
      for (const [driver, own] of Object.entries(entry)) {
        if (typeof own !== 'object' || own === null || Array.isArray(own)) throw wrong(entry);
        options[driver] = { ...options[driver], ...mapWords(own as Record<string, unknown>) };
      }
    } else if (entry !== undefined) {
      const [driver = '', name = '', text] = /^([^=]*)=([^=]*)=([^]*)$/.exec(words(entry))?.slice(1) ?? [];
      if (driver === '' || name === '' || text === undefined) throw wrong(entry);
      options[driver] = { ...options[driver], [name]: text };
    }
  }
  return options;
}

function mapWords(map: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [name, words(value)]));
}

function addressPools(value: unknown): { base: string; size: number }[] | undefined {
  if (value === undefined) return undefined;
  return (value as (string | { base?: string; size?: number })[]).map((entry) => {
    const pool =
      typeof entry === 'string' ? Object.fromEntries(entry.split(',').map((pair) => pair.split('='))) : entry;
    const [base, size] = [String(pool.base ?? ''), Number(pool.size)];
    if (base === '' || !Number.isInteger(size))
      throw new Fault(
        'invalid',
        `invalid default address pool ${JSON.stringify(entry)}: wanted base=<CIDR>,size=<prefix>`,
      );
    return { base, size };
  });
}

function runtimes(value: unknown): Config['runtimes'] {
  if (value === undefined) return {};
  if (!Array.isArray(value)) return value as Config['runtimes'];
  return Object.fromEntries(
    (value as string[]).map((pair) => {
      const [name = '', path = ''] = pair.split('=');
      if (name === '' || path === '') throw new Fault('invalid', `invalid runtime "${pair}": wanted name=path`);
      return [name, { path }];
    }),
  );
}

function ulimits(value: unknown): Config['ulimits'] {
  if (value === undefined) return [];
  if (!Array.isArray(value))
    return Object.values(value as Record<string, { Name: string; Hard: number; Soft: number }>);
  return (value as string[]).map((text) => {
    const match = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(text);
    if (match === null) throw new Fault('invalid', `invalid ulimit argument: ${text}`);
    const soft = Number(match[2]);
    return { Name: match[1]!, Soft: soft, Hard: Number(match[3] ?? soft) };
  });
}
