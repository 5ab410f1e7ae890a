/** Watches a fuzzer from another thread: a check that never comes back cannot tell of itself. */
import { writeSync } from 'node:fs';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const longest = 1 << 20;
const hangMs = 20_000;
/** Number of the input, its length. */
const headWords = 2;

export interface Watch extends Disposable {
  /** What is tried now; undefined between two. */
  trying(bytes: Buffer | undefined): void;
}

/** Ends the process with the input, when one takes longer than 20 seconds. */
export function watchFuzzer(seed: number): Watch {
  const shared = new SharedArrayBuffer(headWords * 4 + longest);
  const head = new Int32Array(shared, 0, headWords);
  const input = Buffer.from(shared, headWords * 4);
  const worker = new Worker(import.meta.filename, { workerData: { shared, seed } });
  worker.unref();
  return {
    trying(bytes) {
      Atomics.store(head, 1, bytes === undefined ? -1 : bytes.copy(input));
      Atomics.add(head, 0, 1);
    },
    [Symbol.dispose]: () => void worker.terminate(),
  };
}

if (!isMainThread && (workerData as { shared?: unknown } | null)?.shared instanceof SharedArrayBuffer) {
  const { shared, seed } = workerData as { shared: SharedArrayBuffer; seed: number };
  const head = new Int32Array(shared, 0, headWords);
  let seen = -1;
  let since = performance.now();
  setInterval(() => {
    const number = Atomics.load(head, 0);
    const length = Atomics.load(head, 1);
    if (number !== seen || length < 0) {
      seen = number;
      since = performance.now();
      return;
    }
    if (performance.now() - since < hangMs) return;
    const bytes = Buffer.from(shared, headWords * 4, length);
    writeSync(2, `fuzzer, seed ${seed}: an input of ${length} bytes hangs\nbase64 ${bytes.toString('base64')}\n`);
    process.kill(process.pid, 'SIGKILL');
  }, 500);
}
