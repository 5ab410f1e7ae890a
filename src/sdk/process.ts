/** A process in a container: its output while it comes, its input, its exit code. */
import { type Client, type Frame, type Hijacked, rawFrames, readFrames } from '../client/index.ts';
import { Fault } from '../std/index.ts';
import { environment, words } from './run-body.ts';
import type { CommandLine, RunOptions } from './run-options.ts';

export type Input = string | Uint8Array | AsyncIterable<Uint8Array>;

export interface ExecOptions {
  /** Written to its standard input, which then ends. */
  stdin?: Input;
  env?: RunOptions['env'];
  user?: string;
  workdir?: string;
  tty?: boolean;
  privileged?: boolean;
  /** Lets go of it. The process itself goes on: daemons end none for a client that left. */
  signal?: AbortSignal;
}

export interface ExecResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Its connection is closed when its output was read, or when it is disposed of. */
export class Process implements AsyncDisposable {
  readonly id: string;
  readonly #client: Client;
  readonly #stream: Hijacked;
  readonly #isTty: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #over = Promise.withResolvers<void>();
  #isRead = false;

  constructor(client: Client, id: string, stream: Hijacked, { tty = false, signal }: ExecOptions) {
    this.#client = client;
    this.id = id;
    this.#stream = stream;
    this.#isTty = tty;
    this.#signal = signal;
    signal?.addEventListener('abort', this.#leave, { once: true });
    if (signal?.aborted === true) this.#leave();
    this.#over.promise.catch(() => {});
  }

  /** Its output as it comes, once. */
  async *output(): AsyncGenerator<Frame, void> {
    if (this.#isRead) throw new Fault('invalid', 'Cannot read the output of a process twice: it is read as it comes');
    this.#isRead = true;
    try {
      yield* (this.#isTty ? rawFrames : readFrames)(this.#stream.output);
      this.#signal?.throwIfAborted();
      this.#over.resolve();
    } catch (error) {
      this.#over.reject(this.#signal?.aborted === true ? this.#signal.reason : error);
      throw error;
    } finally {
      this.#over.reject(new Fault('unavailable', 'the output of the process was left before its end'));
      this.#leave();
    }
  }

  write(input: string | Uint8Array): Promise<void> {
    return this.#stream.write(typeof input === 'string' ? Buffer.from(input) : input);
  }

  /** Its standard input ends. */
  endInput(): void {
    this.#stream.endInput();
  }

  resize(rows: number, columns: number): Promise<void> {
    return this.#client.execs.resize(this.id, rows, columns);
  }

  /** Waits for its end. Output that nobody reads is thrown away. */
  async exitCode(): Promise<number> {
    if (!this.#isRead) for await (const frame of this.output()) void frame;
    await this.#over.promise;
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 100)) {
      const { Running, ExitCode } = await this.#client.execs.inspect(this.id);
      if (!Running) return ExitCode ?? 0;
      // Daemons end the output a moment before they know the code; a process that closed its output goes on for long.
      await new Promise((later) => setTimeout(later, waitMs));
      this.#signal?.throwIfAborted();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#leave();
    return Promise.resolve();
  }

  readonly #leave = (): void => {
    this.#signal?.removeEventListener('abort', this.#leave);
    this.#stream.destroy();
  };
}

export async function startProcess(
  client: Client,
  container: string,
  command: CommandLine,
  options: ExecOptions,
): Promise<Process> {
  const { stdin, env, user, workdir, tty = false, privileged, signal } = options;
  signal?.throwIfAborted();
  const { Id } = await client.execs.create(container, {
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: tty,
    Cmd: words(command),
    ...(env === undefined ? {} : { Env: environment(env) }),
    ...(user === undefined ? {} : { User: user }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    ...(privileged === undefined ? {} : { Privileged: privileged }),
  });
  const process = new Process(client, Id, await client.execs.start(Id, { Detach: false, Tty: tty }), options);
  // A process that does not read to the end has the right to.
  if (stdin !== undefined) void feed(process, stdin).catch(() => {});
  return process;
}

async function feed(process: Process, input: Input): Promise<void> {
  if (typeof input === 'string' || input instanceof Uint8Array) await process.write(input);
  else for await (const chunk of input) await process.write(chunk);
  process.endInput();
}

/** As much of each stream as is kept. */
const mostOutput = 64 << 20;

/** @throws Fault invalid when it prints more than 64 MiB: read it as it comes then */
export async function execToEnd(
  client: Client,
  container: string,
  command: CommandLine,
  options: ExecOptions,
): Promise<ExecResult> {
  await using process = await startProcess(client, container, command, options);
  if (options.stdin === undefined) process.endInput();
  const { stdout, stderr } = await collect(process.output());
  return { exitCode: await process.exitCode(), stdout, stderr };
}

export async function collect(frames: AsyncIterable<Frame>): Promise<{ stdout: string; stderr: string }> {
  const chunks: Record<Frame['stream'], Uint8Array[]> = { stdout: [], stderr: [] };
  let kept = 0;
  for await (const { stream, data } of frames) {
    kept += data.length;
    if (kept > mostOutput)
      throw new Fault('invalid', `Cannot keep more than ${mostOutput >> 20} MiB of output: read it as it comes`);
    chunks[stream].push(data);
  }
  const text = (parts: Uint8Array[]): string => Buffer.concat(parts).toString('utf8');
  return { stdout: text(chunks.stdout), stderr: text(chunks.stderr) };
}
