/** Lines, however the bytes come. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Frame } from '../client/index.ts';
import { logLines } from './log-lines.ts';

async function linesOf(frames: Frame[]): Promise<string[]> {
  async function* come() {
    yield* frames;
  }
  const lines: string[] = [];
  for await (const { stream, text } of logLines(come())) lines.push(`${stream}: ${text}`);
  return lines;
}

test('each stream has lines of its own; the last needs no newline; a terminal’s carriage return is none', async () => {
  const out = (text: string): Frame => ({ stream: 'stdout', data: Buffer.from(text) });
  const err = (text: string): Frame => ({ stream: 'stderr', data: Buffer.from(text) });
  assert.deepEqual(await linesOf([out('a'), err('x\ny'), out('b\r\n\nc'), err('z')]), [
    'stderr: x',
    'stdout: ab',
    'stdout: ',
    'stdout: c',
    'stderr: yz',
  ]);
});

test('characters that are cut come whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.stringMatching(/^[äöü€😀a-z]{0,20}$/u)),
      fc.integer({ min: 1, max: 7 }),
      async (texts, size) => {
        const bytes = Buffer.from(texts.map((text) => `${text}\n`).join(''));
        const frames: Frame[] = [];
        for (let at = 0; at < bytes.length; at += size)
          frames.push({ stream: 'stdout', data: bytes.subarray(at, at + size) });
        assert.deepEqual(
          await linesOf(frames),
          texts.map((text) => `stdout: ${text}`),
        );
      },
    ),
    { numRuns: 50 },
  );
});

test('a line without an end comes in pieces', async () => {
  const data = Buffer.alloc((1 << 20) + 5, 'x');
  const lines = await linesOf([{ stream: 'stdout', data }]);
  assert.deepEqual(
    lines.map((line) => line.length - 'stdout: '.length),
    [1 << 20, 5],
  );
});
