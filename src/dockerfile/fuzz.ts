/**
 * A byte fuzzer to be run by hand: `node src/dockerfile/fuzz.ts [seconds] [seed]`. It breaks the fixtures' Dockerfiles at random and
 * reads them; an exception, a place outside the file, or a file that takes long ends it with the bytes to try again.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { check } from './check/check.ts';
import { parse } from './parse.ts';

const slowest = 500;

interface FuzzOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly corpus: readonly Uint8Array[];
}

/** @returns how many files were read. @throws Error with the bytes in base64 */
export function fuzz({ seconds, seed, corpus }: FuzzOptions): number {
  const random = randomFrom(seed);
  const end = Date.now() + seconds * 1000;
  let count = 0;
  while (Date.now() < end) {
    const bytes = mutate(corpus, random);
    tryOne(bytes);
    count++;
  }
  return count;
}

function tryOne(bytes: Uint8Array): void {
  const start = performance.now();
  try {
    const file = parse(bytes);
    for (const { range } of [...file.instructions, ...file.problems]) {
      if (range !== undefined && range.end.offset > bytes.length) throw new Error('a place outside the file');
    }
    check(file, {
      platform: new Map(),
      buildArgs: new Map(),
      baseImage: () => undefined,
      isIgnored: () => false,
      isReference: () => true,
      parsePlatform: () => undefined,
    });
  } catch (error) {
    throw new Error(`failed on ${Buffer.from(bytes).toString('base64')}`, { cause: error });
  }
  const took = performance.now() - start;
  if (took > slowest) throw new Error(`took ${took.toFixed(0)} ms on ${Buffer.from(bytes).toString('base64')}`);
}

function mutate(corpus: readonly Uint8Array[], random: (below: number) => number): Uint8Array {
  let bytes = Buffer.from(corpus[random(corpus.length)]!);
  for (let round = random(6); round >= 0; round--) {
    const at = random(bytes.length + 1);
    const other = corpus[random(corpus.length)]!;
    const from = random(other.length + 1);
    const piece = other.subarray(from, from + random(20));
    const kind = random(4);
    if (kind === 0) bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + random(10))]);
    else if (kind === 2 && at < bytes.length) bytes[at] = random(256);
    else
      bytes = Buffer.concat([
        bytes.subarray(0, at),
        Buffer.alloc(random(50), piece.length > 0 ? piece : 'a'),
        bytes.subarray(at),
      ]);
  }
  return bytes;
}

/** The same seed, the same files. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return below === 0 ? 0 : Math.floor((state / 2 ** 32) * below);
  };
}

if (import.meta.main) {
  const folder = resolve(import.meta.dirname, '../../test/fixtures/dockerfile');
  const corpus = readdirSync(folder).map((name) => readFileSync(join(folder, name, 'Dockerfile')));
  const [seconds = '20', seed = String(Date.now() % 1e6)] = process.argv.slice(2);
  const count = fuzz({ seconds: Number(seconds), seed: Number(seed), corpus });
  process.stdout.write(`${count} files in ${seconds} s, seed ${seed}\n`);
}
