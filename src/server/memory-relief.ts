/**
 * Memory goes back to the machine when a burst is over, and while it lasts. Large contexts, pulls and their like pass through as many
 * small buffers, which are freed, but not to the kernel: 245 MB after a context of 100,000 files, of which 60 were in use.
 */
import { trimHeap } from '../linux/index.ts';

export interface Memory {
  /** Bytes of this process that are in memory. */
  resident(): number;
  /** Collects garbage, all of it. */
  collect(): Promise<void>;
  trim(): void;
}

/** Less than this above the last time is not worth the milliseconds. */
const growthBytes = 24 << 20;
const calmMs = 1000;
const burstMs = 200;
/** Looks without growth until a burst is taken for over. */
const quietLooks = 15;

export class MemoryRelief implements Disposable {
  readonly #memory: Memory;
  #timer: NodeJS.Timeout | undefined;
  #base: number;
  #last: number;
  #quiet = 0;
  #isDisposed = false;
  /** A start is a burst. */
  #state: 'calm' | 'burst' | 'collected' = 'burst';

  constructor(memory: Memory = ownMemory()) {
    this.#memory = memory;
    this.#base = memory.resident();
    this.#last = this.#base;
    this.#next();
  }

  #next(): void {
    if (this.#isDisposed) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.look().finally(() => this.#next());
      },
      this.#state === 'calm' ? calmMs : burstMs,
    );
    this.#timer.unref();
  }

  async look(): Promise<void> {
    const now = this.#memory.resident();
    const isQuiet = now < this.#last + growthBytes / 4;
    this.#last = now;
    this.#quiet = isQuiet ? this.#quiet + 1 : 0;
    if (now > this.#base + growthBytes) {
      this.#trim();
      this.#state = 'burst';
    } else if (this.#state === 'burst' && this.#quiet >= quietLooks) {
      await this.#memory.collect();
      this.#state = 'collected';
    } else if (this.#state === 'collected') {
      // Not at once: buffers are freed beside the collection, and a little after it.
      this.#trim();
      this.#state = 'calm';
    }
  }

  #trim(): void {
    this.#memory.trim();
    this.#base = this.#memory.resident();
    this.#last = this.#base;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#isDisposed = true;
  }
}

function ownMemory(): Memory {
  let collector: ((options: { type: 'major'; execution: 'async' }) => Promise<void>) | undefined;
  return {
    resident: () => process.memoryUsage.rss(),
    collect: async () => {
      if (collector === undefined) {
        const [{ setFlagsFromString }, { runInNewContext }] = await Promise.all([import('node:v8'), import('node:vm')]);
        setFlagsFromString('--expose-gc');
        collector = runInNewContext('gc') as typeof collector;
      }
      await collector?.({ type: 'major', execution: 'async' });
    },
    trim: trimHeap,
  };
}
