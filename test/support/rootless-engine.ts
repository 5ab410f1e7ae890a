/**
 * A daemon as root of an ordinary user's namespaces, without the launcher that makes them: what of the engine must work there. The
 * namespaces are a process's (the holder); they outlive the daemon, as in rootless mode.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VerifyFinding, VerifyMessage } from '../../src/api/index.ts';
import { cannotRun, repository } from './daemon.ts';
import { Docker, until } from './docker.ts';
import { dockerCli } from './peers.ts';
import { processesOfUser } from './user-processes.ts';

/** Ids that no user of this host has. */
export interface OrdinaryUser {
  uid: number;
  /** The first of 65536 subordinate ones. */
  subordinate: number;
}

export function ordinaryUser(): OrdinaryUser {
  return { uid: 61_573, subordinate: 1_610_612_736 };
}

const subordinates = 65_536;

/** Why a rootless daemon cannot run here; undefined when it can. */
export function cannotRunRootless(): string | undefined {
  const reason = cannotRun();
  if (reason !== undefined) return reason;
  for (const program of ['setpriv', 'unshare', 'nsenter'])
    if (spawnSync(program, ['--version']).status !== 0) return `${program} (package util-linux) is not installed`;
  const { uid } = ordinaryUser();
  const made = spawnSync('setpriv', [...as(uid), 'unshare', '-U', '-m', '-n', 'true'], { encoding: 'utf8' });
  return made.status === 0 ? undefined : `no user namespaces for ordinary users here: ${made.stderr.trim()}`;
}

const as = (uid: number): string[] => ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];

export interface RootlessOptions {
  /** How many ids the namespace has: one, or 65537. */
  ids?: 'one' | 'all';
  args?: readonly string[];
  /** As on a machine with cgroup v2 alone, in a group that is the user's (as systemd gives one) or nobody's: see `unifiedTree`. */
  group?: 'delegated' | 'foreign';
}

/** Where the v2 tree is; undefined where there is none. */
export function unifiedTree(): string | undefined {
  return ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((folder) => existsSync(join(folder, 'cgroup.controllers')));
}

export class RootlessEngine implements AsyncDisposable {
  readonly user = ordinaryUser();
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-rootless-'));
  readonly home = join(this.root, 'home');
  readonly run = join(this.root, 'run');
  readonly socket = join(this.run, 'wherry.sock');
  readonly dataRoot = join(this.home, 'data');
  readonly docker: Docker;
  /** The delegated group, by its path in the tree. */
  readonly group = `/wherry-rootless-${process.pid}.service`;
  pid = 0;
  readonly #options: RootlessOptions;
  readonly #holder: ChildProcess;
  #holderPid = 0;
  #exit: Promise<number | null> = Promise.resolve(null);

  private constructor(options: RootlessOptions, cli: string) {
    this.#options = options;
    chmodSync(this.root, 0o711);
    for (const folder of [this.home, this.run]) {
      mkdirSync(folder, { mode: 0o711 });
      chownSync(folder, this.user.uid, this.user.uid);
    }
    mkdirSync(join(this.root, 'checkout'));
    mkdirSync(join(this.root, 'docker-config'));
    mkdirSync(join(this.root, 'nodes'));
    this.docker = new Docker(cli, `unix://${this.socket}`, join(this.root, 'docker-config'));
    // A checkout that the user can read, and a /dev/fuse that the user may open.
    const script = `set -e
      ${options.group === undefined ? '' : this.#makeGroup(options.group)}
      mount --bind "$1" "$2/checkout"
      if [ -e /dev/fuse ] && mount -t tmpfs -o mode=755 nodes "$2/nodes" && mknod -m 666 "$2/nodes/fuse" c 10 229; then
        mount --bind "$2/nodes/fuse" /dev/fuse
      fi
      exec setpriv ${as(this.user.uid).join(' ')} unshare -U -m -n sleep infinity`;
    this.#holder = spawn(
      'unshare',
      ['-m', '--propagation', 'private', 'sh', '-c', script, 'holder', repository, this.root],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
  }

  /** Makes the group. @returns what makes of the mount namespace one of a machine with cgroup v2 alone */
  #makeGroup(kind: 'delegated' | 'foreign'): string {
    const tree = unifiedTree()!;
    const folder = join(tree, this.group);
    mkdirSync(folder);
    const owned = kind === 'foreign' ? [] : ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];
    for (const file of owned) chownSync(join(folder, file), this.user.uid, this.user.uid);
    if (tree === '/sys/fs/cgroup') return '';
    return `mount --bind ${tree} /mnt && umount -l /sys/fs/cgroup && mount --move /mnt /sys/fs/cgroup`;
  }

  static async open(options: RootlessOptions = {}): Promise<RootlessEngine> {
    const engine = new RootlessEngine(options, await dockerCli());
    try {
      await engine.#mapIds();
      await engine.start();
    } catch (error) {
      await engine.#end();
      throw error;
    }
    return engine;
  }

  /** As newuidmap(1) does for who has subordinate ids. */
  async #mapIds(): Promise<void> {
    const pid = (this.#holderPid = this.#holder.pid ?? 0);
    const isInside = (): boolean => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep\0');
      } catch {
        return false;
      }
    };
    await until(isInside, { what: 'the namespaces' });
    const { uid, subordinate } = this.user;
    const rest = this.#options.ids === 'one' ? '' : `1 ${subordinate} ${subordinates}\n`;
    for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${pid}/${map}`, `0 ${uid} 1\n${rest}`);
    this.inside('ip', 'link', 'set', 'lo', 'up');
  }

  #enter(): string[] {
    const holder = String(this.#holderPid);
    const user = ['setpriv', ...as(this.user.uid), 'nsenter', '-t', holder, '-U', '-n', '--preserve-credentials'];
    return ['nsenter', '-t', holder, '-m', ...user];
  }

  /** Stdout of a program in the namespaces. */
  inside(...command: string[]): string {
    const [file = '', ...args] = [...this.#enter(), ...command];
    return execFileSync(file, args, { encoding: 'utf8', cwd: '/', timeout: 20_000 }).trim();
  }

  get log(): string {
    const file = join(this.root, 'wherryd.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  async start(): Promise<void> {
    const log = openSync(join(this.root, 'wherryd.log'), 'a');
    const tree = unifiedTree();
    // While containers run in it the group takes no process itself: systemd's DelegateSubgroup=wherryd does this.
    const enterGroup = `{ echo $$ >"$0/cgroup.procs" || echo $$ >"$0/wherryd/cgroup.procs"; } 2>/dev/null; exec "$@"`;
    const group = this.#options.group !== undefined ? ['sh', '-c', enterGroup, `${tree}${this.group}`] : [];
    const [file, ...args] = [...group, ...this.#enter(), join(this.root, 'checkout/bin/wherryd')];
    args.push('--data-root', this.dataRoot, '--exec-root', join(this.run, 'exec'));
    args.push('--pidfile', join(this.run, 'wherryd.pid'), '-H', `unix://${this.socket}`, ...(this.#options.args ?? []));
    const env = { ...process.env, WHERRY_SOURCE: '1', HOME: this.home, XDG_RUNTIME_DIR: this.run };
    const child = spawn(file, args, { stdio: ['ignore', log, log], cwd: '/', env });
    closeSync(log);
    this.pid = child.pid ?? 0;
    let ended = false;
    this.#exit = new Promise((done) => {
      child.on('error', () => done(127));
      child.on('exit', (code) => {
        ended = true;
        done(code);
      });
    });
    const answers = async (): Promise<boolean> => (await this.docker.run(['version'])).code === 0;
    await until(async () => ended || (await answers()), { timeoutMs: 20_000, what: () => `a daemon:\n${this.log}` });
    if (ended) throw new Error(`the daemon ended at once; its log:\n${this.log.slice(-2000)}`);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (this.pid > 0) process.kill(this.pid, signal);
    const code = await this.#exit;
    this.pid = 0;
    return code;
  }

  /** What `system verify` finds to be wrong. */
  async verify(): Promise<VerifyFinding[]> {
    const text = await new Promise<string>((done, reject) => {
      const asking = request({ socketPath: this.socket, path: '/wherry/verify' }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        answer.on('end', () => done(body));
      });
      asking.on('error', reject).end();
    });
    const messages = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as VerifyMessage);
    assert.ok(messages.at(-1)?.Summary !== undefined, `the verification ended early: ${text.slice(-500)}`);
    return messages.flatMap(({ Finding }) => (Finding === undefined ? [] : [Finding]));
  }

  /** What runs as the user, or as one of the user's subordinate ids. */
  processes(): { pid: number; command: string }[] {
    return processesOfUser({ ...this.user, count: subordinates });
  }

  async #end(): Promise<string[]> {
    if (this.pid > 0) await this.kill().catch(() => {});
    process.kill(this.#holderPid || this.#holder.pid!, 'SIGKILL');
    const left = (): string[] => this.processes().map(({ pid, command }) => `process ${pid}: ${command}`);
    const wrong: string[] = [];
    await until(() => left().length === 0, { timeoutMs: 15_000, what: 'no processes' }).catch(() =>
      wrong.push(...left()),
    );
    for (const { pid } of this.processes()) process.kill(pid, 'SIGKILL');
    if (this.#options.group !== undefined) {
      const folder = `${unifiedTree()}${this.group}`;
      spawnSync('find', [folder, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
      if (existsSync(folder)) wrong.push(`control group ${folder}`);
    }
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
    return wrong;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const wrong: string[] = [];
    const ids = (await this.docker.run(['ps', '-aq'])).stdout.split('\n').filter(Boolean);
    if (ids.length > 0) await this.docker.run(['rm', '-f', '-v', ...ids]);
    const code = await this.kill('SIGTERM');
    if (code !== 0) wrong.push(`the daemon ended with code ${code} on SIGTERM`);
    wrong.push(...this.log.split('\n').filter((line) => /^\s+at |level=fatal/.test(line)));
    wrong.push(...(await this.#end()));
    assert.deepEqual(wrong, [], 'the daemon leaves nothing behind');
  }
}
