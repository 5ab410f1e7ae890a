/**
 * A real daemon of its own for the tests of one file: own data root, exec root, socket, bridge and pidfile in a fresh folder, so that
 * it runs beside any other engine. `sharedDaemon` ends it after the file's last test and fails the file when something is left.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import type { VerifyFinding, VerifyMessage } from '../../src/api/index.ts';
import { Disk, type DiskOptions } from './disk.ts';
import { Docker, until } from './docker.ts';
import { descriptors, filesUnder, hashOf, type Inventory, inventory, leaked, marksOf, processesOf } from './leaks.ts';
import { firstError } from './first-error.ts';
import { busyboxImage } from './images.ts';
import { dockerCli } from './peers.ts';

export const repository = resolve(import.meta.dirname, '../..');

export interface DaemonOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A program and arguments that start it: what follows them is its command line. */
  readonly launcher?: readonly string[];
  /** Log lines of level error that the tests provoke. */
  readonly expectedErrors?: readonly RegExp[];
  /** A file system of its own for the data root. */
  readonly disk?: DiskOptions;
  /** A folder for the data root that the test provides. */
  readonly dataRoot?: string;
}

/** For tests that take bridges away: while one is gone, another engine would take a usual subnet for a free one. */
export function ownSubnets(): string[] {
  return ['--default-address-pool', `base=10.209.${(randomBytes(1)[0]! % 64) * 4}.0/22,size=26`];
}

export class Daemon implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-e2e-'));
  readonly bridge = `we${randomBytes(3).toString('hex')}`;
  readonly dataRoot: string;
  readonly execRoot = join(this.root, 'run');
  readonly socket = join(this.root, 'wherry.sock');
  readonly host = `unix://${this.socket}`;
  readonly pidfile = join(this.root, 'wherryd.pid');
  readonly logFile = join(this.root, 'wherryd.log');
  readonly docker: Docker;
  /** What the host had before this daemon. */
  readonly before: Inventory = inventory();
  readonly expectedErrors: RegExp[];
  readonly disk: Disk | undefined;
  readonly #options: DaemonOptions;
  pid = 0;
  #exit: Promise<number | null> = Promise.resolve(null);
  /** What it had open when it came up. */
  #descriptors: ReadonlyMap<string, number> = new Map();
  #disposed = false;

  private constructor(options: DaemonOptions, cli: string) {
    this.#options = options;
    this.dataRoot = options.dataRoot ?? join(this.root, 'data');
    this.expectedErrors = [...(options.expectedErrors ?? [])];
    mkdirSync(join(this.root, 'docker-config'));
    this.disk = options.disk === undefined ? undefined : new Disk(this.dataRoot, options.disk);
    this.docker = this.cli(cli);
  }

  static async open(options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = new Daemon(options, await dockerCli());
    await daemon.start();
    return daemon;
  }

  /** Another CLI, or this one, on the same daemon. */
  cli(file: string, host = this.host): Docker {
    return new Docker(file, host, join(this.root, 'docker-config'));
  }

  get marks(): string[] {
    return marksOf(this);
  }

  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  /** Its command line, for tests that start it themselves. */
  arguments(): string[] {
    return [
      '--data-root',
      this.dataRoot,
      '--exec-root',
      this.execRoot,
      '--pidfile',
      this.pidfile,
      '-H',
      this.host,
      '--bridge',
      this.bridge,
      ...(this.#options.args ?? []),
    ];
  }

  async start(): Promise<void> {
    this.disk?.mount();
    const log = openSync(this.logFile, 'a');
    const logged = this.log.length;
    const [file, ...args] = [...(this.#options.launcher ?? []), join(repository, 'bin/wherryd'), ...this.arguments()];
    const child = spawn(file!, args, {
      stdio: ['ignore', log, log],
      detached: true,
      env: { ...process.env, WHERRY_SOURCE: '1', LISTEN_FDS: undefined, ...this.#options.env },
    });
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
    await until(async () => ended || (await this.answers()), {
      timeoutMs: 20_000,
      what: () => `the daemon to answer; its log:\n${this.log.slice(-2000)}`,
    });
    if (ended) throw new Error(`the daemon ended at once; its log:\n${this.log.slice(-2000)}`);
    // It answers before it has opened all that it keeps open: two network namespaces among it, ready for the next starts.
    await until(() => this.log.slice(logged).includes('completed initialization'), { what: 'the daemon to be up' });
    const spares = (): number => filesUnder(join(this.execRoot, 'netns')).length;
    await until(() => spares() >= 2, { timeoutMs: 2000, what: 'spare namespaces' }).catch(() => {});
    // One look may miss a socket in the kernel's tables, which are read while others come and go.
    const looks = [descriptors(this.pid), descriptors(this.pid), descriptors(this.pid)];
    const kinds = new Set(looks.flatMap((look) => [...look.keys()]));
    this.#descriptors = new Map(
      [...kinds].map((kind) => [kind, Math.max(...looks.map((look) => look.get(kind) ?? 0))]),
    );
  }

  /** Kinds of descriptors of which there are more than when it came up. */
  moreDescriptors(): string[] {
    const now = descriptors(this.pid);
    const isPooled = (kind: string): boolean => kind.startsWith(`${this.execRoot}/netns/`);
    // Two network namespaces are kept ready for the next containers, each with a socket that sets it up.
    const pooled = [...now.keys()].filter(isPooled).length;
    const limits = new Map([...this.#descriptors, ['socket of another namespace', pooled]]);
    const more = [...now].flatMap(([kind, count]) => {
      // The runtimes' sealed copies are made with the first start.
      if (kind.startsWith('/memfd:') || (isPooled(kind) && count === 1)) return [];
      // Node holds one in reserve from the first time that it had none left.
      const limit = limits.get(kind) ?? (kind === '/' ? 1 : 0);
      return count > limit ? [`${kind}: ${count} and not ${limit}`] : [];
    });
    return pooled > 2 ? [...more, `network namespaces: ${pooled} and not 2`] : more;
  }

  /** Kills it and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | null> {
    if (this.pid === 0) return null;
    try {
      process.kill(this.pid, signal);
    } catch {
      // Gone already.
    }
    const late = setTimeout(() => process.kill(this.pid, 'SIGKILL'), 15_000);
    const code = await this.#exit;
    clearTimeout(late);
    this.pid = 0;
    return code;
  }

  async restart(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.kill(signal);
    await this.start();
  }

  answers(): Promise<boolean> {
    return this.api('GET', '/_ping').then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  /** One call of the Engine API, answered in JSON or text. */
  api(
    method: string,
    path: string,
    body?: unknown,
    socketPath = this.socket,
  ): Promise<{ status: number; body: unknown }> {
    return new Promise((done, reject) => {
      const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
      const message = request({ socketPath, method, path, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          let parsed: unknown = text;
          try {
            parsed = JSON.parse(text);
          } catch {
            // Text then.
          }
          done({ status: answer.statusCode ?? 0, body: parsed });
        });
      });
      message.setTimeout(20_000, () => message.destroy(new Error(`no answer to ${method} ${path}`)));
      message.on('error', reject);
      message.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Removes all containers and what only they held. */
  async clear(): Promise<void> {
    const ids = (await this.docker.ok('ps', '-aq', '--no-trunc')).split('\n').filter(Boolean);
    if (ids.length > 0) await this.docker.ok('rm', '-f', '-v', ...ids);
    const networks = (await this.docker.ok('network', 'ls', '-q', '--filter', 'type=custom'))
      .split('\n')
      .filter(Boolean);
    if (networks.length > 0) await this.docker.ok('network', 'rm', ...networks);
  }

  /** What `system verify` finds to be wrong. @throws AssertionError when it does not come to its end */
  async verify(path = '/wherry/verify', method = 'GET'): Promise<VerifyFinding[]> {
    const { body } = await this.api(method, path);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as VerifyMessage);
    assert.ok(lines.at(-1)?.Summary !== undefined, `the verification ended early: ${text.slice(-500)}`);
    return lines.flatMap(({ Finding }) => (Finding === undefined ? [] : [Finding]));
  }

  /** The most memory it ever had, in bytes. */
  peakMemory(): number {
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) * 1024;
  }

  /** From now on `peakMemory` tells of what comes. */
  resetPeakMemory(): void {
    writeFileSync(`/proc/${this.pid}/clear_refs`, '5');
  }

  unexpectedErrors(): string[] {
    return this.log
      .split('\n')
      .filter((line) => /level=(error|fatal)|^\s+at |Error:/.test(line))
      .filter((line) => !this.expectedErrors.some((pattern) => pattern.test(line)));
  }

  /** Ends it. @returns what is wrong afterwards: leaks, errors in its log */
  async close(): Promise<string[]> {
    if (this.#disposed) return [];
    this.#disposed = true;
    const wrong: string[] = [];
    try {
      if (this.pid === 0 || !(await this.answers())) {
        await this.kill();
        await this.start();
      }
      await this.clear();
      const files = filesUnder(join(this.execRoot, 'containers'));
      if (files.length > 0) wrong.push(`files in the exec root: ${files.join(', ')}`);
      await until(() => this.moreDescriptors().length === 0, { timeoutMs: 15_000, what: 'descriptors' }).catch(() =>
        wrong.push(...this.moreDescriptors().map((line) => `open descriptors: ${line}`)),
      );
      const code = await this.kill('SIGTERM');
      if (code !== 0) wrong.push(`the daemon ended with code ${code} on SIGTERM`);
    } catch (error) {
      wrong.push(String(error));
    }
    if (this.pid !== 0) await this.kill();
    try {
      this.disk?.unmount();
    } catch (error) {
      wrong.push(String(error));
    }
    wrong.push(...this.unexpectedErrors().map((line) => `log: ${line}`));
    const gone = (): string[] => leaked(this.before, inventory(), this.marks);
    await until(() => gone().length === 0, { timeoutMs: 15_000, what: 'no leaks' }).catch(() => wrong.push(...gone()));
    this.#sweep();
    return wrong;
  }

  /** By force, what should not be there: after a failure the next file must not suffer. */
  #sweep(): void {
    for (const { pid } of processesOf([this.root])) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // Gone by itself.
      }
    }
    const quietly = (file: string, ...args: string[]): void => {
      try {
        execFileSync(file, args, { stdio: 'ignore', timeout: 10_000 });
      } catch {
        // Was not there.
      }
    };
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[4] ?? '')
      .filter((path) => path.startsWith(`${this.root}/`));
    for (const path of mounts.reverse()) quietly('umount', '-l', path);
    if (existsSync(`/sys/class/net/${this.bridge}`)) quietly('ip', 'link', 'del', this.bridge);
    quietly('nft', 'delete', 'table', 'inet', `wherry_${hashOf(this.dataRoot)}`);
    for (const group of globSync(`/sys/fs/cgroup/{*/,}wherry-${hashOf(this.dataRoot)}`)) {
      quietly('find', group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';');
    }
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const wrong = await this.close();
    assert.deepEqual(wrong, [], 'the daemon leaves nothing behind and logs no error');
  }
}

/** Why end-to-end tests cannot run here; undefined when they can. */
export function cannotRun(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root: containers, namespaces and cgroups are made for real';
  return undefined;
}

export interface Host {
  readonly daemon: Daemon;
  readonly docker: Docker;
  /** A test on this daemon, skipped with the reason where it cannot run. */
  readonly scenario: (name: string, body: (context: TestContext) => Promise<void>, options?: ScenarioOptions) => void;
}

export interface ScenarioOptions {
  readonly timeoutMs?: number;
  readonly skip?: string | undefined;
  readonly todo?: string;
}

/** One daemon with a busybox image for all tests of a file. */
export async function sharedDaemon(options: DaemonOptions = {}): Promise<Host> {
  let reason = cannotRun();
  let daemon: Daemon | undefined;
  if (reason === undefined) {
    try {
      await dockerCli();
    } catch (error) {
      reason = (error as Error).message;
    }
  }
  if (reason === undefined) {
    daemon = await Daemon.open(options);
    await daemon.docker.ok('load', '-q', '-i', await busyboxImage());
  }
  const shared = daemon;
  after(async () => {
    await shared?.[Symbol.asyncDispose]();
  });
  return {
    get daemon(): Daemon {
      if (shared === undefined) throw new Error(reason);
      return shared;
    },
    get docker(): Docker {
      if (shared === undefined) throw new Error(reason);
      return shared.docker;
    },
    scenario: (name, body, { timeoutMs = 60_000, skip, todo } = {}) => {
      const why = reason ?? skip;
      test(
        name,
        { timeout: timeoutMs, ...(why === undefined ? {} : { skip: why }), ...(todo === undefined ? {} : { todo }) },
        (context) => firstError(() => body(context)),
      );
    },
  };
}
