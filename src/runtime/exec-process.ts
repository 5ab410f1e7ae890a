/**
 * A process run in a container by the runtime's `exec` in the foreground, without a monitor: the runtime itself waits for it and
 * passes on its exit code. The runtime also holds the reading ends of the output pipes, so that a process outlives the daemon as
 * it would under a monitor: what it writes meets a full pipe and not a broken one.
 */
import { closeSync, existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { exited, pipePair, pipeStream, spawnProcess } from '../linux/index.ts';
import { runtimeWords, type StdioStream } from '../monitor/index.ts';
import { Fault, messageOf } from '../std/index.ts';

export interface ExecProcess {
  /** Runs the OCI process (runtime-spec "process"). The runtime has been loading meanwhile, and waits for it. Once only. */
  run(process: object): void;
  /** Lets the runtime end without having run anything. */
  cancel(): void;
  /** Input and output; absent when neither was asked for. */
  stdio: StdioStream | undefined;
  /** The process's pid on the host, once it runs. */
  pid(): number | undefined;
  /** How it ended; `failure` has the runtime's words when it never ran. */
  ended: Promise<{ exitCode: number; failure: string | undefined }>;
}

export interface ExecProcessOptions {
  runtime: string;
  /** The runtime's global arguments. */
  runtimeArguments: readonly string[];
  id: string;
  /** An empty folder for the pid file and the runtime's log. */
  folder: string;
  stdin: boolean;
  /** Whether somebody wants the output; else it goes to /dev/null. */
  attach: boolean;
}

/** After the process has ended, others may hold its output open (a job in the background): what they say soon is still passed on. */
const lingerMs = 200;
/** What a pipe holds (pipe(7)). */
const pipeBytes = 65_536;

/** The child's descriptor from which the runtime reads the process: nothing of it touches a disk. */
const specDescriptor = 4;

/** Starts the runtime, which then waits for `run`. @throws Fault unavailable when it cannot be executed */
export function startExecProcess(options: ExecProcessOptions): ExecProcess {
  const pidFile = `${options.folder}/pid`;
  const log = `${options.folder}/log`;
  const args = [...options.runtimeArguments, '--log', log, '--log-format', 'json', 'exec'];
  args.push('--process', `/proc/self/fd/${specDescriptor}`, '--pid-file', pidFile, options.id);
  const [alive, theirAlive] = pipePair();
  const [theirSpec, spec] = pipePair();
  const input = options.stdin ? pipePair() : undefined;
  const output = options.attach ? pipePair() : undefined;
  const errors = options.attach ? pipePair() : undefined;
  const descriptors = [
    input?.[0] ?? 'null',
    output?.[1] ?? 'null',
    errors?.[1] ?? 'null',
    theirAlive,
    theirSpec,
  ] as const;
  let child: number;
  try {
    child = spawnProcess(options.runtime, args, {
      cwd: options.folder,
      env: { PATH: process.env['PATH'] },
      descriptors: [...descriptors, ...[output, errors].flatMap((pipe) => (pipe === undefined ? [] : [pipe[0]]))],
    });
  } catch (error) {
    for (const end of [alive, spec, input?.[1], output?.[0], errors?.[0]]) if (end !== undefined) closeSync(end);
    throw new Fault('unavailable', `Cannot run ${options.runtime}: ${messageOf(error)}`, { cause: error });
  } finally {
    for (const end of descriptors) if (typeof end === 'number') closeSync(end);
  }
  const started = (): boolean => existsSync(pidFile);
  const stdio =
    output === undefined || errors === undefined
      ? undefined
      : new PipeStdio(input?.[1], { stdout: output[0], stderr: errors[0] }, started);
  if (stdio === undefined && input !== undefined) closeSync(input[1]);
  const specStream = pipeStream(spec, 'write');
  return {
    run: (process) => void specStream.end(JSON.stringify(process)),
    cancel: () => {
      specStream.destroy();
      stdio?.close();
    },
    stdio,
    pid: () => (started() ? Number(readFileSync(pidFile, 'utf8')) || undefined : undefined),
    ended: (async () => {
      const exitCode = await exited(child, pipeStream(alive, 'read'));
      const complaint = lastComplaint(log);
      const failure = started() && complaint === undefined ? undefined : (complaint ?? 'the runtime gave no reason');
      stdio?.processEnded(failure === undefined);
      return { exitCode, failure };
    })(),
  };
}

/** The last error in the runtime's log, which has one JSON object a line. */
function lastComplaint(log: string): string | undefined {
  if (!existsSync(log)) return undefined;
  const errors = readFileSync(log, 'utf8')
    .split('\n')
    .filter((line) => /"level": ?"(error|fatal)"/.test(line));
  return errors.length === 0 ? undefined : runtimeWords(errors.join('\n'));
}

class PipeStdio implements StdioStream {
  onOutput: StdioStream['onOutput'];
  onEnd: StdioStream['onEnd'];
  readonly #input: Socket | undefined;
  readonly #outputs: readonly Socket[];
  readonly #started: () => boolean;
  /** What came on stderr before the process ran: the runtime's own words, which it also logs. */
  #early: Buffer[] | undefined = [];
  #open = 2;
  #received = 0;
  #ended = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(input: number | undefined, outputs: { stdout: number; stderr: number }, started: () => boolean) {
    this.#started = started;
    this.#input = input === undefined ? undefined : pipeStream(input, 'write');
    this.#outputs = (['stdout', 'stderr'] as const).map((name) => {
      const stream = pipeStream(outputs[name], 'read');
      stream.on('data', (data: Buffer) => this.#receive(name, data));
      stream.once('close', () => {
        if (--this.#open === 0) this.#finish();
      });
      return stream;
    });
  }

  #receive(name: 'stdout' | 'stderr', data: Buffer): void {
    this.#received += data.length;
    if (name === 'stderr' && this.#early !== undefined) {
      this.#early.push(data);
      if (this.#started()) this.#releaseEarly();
      return;
    }
    this.onOutput?.(name, data);
  }

  #releaseEarly(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const data of early) this.onOutput?.('stderr', data);
  }

  /** The process is gone, with at most two full pipes still to be read. `ran`: it was started at all. */
  processEnded(ran: boolean): void {
    if (ran) this.#releaseEarly();
    else this.#early = [];
    if (this.#ended) return;
    const limit = this.#received + 2 * pipeBytes;
    let before = -1;
    this.#linger = setInterval(() => {
      if (this.#outputs.some((stream) => stream.isPaused())) return;
      if (this.#received === before || this.#received > limit) this.#finish();
      before = this.#received;
    }, lingerMs / 2);
  }

  #finish(): void {
    clearInterval(this.#linger);
    if (this.#ended) return;
    this.#ended = true;
    if (this.#early !== undefined && this.#started()) this.#releaseEarly();
    this.#input?.destroy();
    for (const stream of this.#outputs) stream.destroy();
    this.onEnd?.();
  }

  pause(): void {
    for (const stream of this.#outputs) stream.pause();
  }

  resume(): void {
    for (const stream of this.#outputs) stream.resume();
  }

  async write(data: Uint8Array): Promise<void> {
    const input = this.#input;
    if (input === undefined || input.destroyed || input.writableEnded) return;
    await new Promise<void>((resolve) => input.write(data, () => resolve()));
  }

  closeInput(): void {
    this.#input?.end();
  }

  /** The client is gone; the process goes on, and its output is read away. */
  close(): void {
    this.#input?.end();
    this.onOutput = undefined;
    this.onEnd = undefined;
    this.resume();
  }
}
