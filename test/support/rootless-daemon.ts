/**
 * wherryd as an ordinary user starts it, in a world (mount and network namespace) where that user exists: an entry in passwd, subordinate
 * ids, a /dev/net/tun that users may open, a checkout to read. Nothing of the machine is changed.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { cannotRun, repository } from './daemon.ts';
import { Docker, execute, until } from './docker.ts';
import { cacheFolder } from './images.ts';
import { newerDebian } from './newer-debian.ts';
import { dockerCli } from './peers.ts';
import { commandOf, processesOfUser } from './user-processes.ts';

const uid = 61_574;
const subordinate = 1_610_678_272;
const subordinates = 65_536;

/** Why it cannot run here; undefined when it can. */
export function cannotLaunch(): string | undefined {
  const reason = cannotRun();
  if (reason !== undefined) return reason;
  for (const [program, of] of [
    ['newuidmap', 'uidmap'],
    ['slirp4netns', 'slirp4netns'],
    ['nsenter', 'util-linux'],
    ['ip', 'iproute2'],
  ] as const)
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0)
      return `${program} (package ${of}) is not installed`;
  const tried = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', 'unshare', '-U', '-m', '-n', 'true'];
  const made = spawnSync('setpriv', tried, { encoding: 'utf8' });
  if (made.status !== 0) return `no user namespaces for ordinary users here: ${made.stderr.trim()}`;
  const node = spawnSync('sh', [
    '-c',
    'd=$(mktemp -d) && mknod "$d/tun" c 10 200 && : <>"$d/tun"; s=$?; rm -r "$d"; exit $s',
  ]);
  return node.status === 0 ? undefined : '/dev/net/tun cannot be opened here';
}

export interface RootlessDaemonOptions {
  /** Programs that come before the machine's. */
  programs?: string;
  /** Without /etc/subuid, and without a tap: a sandbox that was prepared for nothing. */
  bare?: boolean;
}

export class RootlessDaemon implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-user-'));
  readonly home = join(this.root, 'home');
  readonly runtime = join(this.root, 'run');
  readonly socket = join(this.runtime, 'wherry/wherry.sock');
  readonly docker: Docker;
  /** Addresses of the world towards the other side of a cable, where a client may be. */
  readonly here = '198.18.57.1';
  readonly there = '198.18.57.2';
  readonly #world: ChildProcess;
  readonly #client: ChildProcess;
  #child: ChildProcess | undefined;
  #exit: Promise<number | null> = Promise.resolve(null);

  readonly #programs: string | undefined;

  private constructor(cli: string, { bare = false, programs }: RootlessDaemonOptions) {
    this.#programs = programs;
    chmodSync(this.root, 0o711);
    for (const folder of [this.home, this.runtime]) {
      mkdirSync(folder, { mode: 0o700 });
      chownSync(folder, uid, uid);
    }
    for (const folder of ['checkout', 'etc', 'docker-config']) mkdirSync(join(this.root, folder), { mode: 0o755 });
    const etc = (name: string): string => join(this.root, 'etc', name);
    writeFileSync(
      etc('passwd'),
      `${readFileSync('/etc/passwd', 'utf8')}wherry-test:x:${uid}:${uid}::${this.home}:/bin/sh\n`,
    );
    writeFileSync(etc('group'), `${readFileSync('/etc/group', 'utf8')}wherry-test:x:${uid}:\n`);
    writeFileSync(etc('subid'), bare ? '' : `wherry-test:${subordinate}:${subordinates}\n`);
    const tap = bare ? '' : 'mknod -m 666 "$1/dev/tun" c 10 200 && mount --bind "$1/dev/tun" /dev/net/tun';
    const script = `set -e
      mkdir "$1/dev" && mount -t tmpfs -o mode=755 nodes "$1/dev"
      ${tap}
      mkdir "$1/dev/upper" "$1/dev/work"
      mount -t overlay -o lowerdir=/etc,upperdir="$1/dev/upper",workdir="$1/dev/work" etc /etc
      cp "$1/etc/passwd" "$1/etc/group" /etc
      cp "$1/etc/subid" /etc/subuid
      cp "$1/etc/subid" /etc/subgid
      mount --bind "$2" "$1/checkout"
      ${programs === undefined ? '' : `mkdir "$1/programs" && mount --bind "${programs}" "$1/programs"`}
      ip link set lo up
      exec sleep infinity`;
    // The client first: the cable's end in the world shows that both are there.
    this.#client = spawn('unshare', ['-n', 'sleep', 'infinity'], { stdio: 'ignore' });
    this.#world = spawn(
      'unshare',
      ['-m', '-n', '--propagation', 'private', 'sh', '-c', script, 'world', this.root, repository],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    this.docker = new Docker(cli, `unix://${this.socket}`, join(this.root, 'docker-config'));
  }

  static async open(options: RootlessDaemonOptions = {}): Promise<RootlessDaemon> {
    const daemon = new RootlessDaemon(await dockerCli(), options);
    try {
      await daemon.#connect();
      await daemon.start();
      return daemon;
    } catch (error) {
      await daemon.#end();
      throw error;
    }
  }

  /** A cable between the world, which has a way out by it, and the client. */
  async #connect(): Promise<void> {
    const isSleep = (pid: number): boolean => commandOf(pid).startsWith('sleep ');
    await until(() => isSleep(this.#world.pid!) && isSleep(this.#client.pid!), { what: 'the world' });
    const link = `wu${this.#world.pid}`;
    const run = (...words: string[]): void => void execFileSync('ip', words, { stdio: 'pipe' });
    run('link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth9', 'netns', String(this.#client.pid));
    run('link', 'set', link, 'name', 'eth9', 'netns', String(this.#world.pid));
    for (const [pid, address] of [
      [this.#world.pid, this.here],
      [this.#client.pid, this.there],
    ] as const) {
      const six = `fd57:3a7e::${address.slice(-1)}/64`;
      const script = `ip link set lo up; ip addr add ${address}/24 dev eth9; ip addr add ${six} dev eth9 nodad; ip link set eth9 up`;
      execFileSync('nsenter', ['-t', String(pid), '-n', 'sh', '-c', script], { stdio: 'pipe' });
    }
    for (const [family, via] of [
      ['-4', this.there],
      ['-6', 'fd57:3a7e::2'],
    ] as const) {
      const route = ['ip', family, 'route', 'add', 'default', 'via', via];
      execFileSync('nsenter', ['-t', String(this.#world.pid), '-n', ...route], { stdio: 'pipe' });
    }
  }

  /** Stdout of what the client runs, in its network. */
  fromClient(...command: string[]): string {
    const args = ['-t', String(this.#client.pid), '-n', ...command];
    return execFileSync('nsenter', args, { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  get clientPid(): number {
    return this.#client.pid!;
  }

  /** A command line of the user's, in the world. */
  asUser(...command: string[]): string[] {
    const path = [this.#programs === undefined ? [] : join(this.root, 'programs'), process.env['PATH'] ?? '']
      .flat()
      .join(':');
    const variables = [
      `PATH=${path}`,
      `HOME=${this.home}`,
      `XDG_RUNTIME_DIR=${this.runtime}`,
      'USER=wherry-test',
      'WHERRY_SOURCE=1',
    ];
    const user = ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--init-groups', 'env', ...variables];
    return ['nsenter', '-t', String(this.#world.pid), '-m', '-n', ...user, ...command];
  }

  /** How a program of the user's ends. */
  runAsUser(...command: string[]): { code: number | null; stdout: string; stderr: string } {
    const [file = '', ...args] = this.asUser(...command);
    const { status, stdout, stderr } = spawnSync(file, args, { encoding: 'utf8', timeout: 30_000, cwd: '/' });
    return { code: status, stdout, stderr };
  }

  program(name: 'wherry' | 'wherryd'): string {
    return join(this.root, 'checkout/bin', name);
  }

  get log(): string {
    const file = join(this.root, 'wherryd.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async start(): Promise<void> {
    const log = openSync(join(this.root, 'wherryd.log'), 'a');
    const [file = '', ...args] = this.asUser(this.program('wherryd'));
    const child = spawn(file, args, { stdio: ['ignore', log, log], cwd: '/' });
    closeSync(log);
    this.#child = child;
    let isOver = false;
    this.#exit = new Promise((done) => {
      child.on('error', () => done(127));
      child.on('exit', (code) => {
        isOver = true;
        done(code);
      });
    });
    const answers = async (): Promise<boolean> => (await this.docker.run(['version'])).code === 0;
    await until(async () => isOver || (await answers()), { timeoutMs: 30_000, what: () => `a daemon:\n${this.log}` });
    if (isOver) throw new Error(`the daemon ended at once; its log:\n${this.log.slice(-2000)}`);
  }

  /** The launcher. */
  get pid(): number {
    return this.#child!.pid!;
  }

  /** The daemon inside. */
  get insidePid(): number {
    return Number(readFileSync(join(this.runtime, 'wherry/wherryd.pid'), 'utf8'));
  }

  async kill(signal: NodeJS.Signals, pid = this.pid): Promise<number | null> {
    process.kill(pid, signal);
    return this.#exit;
  }

  /** What runs as the user, or as one of the subordinate ids. */
  processes(): string[] {
    return processesOfUser({ uid, subordinate, count: subordinates }).map(({ pid, command }) => `${pid} ${command}`);
  }

  async #end(): Promise<void> {
    for (const line of this.processes()) {
      try {
        process.kill(Number.parseInt(line, 10), 'SIGKILL');
      } catch {
        // It was quicker.
      }
    }
    this.#world.kill('SIGKILL');
    this.#client.kill('SIGKILL');
    await until(() => this.processes().length === 0, { timeoutMs: 15_000, what: 'no processes' });
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Ends it in order, and sees that nothing is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    const wrong: string[] = [];
    const ids = (await this.docker.ok('ps', '-aq')).split('\n').filter(Boolean);
    if (ids.length > 0) await this.docker.ok('rm', '-f', '-v', ...ids);
    const code = await this.kill('SIGTERM');
    if (code !== 0) wrong.push(`the daemon ended with code ${code} on SIGTERM`);
    wrong.push(...this.log.split('\n').filter((line) => /^\s+at |level=fatal/.test(line)));
    await until(() => this.processes().length === 0, { timeoutMs: 15_000, what: 'no processes' }).catch(() =>
      wrong.push(...this.processes()),
    );
    if (existsSync(join(this.runtime, 'wherry/rootless'))) wrong.push('the state folder');
    await this.#end();
    assert.deepEqual(wrong, [], 'the daemon leaves nothing behind');
  }
}

/**
 * A folder with a pasta of today: Debian 12's is too old to be used. It comes with its C library, unpacked into the cache.
 * @throws Error with the reason
 */
export async function newerPasta(): Promise<string> {
  const folder = join(cacheFolder(), 'passt-1');
  const program = join(folder, 'pasta');
  if (existsSync(program)) return folder;
  const { env } = await newerDebian();
  const fresh = mkdtempSync(join(cacheFolder(), 'passt-new-'));
  try {
    const got = await execute('apt-get', ['-q', 'download', 'passt', 'libc6'], { env, cwd: fresh, timeoutMs: 120_000 });
    if (got.code !== 0) throw new Error(`apt-get download of passt failed: ${got.stderr.trim().split('\n').at(-1)}`);
    for (const name of readdirSync(fresh).filter((each) => each.endsWith('.deb'))) {
      execFileSync('dpkg', ['-x', join(fresh, name), join(fresh, 'root')]);
      rmSync(join(fresh, name));
    }
    const find = (name: string): string => {
      const [found] = globSync(`root/**/${name}`, { cwd: fresh });
      if (found === undefined) throw new Error(`${name} is not in the packages`);
      return found;
    };
    const loader = find(process.arch === 'arm64' ? 'ld-linux-aarch64.so.1' : 'ld-linux-x86-64.so.2');
    const script = `#!/bin/sh\nhere=$(dirname "$0")\nexec "$here/${loader}" --library-path "$here/${dirname(find('libc.so.6'))}" "$here/${find('pasta')}" "$@"\n`;
    writeFileSync(join(fresh, 'pasta'), script, { mode: 0o755 });
    execFileSync('chmod', ['-R', 'a+rX', fresh]);
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    throw error;
  }
  return folder;
}
