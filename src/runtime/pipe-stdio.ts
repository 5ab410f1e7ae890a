/** A process's input and output over plain pipes, with what the runtime itself says before the process runs kept out of them. */
import type { Socket } from 'node:net';
import { pipeStream } from '../linux/index.ts';
import type { StdioStream } from '../monitor/index.ts';

/** After the process has ended, others may hold its output open (a job in the background): what they say soon is still passed on. */
const lingerMs = 200;
/** What a pipe holds (pipe(7)). */
const pipeBytes = 65_536;

/** Owns the descriptors. `started` tells whether the process runs, or ran. */
export class PipeStdio implements StdioStream {
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
