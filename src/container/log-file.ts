/**
 * Log files as conmon writes them (the CRI format: `<RFC 3339> <stdout|stderr> <P|F> <text>`), the current file and its
 * rotated predecessors (`.1` is the youngest), read in order, from the end, or followed.
 */
import { type FSWatcher, watch } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { errorCode, formatNanosPadded, type Nanos, parseRfc3339 } from '../std/index.ts';

export interface LogEntry {
  stream: 'stdout' | 'stderr';
  at: Nanos;
  /** The bytes as written, newline included unless the line was cut short. */
  data: Buffer;
  partial: boolean;
}

const CHUNK = 256 << 10;
const NEWLINE = 10;

/** Existing files of this log, oldest first. */
export async function logFiles(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  let names: string[];
  try {
    names = await readdir(dirname(path));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
  const rotated = names
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .sort((a, b) => b - a)
    .map((number) => `${path}.${number}`);
  return names.includes(basename(path)) ? [...rotated, path] : rotated;
}

export function parseLogLine(line: Buffer): LogEntry | undefined {
  // "2026-11-24T00:14:49.828280007+00:00 stdout F text"
  const first = line.indexOf(32);
  const second = line.indexOf(32, first + 1);
  const third = line.indexOf(32, second + 1);
  if (first < 0 || second < 0) return undefined;
  const at = parseRfc3339(line.toString('latin1', 0, first));
  const stream = line.toString('latin1', first + 1, second);
  const flag = line.toString('latin1', second + 1, third < 0 ? line.length : third);
  if (at === undefined || (stream !== 'stdout' && stream !== 'stderr')) return undefined;
  const text = third < 0 ? Buffer.alloc(0) : line.subarray(third + 1);
  const partial = flag.startsWith('P');
  return { stream, at, partial, data: partial ? Buffer.from(text) : Buffer.concat([text, Buffer.of(NEWLINE)]) };
}

export interface ReadOptions {
  /** Entries from the end; undefined is all. */
  tail: number | undefined;
  since: Nanos | undefined;
  until: Nanos | undefined;
  stdout: boolean;
  stderr: boolean;
  /** While it returns true at the end of the file, wait for more. */
  follow: (() => boolean) | undefined;
  /** Wakes a waiting follower (the container ended). */
  onWake?: (wake: () => void) => () => void;
}

export async function* readLog(path: string, options: ReadOptions, signal: AbortSignal): AsyncGenerator<LogEntry> {
  const wanted = (entry: LogEntry): boolean => (entry.stream === 'stdout' ? options.stdout : options.stderr);
  const files = await logFiles(path);
  const start = options.tail === undefined ? { file: 0, offset: 0 } : await tailPosition(files, options.tail, wanted);
  const wait = new FileWaiter(path, options);
  try {
    for (let index = start.file; index < files.length || index === 0; index++) {
      const current = index >= files.length - 1;
      if (files.length === 0 && options.follow === undefined) return;
      const file = files[index] ?? path;
      const entries = readFrom(file, index === start.file ? start.offset : 0, current ? wait : undefined, signal);
      for await (const entry of entries) {
        if (signal.aborted) return;
        if (options.until !== undefined && entry.at > options.until) return;
        if (!wanted(entry) || (options.since !== undefined && entry.at < options.since)) continue;
        yield entry;
      }
      if (current) return;
    }
  } finally {
    wait.close();
  }
}

/** Waits for growth of the current log file; wakes at least every half second because inotify may be out of watches. */
class FileWaiter {
  readonly path: string;
  readonly #options: ReadOptions;
  #watcher: FSWatcher | undefined;
  #wake: (() => void) | undefined;
  #dirty = false;
  #unsubscribe: (() => void) | undefined;

  constructor(path: string, options: ReadOptions) {
    this.path = path;
    this.#options = options;
    if (options.follow === undefined) return;
    const poke = (): void => {
      this.#dirty = true;
      this.#wake?.();
    };
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, poke);
      this.#watcher.on('error', () => {});
    } catch {
      // Polling alone still follows.
    }
    this.#unsubscribe = options.onWake?.(poke);
  }

  /** Resolves true when there may be more, false when the log has ended or the client is gone. */
  async more(signal: AbortSignal): Promise<boolean> {
    if (this.#options.follow === undefined || signal.aborted) return false;
    if (this.#options.until !== undefined && BigInt(Date.now()) * 1_000_000n > this.#options.until) return false;
    if (!this.#options.follow()) return false;
    if (!this.#dirty) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 500);
        const done = (): void => {
          clearTimeout(timer);
          resolve();
        };
        this.#wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
      this.#wake = undefined;
    }
    this.#dirty = false;
    return !signal.aborted;
  }

  close(): void {
    this.#watcher?.close();
    this.#unsubscribe?.();
  }
}

async function* readFrom(
  file: string,
  offset: number,
  wait: FileWaiter | undefined,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  let handle = await openIfThere(file);
  let position = offset;
  let rest = Buffer.alloc(0);
  const buffer = Buffer.allocUnsafe(CHUNK);
  let finalPass = false;
  try {
    for (;;) {
      if (handle !== undefined) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK, position);
        if (bytesRead > 0) {
          position += bytesRead;
          const data =
            rest.length === 0 ? buffer.subarray(0, bytesRead) : Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
          let from = 0;
          for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, from)) {
            const entry = parseLogLine(data.subarray(from, end));
            from = end + 1;
            if (entry !== undefined) yield entry;
          }
          rest = Buffer.from(data.subarray(from));
          continue;
        }
      }
      // At the end: the file may have been rotated away under us, then go on with its successor.
      if (wait !== undefined && (handle === undefined || (await replaced(file, await handle.stat())))) {
        const next = await openIfThere(file);
        if (next !== undefined) {
          await handle?.close();
          handle = next;
          position = 0;
          rest = Buffer.alloc(0);
          continue;
        }
      }
      if (wait === undefined || finalPass) return;
      // One more pass after the container ended: its last lines were written before that.
      if (!(await wait.more(signal))) {
        if (signal.aborted) return;
        finalPass = true;
      }
    }
  } finally {
    await handle?.close();
  }
}

async function openIfThere(file: string): Promise<Awaited<ReturnType<typeof open>> | undefined> {
  try {
    return await open(file, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function replaced(file: string, held: { ino: number; size: number }): Promise<boolean> {
  try {
    return (await stat(file)).ino !== held.ino;
  } catch {
    return false;
  }
}

/** Where the last `count` wanted entries begin, found by reading backwards. */
async function tailPosition(
  files: readonly string[],
  count: number,
  wanted: (entry: LogEntry) => boolean,
): Promise<{ file: number; offset: number }> {
  if (count <= 0) {
    const last = files.length - 1;
    return { file: Math.max(0, last), offset: last < 0 ? 0 : (await stat(files[last]!)).size };
  }
  let left = count;
  const begun = new Set<string>();
  for (let index = files.length - 1; index >= 0; index--) {
    const handle = await open(files[index]!, 'r');
    try {
      let end = (await handle.stat()).size;
      let tail = Buffer.alloc(0);
      while (end > 0) {
        const size = Math.min(CHUNK, end);
        const chunk = Buffer.allocUnsafe(size);
        await handle.read(chunk, 0, size, end - size);
        end -= size;
        const data = Buffer.concat([chunk, tail]);
        // Whole lines after the first newline; the piece before it belongs to the next (earlier) chunk.
        const first = end === 0 ? -1 : data.indexOf(NEWLINE);
        if (end > 0 && first < 0) {
          tail = data;
          continue;
        }
        let lineEnd = data.length;
        if (data[lineEnd - 1] === NEWLINE) lineEnd--;
        while (lineEnd > first) {
          const lineStart = data.lastIndexOf(NEWLINE, lineEnd - 1) + 1;
          const entry = parseLogLine(data.subarray(lineStart, lineEnd));
          // A full line counts, and a last one that has no end yet; partial beginnings belong to what follows them.
          if (entry !== undefined && wanted(entry)) {
            if (!entry.partial || !begun.has(entry.stream)) {
              if (left === 0) return { file: index, offset: end + lineEnd + 1 };
              left--;
            }
            begun.add(entry.stream);
          }
          lineEnd = lineStart - 1;
          if (lineStart <= first + 1 || lineEnd < 0) break;
        }
        tail = data.subarray(0, first + 1);
      }
    } finally {
      await handle.close();
    }
  }
  return { file: 0, offset: 0 };
}

/** An entry's bytes as a client gets them. */
export function renderEntry(entry: LogEntry, options: { timestamps: boolean; details: string | undefined }): Buffer {
  if (!options.timestamps && options.details === undefined) return entry.data;
  const prefix = `${options.timestamps ? `${formatNanosPadded(entry.at)} ` : ''}${options.details === undefined ? '' : `${options.details} `}`;
  return Buffer.concat([Buffer.from(prefix), entry.data]);
}
