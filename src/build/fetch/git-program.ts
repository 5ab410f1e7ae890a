/**
 * Runs git on what strangers made: nothing of the host's or the remote's configuration counts, no hook and no helper runs, it asks nobody
 * anything, and it speaks only the protocols it is told to. What proves who asks is in its environment, never in its arguments.
 */
import { spawn } from 'node:child_process';
import { errorCode, Fault, SpaceGuard } from '../../std/index.ts';

export interface GitRun {
  /** Of the repository; undefined where none is needed. */
  gitDir?: string;
  workTree?: string;
  protocols: readonly string[];
  /** Settings beside ours, as `git -c` takes them. */
  settings?: readonly (readonly [key: string, value: string])[];
  /** Of the SSH agent. */
  agent?: string | undefined;
  output: (stream: 'stdout' | 'stderr', data: Uint8Array) => void;
}

export interface GitResult {
  code: number;
  stdout: string;
  /** The end of it. */
  stderr: string;
}

export interface GitProgramOptions {
  /** PATH and proxies are taken of it. */
  env: NodeJS.ProcessEnv;
  /** Keys of SSH servers, as they were when they were first seen. */
  knownHosts: string;
  /** On the disk that it writes to. */
  root: string;
  /** Of one run. */
  milliseconds: number;
}

/** What comes of a remote's own making is bounded. */
const outputLimit = 1 << 20;
const errorsLimit = 16 << 10;
const lookMs = 1000;
/** What may come between two looks at the disk. */
const aheadBytes = 64 << 20;

const passedOn = [
  'PATH',
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
  'SSL_CERT_FILE',
];

const settings: readonly (readonly [string, string])[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.attributesFile', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['credential.helper', ''],
  ['init.defaultBranch', 'master'],
  ['advice.detachedHead', 'false'],
  // Who moved what when, on which host, is nobody's business.
  ['core.logAllRefUpdates', 'false'],
  // Nothing may go on when the run is over.
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  // A server that sends less in two minutes has hung up without saying so.
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '120'],
];

export class GitProgram {
  readonly #options: GitProgramOptions;
  readonly #guard: SpaceGuard;

  constructor(options: GitProgramOptions) {
    this.#options = options;
    this.#guard = new SpaceGuard(options.root);
  }

  /** @throws Fault unavailable when git is not installed, or takes too long; the signal's reason, when all it started has ended */
  async run(args: readonly string[], run: GitRun, signal: AbortSignal): Promise<GitResult> {
    signal.throwIfAborted();
    const { milliseconds } = this.#options;
    const full = new AbortController();
    const late = AbortSignal.timeout(milliseconds);
    const stop = AbortSignal.any([signal, late, full.signal]);
    // A group of its own: what it starts ends with it.
    const child = spawn('git', args, {
      cwd: run.workTree ?? '/',
      env: this.#environment(run),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const kill = (): void => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    };
    stop.addEventListener('abort', kill, { once: true });
    const look = setInterval(() => {
      try {
        this.#guard.spend(aheadBytes);
      } catch (error) {
        full.abort(error);
      }
    }, lookMs);
    const stdout = new Kept(outputLimit);
    const stderr = new Kept(errorsLimit);
    child.stdout.on('data', (data: Buffer) => {
      stdout.add(data);
      run.output('stdout', data);
    });
    child.stderr.on('data', (data: Buffer) => {
      stderr.addLast(data);
      run.output('stderr', data);
    });
    try {
      const code = await new Promise<number>((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (exit) => resolve(exit ?? 128));
      });
      signal.throwIfAborted();
      full.signal.throwIfAborted();
      if (late.aborted)
        throw new Fault('unavailable', `git ${args[0] ?? ''} took longer than ${milliseconds / 60_000} minutes`);
      return { code, stdout: stdout.text, stderr: stderr.text };
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
      const message =
        'git is not installed on the host of the daemon: install the package git, or add the files in another way';
      throw new Fault('unavailable', message, { cause: error });
    } finally {
      clearInterval(look);
      stop.removeEventListener('abort', kill);
    }
  }

  #environment(run: GitRun): NodeJS.ProcessEnv {
    const { env, knownHosts } = this.#options;
    const all = [...settings, ...(run.settings ?? [])];
    const counted = all.flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]);
    return {
      ...Object.fromEntries(passedOn.map((name) => [name, env[name]]).filter(([, value]) => value !== undefined)),
      HOME: '/dev/null',
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_COUNT: String(all.length),
      ...(Object.fromEntries(counted) as Record<string, string>),
      GIT_ALLOW_PROTOCOL: run.protocols.join(':'),
      GIT_TERMINAL_PROMPT: '0',
      SSH_ASKPASS_REQUIRE: 'never',
      GIT_SSH_VARIANT: 'ssh',
      GIT_SSH_COMMAND: `ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=${quoted(knownHosts)}`,
      ...(run.agent === undefined ? {} : { SSH_AUTH_SOCK: run.agent }),
      ...(run.gitDir === undefined ? {} : { GIT_DIR: run.gitDir }),
      ...(run.workTree === undefined ? {} : { GIT_WORK_TREE: run.workTree }),
    };
  }
}

/** For a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

class Kept {
  readonly #limit: number;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(data: Buffer): void {
    const room = this.#limit - this.#bytes.length;
    if (room > 0) this.#bytes = Buffer.concat([this.#bytes, data.subarray(0, room)]);
  }

  addLast(data: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, data]).subarray(-this.#limit);
  }

  get text(): string {
    return this.#bytes.toString();
  }
}
