/** One container. Disposing of it stops and removes it, with its anonymous volumes. */
import type { ContainerInspect } from '../api/index.ts';
import { ApiFault, type Figures, figuresOf, type Frame, rawFrames, readFrames } from '../client/index.ts';
import { Fault } from '../std/index.ts';
import type { Condition } from './condition.ts';
import type { Daemon } from './daemon.ts';
import { ended } from './ended.ts';
import { copyIn, copyOut, type FileOptions, getTar, putTar, readFile, writeFiles } from './files.ts';
import { ifThere } from './if-there.ts';
import { type LogLine, logLines } from './log-lines.ts';
import { type ExecOptions, type ExecResult, execToEnd, type Process, startProcess } from './process.ts';
import { portKey, type PublishedAddress, publishedAt } from './published.ts';
import type { CommandLine } from './run-options.ts';
import { waitUntil } from './wait-until.ts';

export interface LogOptions {
  /** Goes on until the container ends, the loop is left or the signal is aborted. */
  follow?: boolean;
  /** The last lines only. */
  tail?: number;
  since?: Date;
  /** One stream only. */
  stream?: 'stdout' | 'stderr';
  /** Each line begins with its time (RFC 3339). */
  timestamps?: boolean;
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
}

export interface StopOptions {
  /** How long it may take before it is killed; if not given, its own `stopTimeoutMs`, or 10 s. */
  timeoutMs?: number;
  signal?: string;
}

export class Container implements AsyncDisposable {
  readonly id: string;
  readonly #daemon: Daemon;
  readonly #removal: Removal | undefined;
  #info: ContainerInspect;

  /** @param removal of a container that the daemon removes by itself: asked for before it was started, for later is too late */
  constructor(daemon: Daemon, info: ContainerInspect, removal?: Removal) {
    this.#daemon = daemon;
    this.id = info.Id;
    this.#info = info;
    this.#removal = removal;
  }

  get name(): string {
    return this.#info.Name.replace(/^\//, '');
  }

  /** What the daemon said of it when it was last looked at: at its start, by `inspect`. */
  get info(): ContainerInspect {
    return this.#info;
  }

  async inspect(): Promise<ContainerInspect> {
    this.#info = await this.#daemon.client.containers.inspect(this.id);
    return this.#info;
  }

  /** Where a published port is reached: `port(80)`, `port('53/udp')`. @throws Fault invalid when it is not published */
  port(port: number | string): PublishedAddress {
    return publishedAt(this.#info, portKey(port), this.#daemon);
  }

  /** Its address in a network; without a name, in the first that has one. */
  address(network?: string): string {
    const { Networks } = this.#info.NetworkSettings;
    const found =
      network === undefined ? Object.values(Networks).find(({ IPAddress }) => IPAddress !== '') : Networks[network];
    if (found === undefined || found.IPAddress === '')
      throw new Fault('invalid', `"${this.name}" has no address${network === undefined ? '' : ` in ${network}`}`);
    return found.IPAddress;
  }

  async start(): Promise<void> {
    await this.#daemon.client.containers.start(this.id);
    await this.inspect();
  }

  async stop({ timeoutMs, signal }: StopOptions = {}): Promise<void> {
    await this.#daemon.client.containers.stop(this.id, { t: seconds(timeoutMs), signal });
  }

  /** Ports that were published on free ones may be others afterwards. */
  async restart({ timeoutMs, signal }: StopOptions = {}): Promise<void> {
    await this.#daemon.client.containers.restart(this.id, { t: seconds(timeoutMs), signal });
    await this.inspect();
  }

  kill(signal = 'SIGKILL'): Promise<void> {
    return this.#daemon.client.containers.kill(this.id, signal);
  }

  pause(): Promise<void> {
    return this.#daemon.client.containers.pause(this.id);
  }

  unpause(): Promise<void> {
    return this.#daemon.client.containers.unpause(this.id);
  }

  /** Also while it runs, and with its anonymous volumes. */
  remove(): Promise<void> {
    return this.#daemon.client.containers.remove(this.id, { force: true, v: true });
  }

  /** Waits for its end. */
  async wait({ signal }: { signal?: AbortSignal } = {}): Promise<{ exitCode: number }> {
    if (this.#removal !== undefined) return this.#removal.wait(signal);
    const { result } = await this.#daemon.client.containers.wait(this.id, 'not-running', signal);
    try {
      return exitOf(await result);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  /** @throws ReadinessFault with the last lines of the log, when it does not hold in time */
  waitUntil(condition: Condition): Promise<void> {
    return waitUntil(this, condition);
  }

  /** Its log by lines. */
  logs(options: LogOptions = {}): AsyncGenerator<LogLine, void> {
    return logLines(this.output(options));
  }

  /** Its log as it comes, however it is cut. */
  async *output({
    follow = false,
    tail,
    since,
    stream,
    timestamps = false,
    signal,
  }: LogOptions = {}): AsyncGenerator<Frame, void> {
    const { client } = this.#daemon;
    async function* read(id: string, tty: boolean): AsyncGenerator<Frame, void> {
      const query = {
        follow,
        timestamps,
        stdout: stream !== 'stderr',
        stderr: stream !== 'stdout',
        tail: tail === undefined ? undefined : String(tail),
        since: since === undefined ? undefined : (since.getTime() / 1000).toFixed(3),
      };
      const bytes = await client.containers.logs(id, query, signal);
      yield* (tty ? rawFrames : readFrames)(bytes);
    }
    yield* ended(read(this.id, this.#info.Config.Tty === true), signal);
  }

  /** Runs a command in it to its end. A text is run by the image's shell. */
  exec(command: CommandLine, options: ExecOptions = {}): Promise<ExecResult> {
    return execToEnd(this.#daemon.client, this.id, command, options);
  }

  /** Starts a command in it: its output is read as it comes, its input is written as it is wanted. */
  spawn(command: CommandLine, options: ExecOptions = {}): Promise<Process> {
    return startProcess(this.#daemon.client, this.id, command, options);
  }

  /** What it uses, about once a second, until the loop is left, it ends or the signal is aborted. */
  async *stats({ signal }: { signal?: AbortSignal } = {}): AsyncGenerator<Figures, void> {
    const samples = this.#daemon.client.containers.stats(this.id, { stream: 'true' }, signal);
    for await (const sample of ended(samples, signal)) {
      // The first has nothing to be compared with.
      if ((sample.precpu_stats?.system_cpu_usage ?? 0) > 0) yield figuresOf(sample);
    }
  }

  /** Copies a file or folder of this machine into it, as `docker cp` does. */
  copyIn(source: string, target: string): Promise<void> {
    return copyIn(this.#daemon.client, this.id, source, target);
  }

  /** Copies a file or folder of it to this machine, as `docker cp` does. */
  copyOut(source: string, target: string): Promise<void> {
    return copyOut(this.#daemon.client, this.id, source, target);
  }

  /** Unpacks an archive in a folder of it. */
  putTar(tar: AsyncIterable<Uint8Array>, folder: string): Promise<void> {
    return putTar(this.#daemon.client, this.id, tar, folder);
  }

  /** An archive of a file or folder, as it comes. Docker locks the container until it was read. */
  getTar(path: string): AsyncGenerator<Uint8Array, void> {
    return getTar(this.#daemon.client, this.id, path);
  }

  writeFile(path: string, content: string | Uint8Array, options?: FileOptions): Promise<void> {
    return writeFiles(this.#daemon.client, this.id, { [path]: content }, options);
  }

  async readFile(path: string): Promise<Uint8Array> {
    return readFile(this.#daemon.client, this.id, path);
  }

  async readText(path: string): Promise<string> {
    return (await readFile(this.#daemon.client, this.id, path)).toString('utf8');
  }

  /** An image of its files as they are. @returns its id */
  async commit(name?: string, options: { labels?: Readonly<Record<string, string>> } = {}): Promise<string> {
    const { repo, tag } = splitName(name);
    const labels = options.labels === undefined ? {} : { Labels: options.labels };
    return (await this.#daemon.client.containers.commit({ container: this.id, repo, tag }, labels)).Id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { containers } = this.#daemon.client;
    // One that keeps nothing needs no time to write it down.
    if (this.#keepsData()) await ifThere(containers.stop(this.id, { t: seconds(this.#stopTimeoutMs()) }));
    try {
      await ifThere(this.remove());
    } catch (error) {
      if (!(error instanceof ApiFault) || error.status !== 409) throw error;
      // Another removal is under way: ours, or the daemon's own.
      await ifThere(containers.wait(this.id, 'removed').then(({ result }) => result));
    }
    this.#removal?.leave();
  }

  #stopTimeoutMs(): number | undefined {
    const { StopTimeout } = this.#info.Config;
    return StopTimeout === undefined || StopTimeout === null ? undefined : StopTimeout * 1000;
  }

  /** Whether something that it writes is there after it: a named volume, a folder of the host. Or its stop was given a time. */
  #keepsData(): boolean {
    return (
      this.#stopTimeoutMs() !== undefined ||
      this.#info.Mounts.some(
        ({ Type, Name, RW }) => RW && (Type === 'bind' || (Type === 'volume' && !isAnonymous(Name))),
      )
    );
  }
}

/** Names that daemons make up. */
function isAnonymous(name: string | undefined): boolean {
  return name !== undefined && /^[0-9a-f]{64}$/.test(name);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
}

function splitName(name: string | undefined): { repo: string | undefined; tag: string | undefined } {
  if (name === undefined) return { repo: undefined, tag: undefined };
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/')
    ? { repo: name.slice(0, colon), tag: name.slice(colon + 1) }
    : { repo: name, tag: undefined };
}

export function exitOf(result: { StatusCode: number; Error?: { Message: string } | null }): { exitCode: number } {
  if (result.Error?.Message) throw new Fault('internal', result.Error.Message);
  return { exitCode: result.StatusCode };
}

/** The end of a container that the daemon removes by itself. It does not hold the process alive unless somebody waits. */
export class Removal {
  readonly #end: Promise<{ exitCode: number }>;
  readonly #hold: (on: boolean) => void;
  readonly #cancel: () => void;

  constructor(end: Promise<{ exitCode: number }>, hold: (on: boolean) => void, cancel: () => void) {
    this.#end = end;
    this.#hold = hold;
    this.#cancel = cancel;
    end.catch(() => {});
    hold(false);
  }

  async wait(signal: AbortSignal | undefined): Promise<{ exitCode: number }> {
    signal?.throwIfAborted();
    this.#hold(true);
    const aborted = Promise.withResolvers<never>();
    const stop = (): void => aborted.reject(signal?.reason);
    signal?.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([this.#end, aborted.promise]);
    } finally {
      signal?.removeEventListener('abort', stop);
      this.#hold(false);
    }
  }

  leave(): void {
    this.#cancel();
  }
}
