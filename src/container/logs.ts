/** `logs`, the bound on their size, and their way to syslog and journald. */
import { renameSync, rmSync, statSync } from 'node:fs';
import type { LogOptions, StdioFrame } from '../api/index.ts';
import { reopenLog } from '../monitor/index.ts';
import { errorCode, Fault, messageOf } from '../std/index.ts';
import { bundleDirectory, type Context, type Live, logPath } from './context.ts';
import { readLog, renderEntry } from './log-file.ts';
import { environmentKey } from './merge.ts';
import { logLimits } from './log-limits.ts';

/** @throws Fault invalid without a stream; not-implemented for the driver `none` */
export function containerLogs(
  context: Context,
  live: Live,
  options: LogOptions,
  signal: AbortSignal,
): { tty: boolean; frames: AsyncIterable<StdioFrame> } {
  if (!options.stdout && !options.stderr)
    throw new Fault('invalid', 'Bad parameters: you must choose at least one stream');
  const { record } = live;
  if (record.hostConfig.LogConfig?.Type === 'none')
    throw new Fault('not-implemented', 'configured logging driver does not support reading');
  const run = live.run;
  const details = options.details ? detailText(live) : undefined;
  async function* frames(): AsyncGenerator<StdioFrame> {
    const midLine = { stdout: false, stderr: false };
    const entries = readLog(
      logPath(context, record.id),
      {
        tail: options.tail,
        since: options.since,
        until: options.until,
        stdout: options.stdout,
        stderr: options.stderr,
        // Follows this run; a restart by the policy goes on in the same log.
        follow: options.follow
          ? () =>
              (run !== undefined && live.run === run) ||
              live.restart !== undefined ||
              (live.run !== undefined && live.run !== run)
          : undefined,
        onWake: (wake) => {
          const exited = live.exited;
          void exited?.promise.then(wake);
          return () => {};
        },
      },
      signal,
    );
    for await (const entry of entries) {
      // A piece of a line already begun carries no second timestamp.
      const prefix = !midLine[entry.stream];
      midLine[entry.stream] = entry.partial;
      yield {
        stream: entry.stream,
        data: prefix ? renderEntry(entry, { timestamps: options.timestamps, details }) : entry.data,
      };
    }
  }
  return { tty: record.config.Tty ?? false, frames: frames() };
}

/** "k=v,k2=v2" of the labels and variables that the log options name. */
function detailText(live: Live): string {
  const { config, hostConfig } = live.record;
  const options = hostConfig.LogConfig?.Config ?? {};
  const split = (key: string): string[] => (options[key] ?? '').split(',').filter(Boolean);
  const pairs: [string, string][] = [];
  for (const label of split('labels')) {
    const value = config.Labels?.[label];
    if (value !== undefined) pairs.push([label, value]);
  }
  for (const name of split('env')) {
    const entry = (config.Env ?? []).find((candidate) => environmentKey(candidate) === name);
    if (entry !== undefined) pairs.push([name, entry.slice(name.length + 1)]);
  }
  return pairs
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`)
    .join(',');
}

/** Looks at every running container's log and rotates what has grown past its bound. */
export function rotateLogs(context: Context): Disposable {
  const timer = setInterval(() => {
    for (const live of context.live.values()) {
      if (live.run === undefined) continue;
      try {
        rotate(context, live);
      } catch (error) {
        context.log.warn('cannot rotate a log', { container: live.record.id, error: messageOf(error) });
      }
    }
  }, 1000);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function rotate(context: Context, live: Live): void {
  const { record } = live;
  const { maxSize, maxFiles } = logLimits(record.hostConfig.LogConfig?.Config ?? {});
  if (maxSize === undefined || record.hostConfig.LogConfig?.Type === 'none') return;
  const path = logPath(context, record.id);
  let size;
  try {
    ({ size } = statSync(path));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  if (size < maxSize) return;
  rmSync(`${path}.${maxFiles - 1}`, { force: true });
  for (let number = maxFiles - 2; number >= 1; number--) moveIfThere(`${path}.${number}`, `${path}.${number + 1}`);
  if (maxFiles > 1) renameSync(path, `${path}.1`);
  else rmSync(path);
  // Until conmon reads this it goes on writing to the file it holds, wherever that is now: no line is lost.
  context.background(
    reopenLog(bundleDirectory(context, record.id)).catch((error: unknown) =>
      context.log.debug('a log could not be reopened', { container: record.id, error: messageOf(error) }),
    ),
  );
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
