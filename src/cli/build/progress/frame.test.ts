/** What a terminal shows, at sizes it may have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SolveStatus } from '../../../buildkit/index.ts';
import { displayWidth } from '../../output/display-width.ts';
import { frame, type FrameOptions } from './frame.ts';
import { instant, log, status, vertex, warning } from './fixture.ts';
import { Trace } from './trace.ts';
import { cleaned, windowLines } from './window.ts';

function traceOf(...reports: readonly SolveStatus[]): Trace {
  const trace = new Trace();
  for (const each of reports) trace.update(each);
  return trace;
}

const options: FrameOptions = {
  width: 60,
  height: 24,
  now: instant(3000),
  seconds: 3.2,
  description: 'wherry:default',
  isLast: false,
};

function shown(trace: Trace, more: Partial<FrameOptions> = {}): string[] {
  return frame(trace, { ...options, ...more }).map(({ text }) => text);
}

const build = traceOf(
  vertex(1, '[internal] load build definition', { start: 0, end: 100 }),
  status(1, 'transferring dockerfile:', { at: 90, start: 10, end: 90, current: 87 }),
  vertex(2, '[1/3] FROM alpine', { start: 100, end: 100, cached: true }),
  vertex(3, '[2/3] RUN make', { start: 500 }),
  log(3, 600, 'compiling a\ncompiling b\n'),
  vertex(4, '[other 1/1] RUN long', { start: 500 }),
  status(4, 'sha256:abc', { at: 2000, start: 1000, current: 1_500_000, total: 3_000_000 }),
  vertex(5, 'not begun'),
);

test('a line for each step and each transfer, the last output of what runs', () => {
  assert.deepEqual(shown(build), [
    '[+] Building 3.2s (2/5)                      wherry:default',
    ' => [internal] load build definition                    0.1s',
    ' => => transferring dockerfile: 87B                     0.1s',
    ' => CACHED [1/3] FROM alpine                            0.0s',
    ' => [2/3] RUN make                                      2.5s',
    ' => => # compiling a',
    ' => => # compiling b',
    ' => [other 1/1] RUN long                                2.5s',
    ' => => sha256:abc 1.50MB / 3.00MB                       2.0s',
  ]);
});

test('colours tell what is done, failed and stopped', () => {
  const trace = traceOf(
    vertex(1, 'a', { start: 0, end: 1 }),
    vertex(2, 'b', { start: 0, end: 1, error: 'exit code: 1' }),
    vertex(3, 'c', { start: 0, end: 1, error: 'context canceled' }),
    vertex(4, 'd', { start: 0 }),
    warning(1, 'careful'),
  );
  const lines = frame(trace, options).map(({ text, color }) => [text.trim().split(/ {2,}/)[0], color]);
  assert.deepEqual(lines.slice(1), [
    ['=> a', 'done'],
    ['=> WARN: careful', 'canceled'],
    ['=> ERROR b', 'error'],
    ['=> CANCELED c', 'canceled'],
    ['=> d', undefined],
  ]);
});

test('the last frame says that it is finished, and shows everything', () => {
  const trace = traceOf(
    ...Array.from({ length: 30 }, (_, index) => vertex(index, `step ${index}`, { start: 0, end: 1 })),
  );
  assert.equal(shown(trace).length, 23);
  const last = shown(trace, { isLast: true });
  assert.equal(last.length, 31);
  assert.match(last[0]!, /\(30\/30\) FINISHED/);
});

test('never higher than the terminal, and what runs stays in sight', () => {
  const steps = Array.from({ length: 30 }, (_, index) =>
    vertex(index, `step ${index}`, index % 7 === 0 ? { start: 0 } : { start: 0, end: 1 }),
  );
  for (const height of [1, 2, 3, 5, 8, 12, 24, 60]) {
    const lines = shown(traceOf(...steps, log(0, 1, 'output\n')), { height });
    assert.ok(lines.length <= Math.max(1, height - 1), `${lines.length} lines in ${height}`);
    if (height < 8) continue;
    for (const running of [0, 7, 14, 21, 28]) {
      assert.ok(
        lines.some((line) => line.includes(`=> step ${running} `)),
        `step ${running} at ${height}`,
      );
    }
  }
});

test('never wider than the terminal, wide letters too', () => {
  const trace = traceOf(
    vertex(1, `RUN ${'漢字'.repeat(40)}`, { start: 0 }),
    log(1, 1, `${'👍'.repeat(50)}\n`),
    status(1, 'x'.repeat(100), { at: 1, start: 0, current: 1_000_000, total: 2_000_000 }),
    vertex(2, 'tab\there \u001b[31mred\u001b[0m', { start: 0, end: 1 }),
  );
  for (const width of [20, 30, 45, 80, 200]) {
    for (const line of shown(trace, { width })) assert.ok(displayWidth(line) <= width, `${width}: ${line}`);
  }
  assert.ok(shown(trace).some((line) => line.startsWith(' => tab    here red ')));
});

test('output that moves the cursor or sets colours shows as it ends', () => {
  assert.equal(cleaned('\u001b[1;31mred\u001b[0m and \u001b]0;title\u0007plain'), 'red and plain');
  assert.equal(cleaned(' 1%\r 50%\r100%'), '100%');
  assert.equal(cleaned('done\r'), 'done');
  assert.deepEqual(windowLines(['0.1 a', '0.2 ', '0.3 \u001b[2K', '0.4 b'], 6), ['a', 'b']);
});
