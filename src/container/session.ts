/** A client's connection to a process's stdio: the monitor's attach socket, or an exec's pipes, with a bounded queue, detach keys and half-close. */
import type { StdioFrame, StdioSession } from '../api/index.ts';
import type { StdioStream } from '../monitor/index.ts';
import { DetachScanner } from './detach-keys.ts';

/** Bytes queued for a slow client before the process itself is made to wait. */
const HIGH_WATER = 1 << 20;
/** What a frame takes beside its bytes, about: processes that print single characters make many. */
const FRAME_COST = 256;
/** How long a client may read nothing of what a process left behind. */
const PATIENCE_MS = 2000;

export interface SessionOptions {
  tty: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Whether the end of the client's input is the end of the process's. */
  closesStdin: boolean;
  detachKeys: number[] | undefined;
  /** Sent before anything live (attach with logs=1). */
  preface?: AsyncIterable<StdioFrame>;
  onDetachKeys: () => void;
  onClosed: () => void;
}

export class ProcessSession implements StdioSession {
  readonly tty: boolean;
  readonly output: AsyncIterable<StdioFrame>;
  /** The client let go; the process may run on. */
  detached = false;
  readonly #options: SessionOptions;
  readonly #scanner: DetachScanner | undefined;
  #stream: StdioStream | undefined;
  #queue: StdioFrame[] = [];
  #queued = 0;
  #ended = false;
  #inputClosed = false;
  /** Input that came before there was a process to take it. */
  #early: Uint8Array[] = [];
  #earlySize = 0;
  /** The process has been given what came early: what comes now goes right to it. */
  #ready = false;
  /** Wakes input that waits for that. */
  #waiting: (() => void)[] = [];
  #wake: (() => void) | undefined;
  /** Frames that the client took. */
  #taken = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.tty = options.tty;
    this.#scanner = options.detachKeys === undefined ? undefined : new DetachScanner(options.detachKeys);
    this.output = this.#frames();
  }

  /** Connects to the process; input that came before is sent now. */
  connect(stream: StdioStream): void {
    this.#stream = stream;
    stream.onOutput = (name, data) => {
      if (this.#ended || !(name === 'stdout' ? this.#options.stdout : this.#options.stderr)) return;
      this.#queue.push({ stream: name, data });
      this.#queued += costOf(data);
      if (this.#queued > HIGH_WATER) stream.pause();
      this.#wake?.();
    };
    stream.onEnd = () => this.#end();
    if (this.#ended) {
      stream.close();
      return;
    }
    const early = this.#early;
    this.#early = [];
    if (this.#options.stdin) {
      void (async () => {
        for (const data of early) await stream.write(data);
        this.#ready = true;
        this.#release();
        if (this.#inputClosed && this.#options.closesStdin) stream.closeInput();
      })();
    }
  }

  async write(data: Uint8Array): Promise<void> {
    if (this.#ended || this.#inputClosed) return;
    const { pass, detached } = this.#scanner?.feed(data) ?? { pass: data, detached: false };
    if (pass.length > 0 && this.#options.stdin) {
      if (this.#stream === undefined && this.#earlySize < HIGH_WATER) {
        this.#early.push(pass);
        this.#earlySize += costOf(pass);
      } else {
        // Not before what came earlier, and while there is no process not more than is held.
        if (!this.#ready) await new Promise<void>((resolve) => this.#waiting.push(resolve));
        if (!this.#ended) await this.#stream?.write(pass);
      }
    }
    if (detached) {
      this.#options.onDetachKeys();
      this.detach();
    }
  }

  closeInput(): void {
    if (this.#inputClosed) return;
    this.#inputClosed = true;
    if (this.#ready && this.#options.closesStdin) this.#stream?.closeInput();
  }

  detach(): void {
    if (!this.#ended) this.detached = true;
    this.#stream?.close();
    this.#end();
  }

  /** The process is gone. What it left is for those who read it; who takes none of it lets go. */
  processEnded(): void {
    if (this.#ended || this.#watch !== undefined) return;
    let before = this.#taken;
    this.#watch = setInterval(() => {
      if (this.#queued > HIGH_WATER && this.#taken === before) this.detach();
      before = this.#taken;
    }, PATIENCE_MS);
    this.#watch.unref();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#watch);
    this.#wake?.();
    this.#release();
    this.#options.onClosed();
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }

  async *#frames(): AsyncGenerator<StdioFrame> {
    if (this.#options.preface !== undefined) yield* this.#options.preface;
    for (;;) {
      const frames = this.#queue;
      this.#queue = [];
      for (const frame of frames) {
        yield frame;
        this.#taken++;
      }
      if (this.#queued > HIGH_WATER) this.#stream?.resume();
      this.#queued = this.#queue.reduce((sum, frame) => sum + costOf(frame.data), 0);
      if (this.#queue.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}

function costOf(data: Uint8Array): number {
  return data.length + FRAME_COST;
}
