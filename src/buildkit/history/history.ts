/**
 * What was built: a record of each build and its progress, as clients list them and read them again (`docker buildx history`). Bounded in number, age
 * and bytes. It is a memory, not a promise: what cannot be written down is left out, and no build fails for it.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  type WriteStream,
} from 'node:fs';
import { join } from 'node:path';
import { Channel, Fault, formatNanos, nowNanos, parseRfc3339, writeFileAtomic } from '../../std/index.ts';
import type { StatusMessage } from '../control/status.ts';
import { type GrpcFault, grpcCode } from '../grpc/status.ts';
import { statusResponse } from '../message/control.ts';
import { decode, encode } from '../protobuf/codec.ts';
import { type BuildRecord, detailsOf } from './record.ts';

export interface HistoryLimits {
  builds: number;
  days: number;
  /** Of all progress. */
  bytes: number;
  /** Of one build's; beyond it only steps are kept, not what they print. */
  logBytes: number;
}

const standard: HistoryLimits = { builds: 100, days: 30, bytes: 256 << 20, logBytes: 16 << 20 };

export type HistoryEvent = { type: 'started' | 'complete' | 'deleted'; record: BuildRecord };

/** Of one build, while it goes on. */
export interface Recorder {
  add(message: StatusMessage): void;
  end(outcome: { response: ReadonlyMap<string, string> } | { error: GrpcFault }): Promise<void>;
}

interface Active {
  log: WriteStream | undefined;
  /** Bytes given to the file so far. */
  written: number;
  followers: Set<Channel<Buffer>>;
}

const HEAD = 4;

export class BuildHistory {
  readonly #folder: string;
  readonly #limits: HistoryLimits;
  readonly #records = new Map<string, BuildRecord>();
  readonly #active = new Map<string, Active>();
  readonly #listeners = new Set<Channel<HistoryEvent>>();

  /** Reads what an earlier process left; what it did not bring to its end is told as cut off. */
  constructor(folder: string, limits: Partial<HistoryLimits> = {}) {
    this.#folder = folder;
    this.#limits = { ...standard, ...limits };
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const known = new Set<string>();
    for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
      try {
        const record = JSON.parse(readFileSync(join(folder, name), 'utf8')) as BuildRecord;
        if (record.completedAt === null) {
          record.completedAt = record.createdAt;
          record.error = { code: grpcCode.unavailable, message: 'the daemon ended while this was built', details: [] };
        }
        this.#records.set(record.ref, record);
        known.add(`${fileOf(record.ref)}.json`).add(`${fileOf(record.ref)}.log`);
      } catch {
        // Half written by a crash, or not ours: it goes below.
      }
    }
    for (const name of readdirSync(folder))
      if (!known.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
    this.#collect();
  }

  /** A build begins. One of the same name that is over makes room. */
  begin(of: Pick<BuildRecord, 'ref' | 'frontend' | 'attributes' | 'exporters'>): Recorder {
    const { ref } = of;
    this.#forget(ref);
    const record: BuildRecord = {
      ...of,
      attributes: withoutCredentials(of.attributes),
      createdAt: formatNanos(nowNanos()),
      completedAt: null,
      error: null,
      response: {},
      pinned: false,
      steps: { total: 0, completed: 0, cached: 0 },
      warnings: 0,
      generation: 1,
    };
    const log = createWriteStream(this.#path(ref, 'log'), { mode: 0o600 });
    const active: Active = { log, written: 0, followers: new Set() };
    // A full disk: what is told so far stays.
    log.on('error', () => (active.log = undefined));
    this.#records.set(ref, record);
    this.#active.set(ref, active);
    this.#tell({ type: 'started', record });
    const begun = this.#save(record);
    const steps = new Map<string, 'begun' | 'cached' | 'completed'>();
    return {
      add: (message) => {
        for (const { digest = '', completed, cached } of message.vertexes ?? [])
          steps.set(digest, completed === undefined ? 'begun' : cached === true ? 'cached' : 'completed');
        record.warnings += message.warnings?.length ?? 0;
        const isFull = active.written > this.#limits.logBytes;
        this.#write(active, isFull ? { ...message, logs: [], statuses: [] } : message);
      },
      end: async (outcome) => {
        if (this.#active.get(ref) !== active) return;
        const states = [...steps.values()];
        record.steps = {
          total: states.length,
          completed: states.filter((state) => state !== 'begun').length,
          cached: states.filter((state) => state === 'cached').length,
        };
        record.completedAt = formatNanos(nowNanos());
        if ('error' in outcome) {
          const { code, message, details } = outcome.error;
          record.error = { code, message, details: detailsOf(details) };
        } else record.response = Object.fromEntries(outcome.response);
        record.generation++;
        this.#active.delete(ref);
        await begun;
        await Promise.all([this.#save(record), ended(active)]);
        for (const follower of active.followers) follower.close();
        this.#tell({ type: 'complete', record });
        this.#collect();
      },
    };
  }

  has(ref: string): boolean {
    return this.#records.has(ref);
  }

  /** The newest first. */
  records(): BuildRecord[] {
    return [...this.#records.values()].sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  }

  /** All that changes from now on. */
  listen(): { events: Channel<HistoryEvent>; stop: () => void } {
    const events = new Channel<HistoryEvent>();
    this.#listeners.add(events);
    return {
      events,
      stop: () => {
        this.#listeners.delete(events);
        events.close();
      },
    };
  }

  /** A build's progress from its beginning; of one that goes on, to its end. @throws Fault not-found */
  async *progress(ref: string, signal: AbortSignal): AsyncGenerator<StatusMessage, void, void> {
    if (!this.#records.has(ref)) throw new Fault('not-found', `no such job ${ref}`);
    const active = this.#active.get(ref);
    const follower = new Channel<Buffer>();
    active?.followers.add(follower);
    const stop = (): void => follower.close();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const size = active?.written;
      if (active?.log !== undefined) await flushed(active.log);
      for await (const bytes of framesOf(this.#path(ref, 'log'), size)) yield decode(statusResponse, bytes);
      if (active === undefined) return;
      for await (const bytes of follower) yield decode(statusResponse, bytes);
    } finally {
      active?.followers.delete(follower);
      signal.removeEventListener('abort', stop);
    }
  }

  /** @throws Fault not-found */
  async pin(ref: string, pinned: boolean): Promise<void> {
    const record = this.#find(ref);
    record.pinned = pinned;
    record.generation++;
    if (record.completedAt !== null) await this.#save(record);
    this.#tell({ type: record.completedAt === null ? 'started' : 'complete', record });
  }

  /** @throws Fault not-found; conflict while it is built */
  delete(ref: string): void {
    const record = this.#find(ref);
    if (record.completedAt === null) throw new Fault('conflict', `Cannot delete build ${ref}: it goes on`);
    this.#forget(ref);
  }

  /** Forgets what came to no end (killed, cancelled), and with `all` whatever is over; not what is pinned. */
  prune({ all }: { all: boolean }): void {
    for (const { ref, completedAt, error, pinned } of this.records()) {
      const isCut = error !== null && (error.code === grpcCode.canceled || error.code === grpcCode.unavailable);
      if (completedAt !== null && !pinned && (all || isCut)) this.#forget(ref);
    }
  }

  #find(ref: string): BuildRecord {
    const record = this.#records.get(ref);
    if (record === undefined) throw new Fault('not-found', `failed to retrieve record ${ref}: no such record`);
    return record;
  }

  #forget(ref: string): void {
    const record = this.#records.get(ref);
    if (record === undefined) return;
    this.#records.delete(ref);
    for (const kind of ['json', 'log'] as const) rmSync(this.#path(ref, kind), { force: true });
    this.#tell({ type: 'deleted', record });
  }

  /** The oldest go: those that are too old, too many, or too large together. */
  #collect(): void {
    const oldest = nowNanos() - BigInt(this.#limits.days) * 86_400_000_000_000n;
    let [kept, bytes] = [0, 0];
    for (const { ref, pinned, completedAt } of this.records()) {
      const size = statSync(this.#path(ref, 'log'), { throwIfNoEntry: false })?.size ?? 0;
      kept++;
      bytes += size;
      if (completedAt === null || pinned) continue;
      const isOver =
        kept > this.#limits.builds || bytes > this.#limits.bytes || (parseRfc3339(completedAt) ?? 0n) < oldest;
      if (!isOver) continue;
      this.#forget(ref);
      kept--;
      bytes -= size;
    }
  }

  #write(active: Active, message: StatusMessage): void {
    const bytes = encode(statusResponse, message);
    if (bytes.length === 0) return;
    for (const follower of active.followers) follower.push(bytes);
    if (active.log === undefined) return;
    const head = Buffer.alloc(HEAD);
    head.writeUInt32BE(bytes.length);
    active.log.write(Buffer.concat([head, bytes]));
    active.written += HEAD + bytes.length;
  }

  async #save(record: BuildRecord): Promise<void> {
    try {
      await writeFileAtomic(this.#path(record.ref, 'json'), JSON.stringify(record), { durable: false });
    } catch {
      // It is known to this process.
    }
  }

  #tell(event: HistoryEvent): void {
    for (const listener of this.#listeners) listener.push(event);
  }

  #path(ref: string, kind: 'json' | 'log'): string {
    return join(this.#folder, `${fileOf(ref)}.${kind}`);
  }
}

/** `https://user:token@host/…`: who may read what was built need not know how. */
function withoutCredentials(attributes: BuildRecord['attributes']): BuildRecord['attributes'] {
  const clean = (value: string): string => value.replaceAll(/(:\/\/)[^/@\s]+@/g, '$1xxxxx@');
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, clean(value)]));
}

/** Clients choose references. */
function fileOf(ref: string): string {
  return createHash('sha256').update(ref).digest('hex');
}

function flushed(log: WriteStream): Promise<void> {
  return new Promise((resolve) => log.write('', () => resolve()));
}

function ended({ log }: Active): Promise<void> {
  if (log === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    log.once('close', () => resolve());
    log.end();
  });
}

/** Messages of a log, each behind its length; what a crash cut off at the end is left out. */
async function* framesOf(path: string, size: number | undefined): AsyncGenerator<Buffer, void, void> {
  if (size === 0 || statSync(path, { throwIfNoEntry: false }) === undefined) return;
  let rest = Buffer.alloc(0);
  for await (const chunk of createReadStream(path, size === undefined ? {} : { end: size - 1 })) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    let at = 0;
    while (rest.length - at >= HEAD) {
      const length = rest.readUInt32BE(at);
      if (rest.length - at - HEAD < length) break;
      yield rest.subarray(at + HEAD, at + HEAD + length);
      at += HEAD + length;
    }
    rest = rest.subarray(at);
  }
}
