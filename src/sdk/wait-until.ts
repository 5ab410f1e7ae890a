/** Waits until conditions hold, and says what did not come, with the last lines of the log. */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, messageOf } from '../std/index.ts';
import type { Condition } from './condition.ts';
import type { Container } from './container.ts';
import { listens } from './listens.ts';

/** A container that was not ready in time, or ended before. */
export class ReadinessFault extends Fault {
  /** The last lines of its log. */
  readonly lastLines: readonly string[];

  constructor(message: string, lastLines: readonly string[], cause?: unknown) {
    super('unavailable', message, cause === undefined ? undefined : { cause });
    this.name = 'ReadinessFault';
    this.lastLines = lastLines;
  }
}

/** One thing that is waited for. */
interface Probe {
  /** What it waits for: "it answers GET /". */
  what: string;
  /** Resolves once it holds; rejects when it never will, or with the signal's reason. `tell` takes what it saw last. */
  wait(signal: AbortSignal, tell: (seen: string) => void): Promise<void>;
}

class Over extends Error {}

/** @throws ReadinessFault; the reason of the condition's signal; Fault invalid for what can never hold */
export async function waitUntil(container: Container, condition: Condition): Promise<void> {
  const { timeoutMs = 60_000, signal } = condition;
  signal?.throwIfAborted();
  const probes = probesOf(container, condition);
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(new Over(`after ${timeoutMs / 1000} s`)), timeoutMs);
  const all = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const waiting = new Map<string, string>(probes.map(({ what }) => [what, '']));
  const watch = watchExit(container, all).then((how) => {
    if (how !== undefined) stop.abort(new Over(how));
  });
  watch.catch(() => {});
  try {
    await Promise.all(
      probes.map(async (probe) => {
        await probe.wait(all, (seen) => waiting.set(probe.what, seen));
        waiting.delete(probe.what);
      }),
    );
  } catch (error) {
    signal?.throwIfAborted();
    const over = stop.signal.reason as unknown;
    if (!(over instanceof Over) && !(error instanceof Over)) throw error;
    throw await failure(container, waiting, (error instanceof Over ? error : (over as Over)).message);
  } finally {
    clearTimeout(late);
    stop.abort();
    await watch.catch(() => {});
  }
}

async function failure(
  container: Container,
  waiting: ReadonlyMap<string, string>,
  how: string,
): Promise<ReadinessFault> {
  const lines = await lastLines(container);
  const missing = [...waiting].map(([what, seen]) => (seen === '' ? what : `${what} (${seen})`)).join(', and ');
  const said =
    lines.length === 0 ? 'It printed nothing.' : `It last said:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  return new ReadinessFault(`"${container.name}" is not ready ${how}: waited until ${missing}. ${said}`, lines);
}

const shownLines = 20;

async function lastLines(container: Container): Promise<string[]> {
  const lines: string[] = [];
  try {
    for await (const { text } of container.logs({ tail: shownLines, signal: AbortSignal.timeout(5000) }))
      lines.push(text);
  } catch {
    // It is gone, and its log with it.
  }
  return lines;
}

/** How it ended; undefined when the signal came first, or when it will be started again. */
async function watchExit(container: Container, signal: AbortSignal): Promise<string | undefined> {
  const { HostConfig, State } = container.info;
  const isRestarted = !['', 'no', undefined].includes(HostConfig.RestartPolicy?.Name);
  if (isRestarted || State.Status === 'created') return undefined;
  try {
    const { exitCode } = await container.wait({ signal });
    return `because it ended with exit code ${exitCode}`;
  } catch (error) {
    return signal.aborted ? undefined : `because it is gone (${messageOf(error)})`;
  }
}

function probesOf(container: Container, condition: Condition): Probe[] {
  const { healthy, port, log, http, exec, check, intervalMs = 100 } = condition;
  const probes: Probe[] = [];
  const asking = (what: string, ask: (signal: AbortSignal, tell: (seen: string) => void) => Promise<boolean>): void => {
    probes.push({
      what,
      wait: async (signal, tell) => {
        while (!(await ask(signal, tell))) await sleep(intervalMs, undefined, { signal });
      },
    });
  };
  if (healthy === true) asking('it is healthy', (_, tell) => isHealthy(container, tell));
  if (http !== undefined) {
    const { path, port: given, status } = typeof http === 'string' ? { path: http } : http;
    const { host, port: published } = container.port(given ?? port ?? onlyPort(container));
    asking(`GET ${path} is answered`, (signal, tell) => answers({ host, port: published, path }, status, signal, tell));
  } else if (port !== undefined) {
    container.port(port);
    asking(`something listens on port ${port}`, (signal) => listens(container, port, signal));
  }
  if (log !== undefined) probes.push(logProbe(container, log));
  if (exec !== undefined) {
    asking(`${JSON.stringify(exec)} ends with 0`, async (signal, tell) => {
      const { exitCode, stdout, stderr } = await container.exec(exec, { signal });
      tell(`it ended with ${exitCode}: ${(stderr || stdout).trim().slice(-200)}`);
      return exitCode === 0;
    });
  }
  if (check !== undefined) {
    asking('the check says yes', async (signal, tell) => {
      try {
        return await check(container, signal);
      } catch (error) {
        tell(messageOf(error));
        return false;
      }
    });
  }
  return probes;
}

async function isHealthy(container: Container, tell: (seen: string) => void): Promise<boolean> {
  const { State } = await container.inspect();
  if (State.Health === undefined || (State.Health.Status as string) === 'none')
    throw new Fault('invalid', `"${container.name}" has no health check: give it one with { healthcheck }`);
  const { Status, Log } = State.Health;
  const last = (Log ?? []).at(-1);
  const output =
    last === undefined
      ? ''
      : `: its check ended with ${last.ExitCode}, ${JSON.stringify(last.Output.trim().slice(-200))}`;
  tell(`it is ${Status}${output}`);
  if (Status === 'unhealthy') throw new Over('because it is unhealthy');
  return Status === 'healthy';
}

function onlyPort(container: Container): number {
  const published = Object.entries(container.info.NetworkSettings.Ports ?? {}).filter(
    ([, bindings]) => bindings !== null,
  );
  if (published.length !== 1)
    throw new Fault(
      'invalid',
      `"${container.name}" publishes ${published.length} ports: say which, as in http: { path, port }`,
    );
  return Number.parseInt(published[0]![0], 10);
}

function answers(
  address: { host: string; port: number; path: string },
  status: number | undefined,
  signal: AbortSignal,
  tell: (seen: string) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ ...address, signal, agent: false, timeout: 5000 }, (answer) => {
      const { statusCode = 0 } = answer;
      tell(`the answer was ${statusCode}`);
      answer.resume();
      answer.on('close', () => resolve(status === undefined ? statusCode < 400 : statusCode === status));
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')));
    asked.on('error', (error) => {
      if (!signal.aborted) tell(error.message);
      resolve(false);
    });
    asked.end();
  });
}

function logProbe(container: Container, log: NonNullable<Condition['log']>): Probe {
  const { line, times } = typeof log === 'object' && 'times' in log ? log : { line: log, times: 1 };
  const matches = (text: string): boolean =>
    typeof line === 'string'
      ? text.includes(line)
      : new RegExp(line.source, line.flags.replace(/[gy]/g, '')).test(text);
  return {
    what: `its log has ${typeof line === 'string' ? JSON.stringify(line) : String(line)}${times === 1 ? '' : ` ${times} times`}`,
    wait: async (signal) => {
      let seen = 0;
      for await (const { text } of container.logs({ follow: true, signal })) {
        if (matches(text) && ++seen >= times) return;
      }
      // With what exit code, the watch is about to say.
      await sleep(1000, undefined, { signal });
      throw new Over('because it ended');
    },
  };
}
