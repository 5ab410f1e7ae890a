/** Progress lines exactly as Docker's jsonmessage prints them, and at most one per bar every 100 ms. */
import type { ProgressMessage } from '../api/index.ts';
import { type Channel, explainDiskError, humanSize } from '../std/index.ts';

const intervalMs = 100;

/** `[====>      ]  1.2MB/3.4MB`. */
export function progressBar(current: number, total: number): string {
  if (current <= 0 && total <= 0) return '';
  if (total <= 0) return humanSize(current).padStart(8);
  const percentage = Math.min(Math.trunc(Math.trunc((current / total) * 100) / 2), 50);
  const box = `[${'='.repeat(percentage)}>${' '.repeat(50 - percentage)}] `;
  const numbers = humanSize(current).padStart(8);
  return current > total ? box + numbers : `${box}${numbers}/${humanSize(total)}`;
}

export function progressMessage(id: string, status: string, current?: number, total?: number): ProgressMessage {
  if (current === undefined) return { status, progressDetail: {}, id };
  const progressDetail = total === undefined || total <= 0 ? { current } : { current, total };
  const progress = progressBar(current, total ?? 0);
  return progress === '' ? { status, progressDetail, id } : { status, progressDetail, progress, id };
}

/** Where messages go. */
export interface ProgressSink {
  push(message: ProgressMessage): void;
}

/** Keeps messages back until what comes before them has been told. */
export class ProgressGate implements ProgressSink {
  readonly #output: ProgressSink;
  #waiting: ProgressMessage[] | undefined = [];

  constructor(output: ProgressSink) {
    this.#output = output;
  }

  push(message: ProgressMessage): void {
    if (this.#waiting === undefined) this.#output.push(message);
    else this.#waiting.push(message);
  }

  open(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.#output.push(message);
  }
}

/** Reports how far one thing is; the first and the last call always print. What must be done again is not seen going back. */
export class Meter {
  readonly #output: ProgressSink;
  readonly #id: string;
  readonly #status: string;
  #last = -Infinity;
  #furthest = -1;

  constructor(output: ProgressSink, id: string, status: string) {
    this.#output = output;
    this.#id = id;
    this.#status = status;
  }

  report(current: number, total: number): void {
    if (current <= this.#furthest) return;
    const now = performance.now();
    const finished = total > 0 && current >= total;
    if (now - this.#last < intervalMs && !finished) return;
    this.#last = now;
    this.#furthest = current;
    this.#output.push(progressMessage(this.#id, this.#status, current, total));
  }
}

/** A stream of messages made by `work`, which starts at once. Leaving the iteration aborts it. */
export function progressStream(
  output: Channel<ProgressMessage>,
  work: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): AsyncIterable<ProgressMessage> {
  const controller = new AbortController();
  const both = AbortSignal.any([signal, controller.signal]);
  const done = work(both).then(
    () => output.close(),
    (error: unknown) => output.fail(explainDiskError(error)),
  );
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* output;
      } finally {
        controller.abort(new Error('the client is gone'));
        await done;
      }
    },
  };
}
