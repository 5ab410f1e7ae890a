/**
 * A byte fuzzer: breaks a corpus of valid inputs (flips, splices, cuts, extreme lengths, nesting, repetition) and hands each to a check.
 * The same seed gives the same inputs. What fails is made small and told with the seed, so that it can become a named case.
 */

export interface FuzzOptions {
  readonly corpus: readonly (string | Uint8Array)[];
  /** Throws for an input that it should have withstood. */
  readonly check: (bytes: Buffer) => void | Promise<void>;
  readonly seed: number;
  readonly seconds: number;
  /** Words of the language, put in at random. */
  readonly words?: readonly string[];
  /** One input may take so much of the processor, however busy the machine is, and each further 10 KB of it as much again (1000 ms). */
  readonly slowestMs?: number;
  /** Told of each input before it is tried. */
  readonly onInput?: (bytes: Buffer) => void;
  /** Inputs are not made longer than this (64 KiB). */
  readonly longest?: number;
}

export class FuzzFailure extends Error {
  constructor(input: Buffer, seed: number, cause: unknown) {
    const shown = JSON.stringify(input.toString('latin1').slice(0, 2000));
    const why = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(`seed ${seed}, input of ${input.length} bytes ${shown}\nbase64 ${base64(input)}\n${why}`);
    this.name = 'FuzzFailure';
  }
}

/** @returns how many inputs were tried. @throws FuzzFailure with a small input */
export async function fuzzBytes(options: FuzzOptions): Promise<number> {
  const random = randomFrom(options.seed);
  const corpus = options.corpus.map((each) => Buffer.from(each));
  const end = performance.now() + options.seconds * 1000;
  let count = 0;
  for (const bytes of corpus) {
    const failure = await failureOf(bytes, options);
    if (failure !== undefined) throw new FuzzFailure(bytes, options.seed, failure.reason);
  }
  while (performance.now() < end) {
    const bytes = mutate(corpus, random, options);
    count++;
    const failure = await failureOf(bytes, options);
    if (failure === undefined) continue;
    const small = await shrink(bytes, options);
    throw new FuzzFailure(small, options.seed, (await failureOf(small, options))?.reason ?? failure.reason);
  }
  return count;
}

async function failureOf(bytes: Buffer, options: FuzzOptions): Promise<{ reason: unknown } | undefined> {
  const limit = (options.slowestMs ?? 1000) * (1 + bytes.length / 10_240);
  for (let round = 0; ; round++) {
    options.onInput?.(bytes);
    const before = process.threadCpuUsage();
    try {
      // A copy: what is changed in place must not be the input that is told.
      await options.check(Buffer.from(bytes));
    } catch (reason) {
      return { reason };
    }
    const { user, system } = process.threadCpuUsage(before);
    const took = (user + system) / 1000;
    if (took <= limit) return undefined;
    // It may have been the collector's turn: only what is slow three times is slow.
    if (round === 2)
      return { reason: new Error(`took ${Math.round(took)} ms, at most ${Math.round(limit)} are allowed`) };
  }
}

/** Leaves away what is not needed to fail, in ever smaller pieces. */
async function shrink(bytes: Buffer, options: FuzzOptions): Promise<Buffer> {
  let small = bytes;
  const end = performance.now() + 5000;
  for (let size = Math.ceil(small.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < small.length && performance.now() < end; ) {
      const without = Buffer.concat([small.subarray(0, at), small.subarray(at + size)]);
      if ((await failureOf(without, options)) === undefined) at += size;
      else small = without;
    }
  }
  return small;
}

type Random = (below: number) => number;

/** A linear congruential generator, its high bits. */
export function randomFrom(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return below <= 0 ? 0 : Math.floor((state / 2 ** 32) * below);
  };
}

const extremes = [
  '0',
  '-1',
  '1e999',
  '2147483648',
  '4294967296',
  '9007199254740993',
  '18446744073709551616',
  '00000000000',
];
const openers = ['[', '{"a":', '(', '{', '<', '${', '"', "'", '\\', '/', '- ', '../', '&a [*a,'];

export function mutate(
  corpus: readonly Buffer[],
  random: Random,
  { words = [], longest = 65_536 }: Pick<FuzzOptions, 'words' | 'longest'> = {},
): Buffer {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  let bytes = Buffer.from(pick(corpus));
  const insert = (at: number, piece: Uint8Array, over = 0): void => {
    bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + over)]);
  };
  const slice = (from: Buffer, most: number): Buffer => {
    const start = random(from.length + 1);
    return from.subarray(start, start + 1 + random(most));
  };
  const changes: (() => void)[] = [
    () => {
      if (bytes.length > 0) bytes[random(bytes.length)]! ^= 1 << random(8);
    },
    () => {
      if (bytes.length > 0)
        bytes[random(bytes.length)] = pick([0, 1, 9, 10, 13, 32, 34, 47, 58, 92, 127, 128, 192, 255]);
    },
    () => insert(random(bytes.length + 1), slice(pick(corpus), 64)),
    () => insert(random(bytes.length + 1), slice(pick(corpus), 16), random(32)),
    () => insert(random(bytes.length + 1), Buffer.alloc(0), 1 + random(32)),
    () => {
      bytes = bytes.subarray(0, random(bytes.length + 1));
    },
    () => {
      const numbers = [...bytes.toString('latin1').matchAll(/\d+/g)];
      if (numbers.length === 0) return;
      const { index, 0: digits } = pick(numbers);
      insert(index, Buffer.from(pick(extremes)), digits.length);
    },
    () => {
      const width = pick([1, 2, 4, 8]);
      const at = random(bytes.length + 1);
      insert(at, Buffer.alloc(width, pick([0, 0x7f, 0x80, 0xff])), width);
    },
    () => insert(random(bytes.length + 1), Buffer.from(pick(openers).repeat(1 + random(pick([4, 200, 5000]))))),
    () => {
      const piece = slice(bytes, 40);
      insert(random(bytes.length + 1), Buffer.concat(Array<Buffer>(1 + random(pick([4, 100, 2000]))).fill(piece)));
    },
    () => {
      if (words.length > 0) insert(random(bytes.length + 1), Buffer.from(pick(words)));
    },
  ];
  for (let round = random(5); round >= 0; round--) pick(changes)();
  return bytes.length > longest ? bytes.subarray(0, longest) : bytes;
}

function base64(input: Buffer): string {
  return input.length > 6000 ? `${input.toString('base64', 0, 6000)}… (cut)` : input.toString('base64');
}
