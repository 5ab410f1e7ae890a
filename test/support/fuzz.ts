/**
 * How long and from which seed fuzz tests run: briefly and always the same in the gate, long and new in `npm run fuzz`
 * (WHERRY_FUZZ_SECONDS for each test, WHERRY_FUZZ_SEED).
 */
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { faultKind } from '../../src/std/index.ts';
import { fuzzBytes, type FuzzOptions } from './byte-fuzzer.ts';
import { watchFuzzer } from './fuzz-watch.ts';

const asked = process.env['WHERRY_FUZZ_SECONDS'];
const long = asked !== undefined;
const seconds = Number(asked ?? '2');
const seed = Number(process.env['WHERRY_FUZZ_SEED'] ?? '20241127');
const timeout = seconds * 1000 + 60_000;

/** A byte fuzzer's test. */
export function fuzzed(name: string, options: Omit<FuzzOptions, 'seed' | 'seconds' | 'onInput'>): void {
  test(`bytes: ${name}`, { timeout }, async (context) => {
    using watch = watchFuzzer(seed);
    const count = await fuzzBytes({ ...options, seed, seconds, onInput: (bytes) => watch.trying(bytes) });
    context.diagnostic(`${count} inputs, seed ${seed}`);
  });
}

/** A property's test: for all values of `arbitrary` the check throws nothing. */
export function property<T>(
  name: string,
  arbitrary: fc.Arbitrary<T>,
  check: (value: T) => void | Promise<void>,
  options: { runs?: number; examples?: T[] } = {},
): void {
  test(`property: ${name}`, { timeout }, async () => {
    await fc.assert(
      fc.asyncProperty(arbitrary, async (value) => {
        await check(value);
        await turn();
      }),
      {
        seed,
        numRuns: long ? Number.MAX_SAFE_INTEGER : (options.runs ?? 300),
        interruptAfterTimeLimit: seconds * 1000,
        ...(options.examples === undefined ? {} : { examples: options.examples.map((each): [T] => [each]) }),
      },
    );
  });
}

/** Runs it; a fault that a person may read is as good as a result, and undefined. */
export function orFault<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (faultKind(error) === 'internal') throw error;
    return undefined;
  }
}

export async function orFaultLater<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (faultKind(error) === 'internal') throw error;
    return undefined;
  }
}
