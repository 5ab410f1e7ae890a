/** Another client, a process of its own: asks `/_ping` again and again on fresh connections, and remembers the longest wait. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';

const everyMs = 50;

export interface Pings {
  count: number;
  longestMs: number;
  /** When that ping began, in milliseconds from the first. */
  longestAtMs: number;
  failures: string[];
}

/** Asks until it is stopped. */
export class Pinger {
  readonly #process: ChildProcess;

  private constructor(socketPath: string) {
    this.#process = fork(import.meta.filename, [socketPath], { execArgv: [] });
  }

  /** It is asking when this resolves. */
  static async start(socketPath: string): Promise<Pinger> {
    const pinger = new Pinger(socketPath);
    await once(pinger.#process, 'message');
    return pinger;
  }

  async stop(): Promise<Pings> {
    const pings = once(this.#process, 'message');
    this.#process.send('stop');
    const [result] = (await pings) as [Pings];
    this.#process.disconnect();
    return result;
  }
}

function ping(socketPath: string): Promise<void> {
  return new Promise((done, fail) => {
    const message = request({ socketPath, path: '/_ping', agent: false }, (answer) => {
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? done() : fail(new Error(`status ${answer.statusCode}`))));
      answer.on('error', fail);
    });
    message.setTimeout(10_000, () => message.destroy(new Error('no answer in 10 s')));
    message.on('error', fail);
    message.end();
  });
}

async function askOnAndOn(socketPath: string): Promise<void> {
  const pings: Pings = { count: 0, longestMs: 0, longestAtMs: 0, failures: [] };
  const stop = new AbortController();
  process.once('message', () => stop.abort());
  // The first is slow by itself, in a process that has loaded nothing yet.
  await ping(socketPath).catch(() => {});
  process.send?.('asking');
  const first = performance.now();
  while (!stop.signal.aborted) {
    const started = performance.now();
    try {
      await ping(socketPath);
      pings.count++;
    } catch (error) {
      pings.failures.push(String(error));
    }
    const took = performance.now() - started;
    if (took > pings.longestMs) Object.assign(pings, { longestMs: took, longestAtMs: started - first });
    await new Promise((done) => setTimeout(done, everyMs));
  }
  process.send?.(pings);
}

if (import.meta.main && process.send !== undefined) void askOnAndOn(process.argv[2]!);
