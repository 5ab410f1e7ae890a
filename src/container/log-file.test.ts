import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { parseLogLine, readLog, renderEntry } from './log-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-log-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const line = (second: number, text: string, flag = 'F', stream = 'stdout'): string =>
  `2026-01-01T00:00:${String(second).padStart(2, '0')}.000000000+00:00 ${stream} ${flag} ${text}\n`;
const options = { tail: undefined, since: undefined, until: undefined, stdout: true, stderr: true, follow: undefined };
const signal = new AbortController().signal;

async function collect(path: string, changes: object = {}, abort = signal): Promise<string> {
  let text = '';
  for await (const entry of readLog(path, { ...options, ...changes }, abort)) text += entry.data.toString();
  return text;
}

describe('log files', () => {
  test('a line is read with its parts', () => {
    const entry = parseLogLine(Buffer.from(line(1, 'hi there', 'P', 'stderr').trimEnd()))!;
    assert.deepEqual([entry.stream, entry.partial, entry.data.toString()], ['stderr', true, 'hi there']);
    assert.equal(parseLogLine(Buffer.from('rubbish')), undefined);
    const full = parseLogLine(Buffer.from(line(1, 'x').trimEnd()))!;
    assert.equal(
      renderEntry(full, { timestamps: true, details: undefined }).toString(),
      '2026-01-01T00:00:01.000000000Z x\n',
    );
  });
  test('rotated files come first, tail counts whole lines over file borders', async () => {
    const path = join(folder, 'a.log');
    writeFileSync(`${path}.2`, line(1, 'one'));
    writeFileSync(`${path}.1`, line(2, 'two') + line(3, 'thr', 'P') + line(3, 'ee'));
    writeFileSync(path, line(4, 'four', 'F', 'stderr') + line(5, 'five'));
    assert.equal(await collect(path), 'one\ntwo\nthree\nfour\nfive\n');
    assert.equal(await collect(path, { tail: 3 }), 'three\nfour\nfive\n');
    assert.equal(await collect(path, { tail: 0 }), '');
    assert.equal(await collect(path, { tail: 99 }), 'one\ntwo\nthree\nfour\nfive\n');
    assert.equal(await collect(path, { tail: 2, stderr: false }), 'three\nfive\n');
    assert.equal(
      await collect(path, { since: BigInt(Date.parse('2026-01-01T00:00:04Z')) * 1_000_000n }),
      'four\nfive\n',
    );
    assert.equal(await collect(path, { until: BigInt(Date.parse('2026-01-01T00:00:02Z')) * 1_000_000n }), 'one\ntwo\n');
  });
  test('tail over a file larger than one chunk', async () => {
    const path = join(folder, 'big.log');
    writeFileSync(path, Array.from({ length: 20_000 }, (_, index) => line(index % 60, `line ${index}`)).join(''));
    assert.equal(await collect(path, { tail: 2 }), 'line 19998\nline 19999\n');
    assert.equal((await collect(path, { tail: 15_000 })).split('\n').length, 15_001);
  });
  test('following sees growth and a rotation, and ends after the last line', async () => {
    const path = join(folder, 'follow.log');
    writeFileSync(path, line(1, 'one'));
    let alive = true;
    let wake = (): void => {};
    const reading = collect(path, {
      follow: () => alive,
      onWake: (poke: () => void) => {
        wake = poke;
        return () => {};
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    appendFileSync(path, line(2, 'two'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    renameSync(path, `${path}.1`);
    writeFileSync(path, line(3, 'three'));
    await new Promise((resolve) => setTimeout(resolve, 700));
    appendFileSync(path, line(4, 'four'));
    alive = false;
    wake();
    assert.equal(await reading, 'one\ntwo\nthree\nfour\n');
  });
  test('a container that has said nothing yet has no file; an abort ends the wait', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    assert.equal(await collect(join(folder, 'none.log'), { follow: () => true }, controller.signal), '');
    assert.equal(await collect(join(folder, 'none.log')), '');
  });
});
