/**
 * The engines that are measured: Wherry from its bundle, Debian's dockerd and podman unpacked into the cache, in a network namespace of
 * their own so that their firewall rules and bridges are real and vanish with it.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { packages } from '../test/support/peers.ts';
import { processes } from './measure.ts';
import { registryNetwork, uplink } from './uplink.ts';

export interface Engine {
  name: 'wherry' | 'dockerd' | 'podman';
  version: string;
  /** The client's program and the arguments before a verb. */
  client: string[];
  env: NodeJS.ProcessEnv;
  /** The daemon's pid; 0 for podman, which has none. */
  pid: number;
  /** Kills the daemon and starts it again; ms from its start to its first answer. Containers run on. */
  restart?: () => Promise<number>;
  close(): Promise<void>;
}

const root = resolve(import.meta.dirname, '..');
const library = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;

async function waitFor(socket: string, log: string): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    if (existsSync(socket)) {
      const answer = spawnSync('curl', ['-s', '--max-time', '1', '--unix-socket', socket, 'http://x/_ping'], {
        encoding: 'utf8',
      });
      if (answer.stdout === 'OK') return;
    }
    await sleep(100);
  }
  throw new Error(`no answer on ${socket}; the log ends:\n${readFileSync(log, 'utf8').slice(-1500)}`);
}

async function endProcess(pid: number): Promise<void> {
  try {
    process.kill(pid, 'SIGTERM');
    for (let attempt = 0; attempt < 150; attempt++) {
      process.kill(pid, 0);
      await sleep(100);
    }
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}

export async function openWherry(docker: string): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-'));
  const socket = join(folder, 'w.sock');
  const log = join(folder, 'log');
  const fd = openSync(log, 'a');
  const { WHERRY_SOURCE: _source, ...env } = process.env;
  const args = [
    '--data-root',
    join(folder, 'data'),
    '--exec-root',
    join(folder, 'run'),
    '-H',
    `unix://${socket}`,
    '--bridge',
    'wbench0',
    '--insecure-registry',
    `${registryNetwork}.0/24`,
    '--log-level',
    'warn',
  ];
  const start = (): ChildProcess => spawn(join(root, 'bin/wherryd'), args, { stdio: ['ignore', fd, fd], env });
  const first = start();
  await waitFor(socket, log);
  const engine: Engine = {
    name: 'wherry',
    version: (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
    client: [docker],
    env: { ...process.env, DOCKER_HOST: `unix://${socket}`, WHERRY_HOST: `unix://${socket}` },
    pid: first.pid!,
    restart: () => restarted(engine, socket, start),
    close: async () => {
      await endProcess(engine.pid);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return engine;
}

/** Kills and starts a daemon. @returns ms until it answers */
async function restarted(engine: Engine, socket: string, start: () => ChildProcess): Promise<number> {
  process.kill(engine.pid, 'SIGKILL');
  // Reaped, too: dockerd takes a zombie of that pid for itself.
  while (existsSync(`/proc/${engine.pid}`)) await sleep(5);
  const started = performance.now();
  const child = start();
  engine.pid = child.pid!;
  for (;;) {
    if (await answersPing(socket)) return performance.now() - started;
    if (child.exitCode !== null) throw new Error('it ended at once');
    if (performance.now() - started > 120_000) throw new Error('no answer for two minutes');
    await sleep(5);
  }
}

function answersPing(socketPath: string): Promise<boolean> {
  return new Promise((done) => {
    const message = request({ socketPath, path: '/_ping', agent: false, timeout: 60_000 }, (answer) => {
      answer.resume();
      answer.on('end', () => done(answer.statusCode === 200));
    });
    message.on('error', () => done(false));
    message.end();
  });
}

/** Programs that Debian's packages select by update-alternatives, which unpacking does not run. */
function linkAlternatives(folder: string): void {
  for (const name of [
    'iptables',
    'ip6tables',
    'iptables-save',
    'iptables-restore',
    'ip6tables-save',
    'ip6tables-restore',
  ]) {
    const path = join(folder, 'usr/sbin', name);
    if (!existsSync(path)) symlinkSync('xtables-nft-multi', path);
  }
}

/** The first folder has the firewall's tools; programs of the last win. */
function environment(...folders: string[]): NodeJS.ProcessEnv {
  const programs = folders
    .toReversed()
    .flatMap((folder) => ['usr/bin', 'usr/sbin', 'sbin', 'usr/lib/podman'].map((name) => join(folder, name)));
  return {
    ...process.env,
    PATH: `${programs.join(':')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LD_LIBRARY_PATH: folders
      .flatMap((folder) => [join(folder, 'usr/lib', library), join(folder, 'lib', library)])
      .join(':'),
    XTABLES_LIBDIR: join(folders[0]!, 'usr/lib', library, 'xtables'),
  };
}

export async function openDockerd(docker: string): Promise<Engine> {
  const [newer, packed] = await Promise.all([packages('newer'), packages('engine')]);
  linkAlternatives(packed);
  const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-dockerd-'));
  const socket = join(folder, 'd.sock');
  const log = join(folder, 'log');
  const fd = openSync(log, 'a');
  const settings = {
    'userland-proxy-path': join(newer, 'usr/sbin/docker-proxy'),
    'insecure-registries': [`${registryNetwork}.0/24`],
    // As Wherry's: containers outlive the daemon.
    'live-restore': true,
  };
  writeFileSync(join(folder, 'daemon.json'), JSON.stringify(settings));
  const command = [
    'exec dockerd',
    `--config-file ${folder}/daemon.json --data-root ${folder}/data --exec-root ${folder}/run --pidfile ${folder}/pid -H unix://${socket} --bip 172.29.200.1/24`,
  ].join(' ');
  const settingsOf = { stdio: ['ignore', fd, fd] as ['ignore', number, number], env: environment(packed, newer) };
  const child = spawn('unshare', ['-n', 'sh', '-c', `ip link set lo up; ${command}`], settingsOf);
  await uplink(child.pid!, 1);
  // Held here, the namespace outlives a daemon that is killed.
  const namespace = openSync(`/proc/${child.pid}/ns/net`, 'r');
  const again = (): ChildProcess => {
    // Its containerd dies with it. Where this machine's init does not reap that, dockerd takes it for alive, and waits for ten seconds.
    rmSync(join(folder, 'run/containerd/containerd.pid'), { force: true });
    return spawn('nsenter', [`--net=/proc/${process.pid}/fd/${namespace}`, 'sh', '-c', command], settingsOf);
  };
  try {
    await waitFor(socket, log);
  } catch (error) {
    await endProcess(child.pid!);
    throw error;
  }
  const version = execFileSync(docker, ['version', '--format', '{{.Server.Version}}'], {
    encoding: 'utf8',
    env: { ...process.env, DOCKER_HOST: `unix://${socket}` },
  }).trim();
  const engine: Engine = {
    name: 'dockerd',
    version,
    client: [docker],
    env: { ...process.env, DOCKER_HOST: `unix://${socket}` },
    pid: child.pid!,
    restart: () => restarted(engine, socket, again),
    close: async () => {
      await endProcess(engine.pid);
      // A daemon that found it running leaves it.
      for (const pid of processes('containerd', folder)) await endProcess(pid);
      closeSync(namespace);
      await removeTree(folder);
    },
  };
  return engine;
}

export async function openPodman(): Promise<Engine> {
  const [packed, engine] = await Promise.all([packages('podman5'), packages('engine')]);
  linkAlternatives(engine);
  const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-podman-'));
  mkdirSync(join(folder, 'containers'), { recursive: true });
  writeFileSync(
    join(folder, 'containers.conf'),
    `[network]\nnetwork_backend = "netavark"\nnetwork_config_dir = "${folder}/networks"\n[engine]\nhelper_binaries_dir = ["/usr/lib/podman"]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ntmp_dir = "${folder}/tmp"\n[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\nseccomp_profile = "/usr/share/containers/seccomp.json"\n`,
  );
  // podman reads its signature policy from /etc only: an overlay over /etc in the private mount namespace has one.
  mkdirSync(join(folder, 'etc/containers'), { recursive: true });
  mkdirSync(join(folder, 'etc-work'));
  writeFileSync(join(folder, 'etc/containers/policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}');
  writeFileSync(
    join(folder, 'storage.conf'),
    `[storage]\ndriver = "overlay"\nrunroot = "${folder}/run"\ngraphroot = "${folder}/data"\n`,
  );
  // A process that keeps the network namespace, and a mount namespace in which podman is installed (an overlay over /usr:
  // its monitor runs it again without our environment) and crun does not see hybrid cgroups.
  const keeper = spawn(
    'unshare',
    [
      '-n',
      '-m',
      'sh',
      '-c',
      'ip link set lo up; mount --make-rprivate /; umount /sys/fs/cgroup/unified 2>/dev/null; mount -t overlay overlay -o lowerdir=/etc,upperdir=$0/etc,workdir=$0/etc-work /etc; mount -t overlay overlay -o lowerdir=$1/usr:$2/usr:/usr /usr; echo ready; exec sleep 100000',
      folder,
      packed,
      engine,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await new Promise((done) => keeper.stdout.once('data', done));
  await uplink(keeper.pid!, 2);
  const env = {
    ...process.env,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    CONTAINERS_CONF: join(folder, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(folder, 'storage.conf'),
  };
  const client = ['nsenter', `--net=/proc/${keeper.pid}/ns/net`, `--mount=/proc/${keeper.pid}/ns/mnt`, 'podman'];
  const podman = { name: 'podman' as const, client, env };
  const version = spawnSync(client[0]!, [...client.slice(1), '--version'], { encoding: 'utf8', env });
  const close = async (): Promise<void> => {
    spawnSync(client[0]!, [...client.slice(1), 'rm', '-fa', '-t', '0'], { env });
    await endProcess(keeper.pid!);
    await removeTree(folder);
  };
  if (version.status !== 0) {
    await close();
    throw new Error(`podman does not run: ${version.stderr.trim()}`);
  }
  return { ...podman, version: version.stdout.trim().split(' ').at(-1)!, pid: 0, close };
}

/** Removes a folder and the mounts that an engine left below it. */
async function removeTree(folder: string): Promise<void> {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) spawnSync('umount', ['-l', path]);
  await sleep(200);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
