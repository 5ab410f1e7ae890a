/**
 * What Wherry is judged by: the stock docker CLI, a reference dockerd, docker-compose 1.29, docker-py and a registry, all from Debian's
 * own packages, unpacked into the cache folder and never over the system. What cannot be had throws with the reason.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Docker, execute, until } from './docker.ts';
import { cacheFolder } from './images.ts';
import { newerDebian } from './newer-debian.ts';

const sets = {
  /** From the newer suite: a current engine, its command line, Compose and buildx. Its runtime and firewall tools are this release's. */
  newer: ['docker.io', 'docker-cli', 'containerd', 'docker-buildx', 'docker-compose'],
  /** From the newer suite, with the libraries it needs: to be laid over /usr in a mount namespace, for it runs itself again by its paths. */
  podman5: [
    'podman',
    'conmon',
    'crun',
    'netavark',
    'aardvark-dns',
    'golang-github-containers-common',
    'libgpgme45',
    'libassuan9',
    'libgpg-error0',
    'libsubid6',
    'libblake3-0',
    'libjson-c5',
    'libsqlite3-0',
    'libseccomp2',
    'libsystemd0',
    'libcap2',
    'libgcc-s1',
    'libglib2.0-0t64',
    'libc6',
  ],
  /** Lets a process see another time than the machine's. */
  clock: ['libfaketime'],
  engine: [
    'docker.io',
    'containerd',
    'runc',
    'tini',
    'libdevmapper1.02.1',
    'iptables',
    'libip4tc2',
    'libip6tc2',
    'libxtables12',
    'libnftnl11',
    'libmnl0',
    'libnetfilter-conntrack3',
    'libnfnetlink0',
  ],
  registry: ['docker-registry'],
  skopeo: ['skopeo', 'golang-github-containers-common', 'libgpgme11', 'libassuan0', 'libdevmapper1.02.1'],
  podman: [
    'podman',
    'conmon',
    'crun',
    'netavark',
    'aardvark-dns',
    'golang-github-containers-common',
    'libgpgme11',
    'libassuan0',
    'libsubid4',
    'libdevmapper1.02.1',
    'libyajl2',
  ],
  python: [
    'docker-compose',
    'python3-docker',
    'python3-dockerpty',
    'python3-docopt',
    'python3-dotenv',
    'python3-jsonschema',
    'python3-pyrsistent',
    'python3-attr',
    'python3-requests',
    'python3-urllib3',
    'python3-idna',
    'python3-certifi',
    'python3-chardet',
    'python3-charset-normalizer',
    'python3-six',
    'python3-texttable',
    'python3-websocket',
    'python3-yaml',
    'python3-distro',
    'python3-packaging',
    'python3-distutils',
    'python3-lib2to3',
    'python3-setuptools',
    'python3-pkg-resources',
  ],
} as const;

const unpacked = new Map<keyof typeof sets, Promise<string>>();

/** The folder a set of packages is unpacked into. @throws Error with the reason */
export function packages(set: keyof typeof sets): Promise<string> {
  let folder = unpacked.get(set);
  if (folder === undefined) unpacked.set(set, (folder = unpack(set)));
  return folder;
}

async function unpack(set: keyof typeof sets): Promise<string> {
  const root = join(cacheFolder(), `peers-${set}`);
  const stamp = join(root, '.complete');
  const wanted = sets[set].join(' ');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return root;
  const isNewer = set === 'newer' || set === 'podman5';
  const newer = isNewer ? await newerDebian() : { env: {} };
  const archives = join(cacheFolder(), isNewer ? 'debs-newer' : 'debs');
  mkdirSync(archives, { recursive: true });
  const have = (name: string): string | undefined =>
    readdirSync(archives).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  const stock = process.env['WHERRY_TEST_DEBS'];
  if (stock !== undefined) for (const file of readdirSync(stock)) copyFileSync(join(stock, file), join(archives, file));
  const missing = sets[set].filter((name) => have(name) === undefined);
  if (missing.length > 0) {
    const fetched = await execute('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', 'download', ...missing], {
      cwd: archives,
      timeoutMs: 240_000,
      env: newer.env,
    });
    if (fetched.code !== 0)
      throw new Error(`apt-get download failed: ${fetched.stderr.trim().split('\n').slice(-2).join(' / ')}`);
  }
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  for (const name of sets[set]) {
    const { code, stderr } = await execute('dpkg', ['-x', join(archives, have(name)!), root]);
    if (code !== 0) throw new Error(`dpkg -x ${name}: ${stderr}`);
  }
  writeFileSync(stamp, wanted);
  return root;
}

/** The stock docker CLI: the one in PATH, else that of Debian's docker.io. */
export async function dockerCli(): Promise<string> {
  const named = process.env['WHERRY_TEST_DOCKER'];
  if (named !== undefined) return named;
  for (const folder of (process.env['PATH'] ?? '').split(':'))
    if (existsSync(join(folder, 'docker'))) return join(folder, 'docker');
  return join(await packages('engine'), 'usr/bin/docker');
}

/** Environment for Debian's Python clients. @throws Error with the reason */
export async function pythonClients(): Promise<{
  python: string;
  compose: string;
  env: Record<string, string | undefined>;
}> {
  const python = '/usr/bin/python3';
  if (!existsSync(python)) throw new Error('no /usr/bin/python3 on this host');
  const root = await packages('python');
  return {
    python,
    compose: join(root, 'usr/bin/docker-compose'),
    env: {
      PYTHONPATH: `${join(root, 'usr/lib/python3/dist-packages')}:${join(root, 'usr/lib/python3.11')}`,
      PYTHONWARNINGS: 'ignore',
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONHOME: undefined,
    },
  };
}

/** A port of loopback that nobody has at the moment. */
export function freePort(): Promise<number> {
  return new Promise((done) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => done(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A process of a peer, ended by its pid. */
export class Service {
  readonly child: ChildProcess;
  readonly #exit: Promise<void>;

  constructor(file: string, args: string[], log: string, env: Record<string, string | undefined> = {}) {
    const fd = openSync(log, 'a');
    this.child = spawn(file, args, { stdio: ['ignore', fd, fd], env: { ...process.env, ...env } });
    closeSync(fd);
    // A hook that fails keeps those behind it from being called.
    const end = (): boolean => this.child.kill('SIGKILL');
    process.once('exit', end);
    this.#exit = new Promise((done) => {
      this.child.on('error', () => done());
      this.child.on('exit', () => {
        process.off('exit', end);
        done();
      });
    });
  }

  async end(): Promise<void> {
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    await this.#exit;
    clearTimeout(late);
  }
}

interface DaemonSettings {
  readonly features?: Readonly<Record<string, boolean>>;
  readonly [setting: string]: unknown;
}

/** A current dockerd from Debian's newer suite with a containerd of its own, and nothing shared with any other. */
export class ReferenceEngine implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-peer-'));
  readonly bridge = `wr${randomBytes(3).toString('hex')}`;
  readonly host = `unix://${join(this.root, 'docker.sock')}`;
  readonly docker: Docker;
  #containerd: Service | undefined;
  #dockerd: Service | undefined;

  private constructor(cli: string) {
    mkdirSync(join(this.root, 'docker-config'));
    this.docker = new Docker(cli, this.host, join(this.root, 'docker-config'));
  }

  /** @param settings more of its daemon.json; with the containerd image store its BuildKit has all outputs and caches */
  static async open(settings: DaemonSettings = {}): Promise<ReferenceEngine> {
    const [newer, folder, cli] = [await packages('newer'), await packages('engine'), await dockerCli()];
    const engine = new ReferenceEngine(cli);
    try {
      await engine.#start(newer, folder, settings);
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
    return engine;
  }

  async #start(newer: string, folder: string, settings: DaemonSettings): Promise<void> {
    const at = (name: string): string => join(this.root, name);
    const programs = [newer, folder]
      .flatMap((packed) => ['usr/bin', 'usr/sbin', 'sbin'].map((name) => join(packed, name)))
      .join(':');
    const env = {
      PATH: `${programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      LD_LIBRARY_PATH: ['usr/lib', 'lib']
        .map((name) => join(folder, name, `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`))
        .join(':'),
      TMPDIR: this.root,
    };
    writeFileSync(
      at('containerd.toml'),
      `version = 2\nroot = "${at('containerd')}"\nstate = "${at('containerd-run')}"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "${at('containerd.sock')}"\n`,
    );
    const proxy = { 'userland-proxy-path': join(newer, 'usr/sbin/docker-proxy') };
    writeFileSync(at('daemon.json'), JSON.stringify({ ...proxy, ...settings }));
    this.#containerd = new Service(
      join(newer, 'usr/bin/containerd'),
      ['-c', at('containerd.toml')],
      at('containerd.log'),
      env,
    );
    await until(() => existsSync(at('containerd.sock')), {
      what: () => `containerd; its log:\n${readFileSync(at('containerd.log'), 'utf8').slice(-1000)}`,
    });
    // A bridge of its own, made here: dockerd names only docker0 itself. Nothing is compared that needs rules in iptables.
    const octet = 1 + Math.floor(Math.random() * 250);
    execFileSync('ip', ['link', 'add', this.bridge, 'type', 'bridge']);
    execFileSync('ip', ['addr', 'add', `10.213.${octet}.1/24`, 'dev', this.bridge]);
    execFileSync('ip', ['link', 'set', this.bridge, 'up']);
    this.#dockerd = new Service(
      join(newer, 'usr/sbin/dockerd'),
      [
        '--config-file',
        at('daemon.json'),
        '--data-root',
        at('data'),
        '--exec-root',
        at('run'),
        '--pidfile',
        at('pid'),
        '-H',
        this.host,
        '--containerd',
        at('containerd.sock'),
        '--bridge',
        this.bridge,
        '--iptables=false',
        '--ip6tables=false',
        '--ip-masq=false',
        '--storage-driver',
        settings.features?.['containerd-snapshotter'] === true ? 'overlayfs' : 'overlay2',
        '--default-address-pool',
        `base=10.214.${octet}.0/24,size=28`,
      ],
      at('dockerd.log'),
      env,
    );
    await until(async () => (await this.docker.run(['version'])).code === 0, {
      timeoutMs: 30_000,
      what: () => `dockerd; its log:\n${readFileSync(at('dockerd.log'), 'utf8').slice(-2000)}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#dockerd !== undefined) {
      const ids = (await this.docker.run(['ps', '-aq'])).stdout.split('\n').filter(Boolean);
      if (ids.length > 0) await this.docker.run(['rm', '-f', '-v', ...ids], { timeoutMs: 60_000 });
      await this.docker.run(['network', 'prune', '-f']);
      await this.#dockerd.end();
    }
    await this.#containerd?.end();
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${this.root}/`));
    for (const path of mounts.reverse()) await execute('umount', ['-l', path]);
    await execute('ip', ['link', 'del', this.bridge]);
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

export interface RegistryServiceOptions {
  /** The address it listens on; 127.0.0.1 unless told otherwise. */
  host?: string;
  /** Lines of its configuration under `auth:`. */
  auth?: (root: string) => string;
  /** Files to lay down in its folder first. */
  files?: Record<string, string>;
  /** Serves TLS with these two of `files`. */
  tls?: { certificate: string; key: string };
}

/** Debian's docker-registry on a free port. */
export class RegistryService implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-registry-'));
  readonly address: string;
  readonly #service: Service;

  private constructor(program: string, port: number, options: RegistryServiceOptions) {
    this.address = `${options.host ?? '127.0.0.1'}:${port}`;
    for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(this.root, name), text);
    const file = join(this.root, 'config.yml');
    const auth = options.auth === undefined ? '' : `auth:\n${options.auth(this.root)}\n`;
    const { tls } = options;
    const secure =
      tls === undefined
        ? ''
        : `  tls:\n    certificate: ${join(this.root, tls.certificate)}\n    key: ${join(this.root, tls.key)}\n`;
    writeFileSync(
      file,
      `version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: ${join(this.root, 'data')}\n  delete:\n    enabled: true\n${auth}http:\n  addr: ${this.address}\n${secure}`,
    );
    this.#service = new Service(program, ['serve', file], join(this.root, 'log'));
  }

  static async open(options: RegistryServiceOptions = {}): Promise<RegistryService> {
    const program = join(await packages('registry'), 'usr/bin/docker-registry');
    const registry = new RegistryService(program, await freePort(), options);
    try {
      await until(() => answers(registry.address), {
        what: () => `docker-registry; its log:\n${readFileSync(join(registry.root, 'log'), 'utf8').slice(-1000)}`,
      });
    } catch (error) {
      await registry[Symbol.asyncDispose]();
      throw error;
    }
    return registry;
  }

  /** Forgets all it holds: it keeps nothing in memory. */
  clear(): void {
    rmSync(join(this.root, 'data'), { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service.end();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Whether somebody takes connections there. */
function answers(address: string): Promise<boolean> {
  const [host, port] = address.split(':');
  return new Promise((done) => {
    const socket = connect(Number(port), host, () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}
