/** Runs programs, the stock docker CLI above all, with a limit on everything: no call here can hang a test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
}

/** Runs a program to its end. A killed or timed-out one has code 137 and says so on stderr. Nothing is thrown for an exit code. */
export async function execute(file: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const { stdout, ...rest } = await executeBytes(file, args, options);
  return { ...rest, stdout: stdout.toString('utf8') };
}

/** As `execute`, for output that is not text. */
export function executeBytes(
  file: string,
  args: readonly string[],
  { input, timeoutMs = 30_000, env, cwd }: RunOptions = {},
): Promise<{ code: number; stdout: Buffer; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    const out: Buffer[] = [];
    let stderr = '';
    const timer = setTimeout(() => {
      stderr += `\n[${file} ran longer than ${timeoutMs} ms and is killed]`;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => {
      stderr += chunk.toString('utf8');
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, stdout: Buffer.alloc(0), stderr: error.message });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 137, stdout: Buffer.concat(out), stderr });
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}

/** Runs a program that must succeed. @returns its output without the last newline */
export async function must(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await execute(file, args, options);
  if (code !== 0) throw new Error(`${[file, ...args].join(' ')}: exit ${code}\n${stderr}${stdout}`.slice(0, 4000));
  return stdout.replace(/\n$/, '');
}

/** A program that runs beside the test: what it said so far, and its stdin. */
export class Running implements AsyncDisposable {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly exit: Promise<number>;

  constructor(file: string, args: readonly string[], options: RunOptions = {}) {
    this.child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    this.child.stdin?.on('error', () => {});
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString('utf8');
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString('utf8');
    });
    this.exit = new Promise((resolve) => {
      this.child.on('error', () => resolve(127));
      this.child.on('close', (code) => resolve(code ?? 137));
    });
  }

  write(text: string): void {
    this.child.stdin?.write(text);
  }

  async saw(pattern: RegExp, timeoutMs = 10_000): Promise<void> {
    await until(() => pattern.test(this.stdout + this.stderr), {
      timeoutMs,
      what: () => `output ${pattern}, got ${JSON.stringify(this.stdout + this.stderr).slice(-1000)}`,
    });
  }

  /** The exit code, or 137 after the limit. */
  async ended(timeoutMs = 15_000): Promise<number> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), timeoutMs);
    try {
      return await this.exit;
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.stdin?.destroy();
    this.child.kill('SIGKILL');
    await this.exit;
  }
}

/** Waits for a condition, asking every 50 ms. @throws Error naming what did not come */
export async function until(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs = 15_000, what }: { timeoutMs?: number; what: string | (() => string) },
): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end)
      throw new Error(`waited ${timeoutMs} ms for ${typeof what === 'string' ? what : what()}`);
    await sleep(50);
  }
}

/** A docker-like CLI pointed at one engine. */
export class Docker {
  readonly file: string;
  readonly env: Readonly<Record<string, string | undefined>>;

  constructor(file: string, host: string, configFolder: string) {
    this.file = file;
    this.env = {
      DOCKER_HOST: host,
      DOCKER_CONFIG: configFolder,
      DOCKER_CONTEXT: undefined,
      DOCKER_TLS_VERIFY: undefined,
      DOCKER_API_VERSION: undefined,
      WHERRY_HOST: host,
      NO_COLOR: '1',
    };
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return execute(this.file, args, { ...options, env: { ...this.env, ...options.env } });
  }

  bytes(args: readonly string[], options: RunOptions = {}): Promise<{ code: number; stdout: Buffer; stderr: string }> {
    return executeBytes(this.file, args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** Stdout of a command that must succeed, without the last newline. */
  ok(...args: string[]): Promise<string> {
    return must(this.file, args, { env: this.env, timeoutMs: 60_000 });
  }

  /** Stderr of a command that must fail, with its exit code in front: `125: docker: …`. */
  async fails(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(args);
    if (code === 0) throw new Error(`docker ${args.join(' ')} succeeded: ${stdout}`);
    return `${code}: ${stderr.trim()}`;
  }

  start(...args: string[]): Running {
    return new Running(this.file, args, { env: this.env });
  }

  /** The command on a terminal of its own (script(1), 30 by 90), which the test types into. */
  terminal(...args: string[]): Running {
    const line = [this.file, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
    return new Running('script', ['-qefc', `stty rows 30 cols 90; exec ${line}`, '/dev/null'], {
      env: { ...this.env, TERM: 'xterm' },
    });
  }

  /** One field of `inspect`, as JSON. */
  async inspect<T = unknown>(name: string, template: string): Promise<T> {
    return JSON.parse(await this.ok('inspect', '--format', `{{json ${template}}}`, name)) as T;
  }
}
