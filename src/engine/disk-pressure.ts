/** `image-gc`: when the file system of the data root runs low, the build cache and images give back what can be had again. Off unless it is set. */
import { bytesSize, Fault, freeSpace, type FreeSpace, type Logger, messageOf, parseBytes } from '../std/index.ts';

/** A fill level: the part of the file system that is used (0.85), or the bytes that are left. */
type Mark = { used: number } | { left: number };

export interface GcMarks {
  /** Freeing begins when the file system is fuller than this… */
  high: Mark;
  /** …and ends when it is no fuller than this. */
  low: Mark;
}

/** "85%" used, or "20GB" left. @throws Fault invalid */
export function parseGcMarks(values: Readonly<Record<string, unknown>>): GcMarks | undefined {
  for (const key of Object.keys(values)) {
    if (key !== 'high' && key !== 'low')
      throw new Fault(
        'invalid',
        `invalid image-gc: unknown key "${key}"; wanted high and low, as in high=85%, low=75%`,
      );
  }
  if (values['high'] === undefined) {
    if (values['low'] === undefined) return undefined;
    throw new Fault('invalid', 'invalid image-gc: low without high; wanted both, as in high=85%, low=75%');
  }
  const high = parseMark('high', values['high']);
  const low = values['low'] === undefined ? lowFor(high) : parseMark('low', values['low']);
  if ('used' in high !== 'used' in low)
    throw new Fault(
      'invalid',
      'invalid image-gc: high and low must both be parts that are used (85%) or both bytes that are left (20GB)',
    );
  if (fullness(low) >= fullness(high))
    throw new Fault('invalid', 'invalid image-gc: low must be less full than high, as in high=85%, low=75%');
  return { high, low };
}

function parseMark(key: string, value: unknown): Mark {
  const text = typeof value === 'string' ? value.trim() : JSON.stringify(value);
  const part = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const used = Number(part?.[1]) / 100;
  if (part !== null && used > 0 && used < 1) return { used };
  const left = part === null ? parseBytes(text) : undefined;
  if (left !== undefined && left > 0) return { left };
  throw new Fault(
    'invalid',
    `invalid image-gc: ${key}=${text}; wanted the part that is used (85%) or the bytes that are left (20GB)`,
  );
}

/** Ten parts in a hundred below, or twice as much left. */
function lowFor(high: Mark): Mark {
  return 'used' in high ? { used: Math.max(high.used - 0.1, high.used / 2) } : { left: high.left * 2 };
}

function fullness(mark: Mark): number {
  return 'used' in mark ? mark.used : -mark.left;
}

/** Bytes to free: 0 until the file system is fuller than `high`, then what brings it to `low`. */
export function bytesToFree(space: FreeSpace, { high, low }: GcMarks): number {
  return missing(space, high) > 0 ? Math.max(0, missing(space, low)) : 0;
}

function missing({ total, available }: FreeSpace, mark: Mark): number {
  return ('used' in mark ? Math.round(total * (1 - mark.used)) : mark.left) - available;
}

/** Something that can be made or fetched again. */
export interface SpaceSource {
  /** Gives back so many bytes, if it can. Returns how many. */
  freeSpace(bytes: number): Promise<number>;
}

const lookEveryMs = 10_000;

export class DiskPressure implements AsyncDisposable {
  readonly #dataRoot: string;
  readonly #marks: GcMarks;
  readonly #sources: readonly SpaceSource[];
  readonly #log: Logger;
  readonly #timer: NodeJS.Timeout;
  #work: Promise<void> | undefined;
  #again = false;
  /** It was said that nothing more can be freed. */
  #warned = false;

  /** @param options.sources who can give something back, the first one first */
  constructor(options: { dataRoot: string; marks: GcMarks; sources: readonly SpaceSource[]; log: Logger }) {
    this.#dataRoot = options.dataRoot;
    this.#marks = options.marks;
    this.#sources = options.sources;
    this.#log = options.log;
    this.#timer = setInterval(() => this.look(), lookEveryMs);
    this.#timer.unref();
  }

  /** Something was written, or time has passed. One look at a time; who asks meanwhile has one after it. */
  look(): void {
    if (this.#work !== undefined) {
      this.#again = true;
      return;
    }
    this.#again = false;
    this.#work = this.#relieve().then(() => {
      this.#work = undefined;
      if (this.#again) this.look();
    });
  }

  async #relieve(): Promise<void> {
    try {
      const need = bytesToFree(freeSpace(this.#dataRoot), this.#marks);
      if (need === 0) {
        this.#warned = false;
        return;
      }
      let freed = 0;
      for (const source of this.#sources) {
        const missing = bytesToFree(freeSpace(this.#dataRoot), { high: this.#marks.low, low: this.#marks.low });
        if (missing > 0) freed += await source.freeSpace(missing);
      }
      const left = bytesToFree(freeSpace(this.#dataRoot), this.#marks);
      if (left === 0 || (this.#warned && freed === 0)) return;
      this.#warned = true;
      this.#log.warn(
        'the disk runs low, and no more can be freed unasked; see: wherry system df, wherry system prune',
        {
          path: this.#dataRoot,
          freed: bytesSize(freed),
          available: bytesSize(freeSpace(this.#dataRoot).available),
        },
      );
    } catch (error) {
      this.#log.error('cannot free space on disk', { error: messageOf(error) });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    while (this.#work !== undefined) await this.#work;
  }
}
