/** Plain progress; the long script's text is what `docker buildx` 0.29.1 printed for the same reports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SolveStatus } from '../../../buildkit/index.ts';
import { log, status, vertex, warning } from './fixture.ts';
import { PlainPrinter } from './plain.ts';
import { Trace } from './trace.ts';

/** Reports a third of a second apart, each shown before the next. */
function printed(reports: readonly (SolveStatus | readonly SolveStatus[])[], stepMs = 300): string {
  let text = '';
  const trace = new Trace();
  const printer = new PlainPrinter((more) => (text += more), 'building with "default" instance using docker driver');
  let now = 0;
  for (const report of reports) {
    const all = Array.isArray(report) ? (report as readonly SolveStatus[]) : [report as SolveStatus];
    // The first of a burst is shown at once, the rest when it is over.
    for (const [index, each] of all.entries()) {
      trace.update(each);
      if (index === 0) printer.print(trace, now);
    }
    printer.print(trace, now + 100);
    now += stepMs;
  }
  printer.finish(trace, now);
  return text;
}

const layer = `sha256:${'cd'.repeat(32)}`;

test('a whole build, as buildx prints it', () => {
  const definition = '[internal] load build definition from Dockerfile';
  const from = '[base 1/4] FROM docker.io/library/alpine:3';
  const text = printed([
    vertex(1, definition, { start: 0 }),
    [
      status(1, 'transferring dockerfile:', { at: 40, start: 10, end: 40, current: 87 }),
      vertex(1, definition, { start: 0, end: 50 }),
      warning(1, "FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"),
    ],
    vertex(2, '[internal] load metadata for docker.io/library/alpine:3', { start: 60, end: 1260 }),
    [vertex(3, from, { start: 1300 }), vertex(4, '[internal] load build context', { start: 1300 })],
    [
      status(3, layer, { at: 1350, start: 1310, current: 1_000_000, total: 3_400_000 }),
      status(4, 'transferring context:', { at: 1350, start: 1310, current: 30_000 }),
    ],
    [
      status(3, layer, { at: 1400, start: 1310, current: 2_000_000, total: 3_400_000 }),
      status(4, 'transferring context:', { at: 1400, start: 1310, end: 1400, current: 1_234_567 }),
      vertex(4, '[internal] load build context', { start: 1300, end: 1402 }),
    ],
    [
      status(3, layer, { at: 1900, start: 1310, end: 1900, current: 3_400_000, total: 3_400_000 }),
      vertex(3, from, { start: 1300, end: 2000 }),
    ],
    vertex(5, '[base 2/4] RUN echo one', { start: 2000, end: 2000, cached: true }),
    vertex(6, '[base 3/4] COPY . /x', { start: 2000 }),
    vertex(6, '[base 3/4] COPY . /x', { start: 2000, end: 2130 }),
    vertex(7, '[base 4/4] RUN exit 7', { start: 2200 }),
    log(7, 2323, 'first line\nsecond '),
    log(7, 2424, 'line\n\nfourth with \ttab\rand return\n'),
    [log(7, 14_500, 'on stderr\n', 2), log(7, 142_500, 'unended')],
    Array.from({ length: 15 }, (_, index) => log(7, 142_600 + index, `${index === 0 ? '\n' : ''}many ${index}\n`)),
    [
      vertex(7, '[base 4/4] RUN exit 7', {
        start: 2200,
        end: 150_000,
        error: 'process "sh" did not complete: exit code: 7',
      }),
      vertex(9, '[stage-1 1/1] RUN other', { start: 2200, end: 150_001, error: 'context canceled' }),
    ],
  ]);
  const many = (from: number): string[] =>
    Array.from({ length: 15 - from }, (_, index) => `140.4 many ${index + from}`);
  assert.equal(
    text,
    [
      '#0 building with "default" instance using docker driver',
      '',
      '#1 [internal] load build definition from Dockerfile',
      '#1 transferring dockerfile: 87B 0.0s done',
      "#1 WARN: FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)",
      '#1 DONE 0.1s',
      '',
      '#2 [internal] load metadata for docker.io/library/alpine:3',
      '#2 DONE 1.2s',
      '',
      '#3 [base 1/4] FROM docker.io/library/alpine:3',
      `#3 ${layer} 1.00MB / 3.40MB 0.0s`,
      `#3 ${layer} 2.00MB / 3.40MB 0.1s`,
      '#3 ...',
      '',
      '#4 [internal] load build context',
      '#4 transferring context: 1.23MB 0.1s done',
      '#4 DONE 0.1s',
      '',
      '#3 [base 1/4] FROM docker.io/library/alpine:3',
      `#3 ${layer} 3.40MB / 3.40MB 0.6s done`,
      '#3 DONE 0.7s',
      '',
      '#5 [base 2/4] RUN echo one',
      '#5 CACHED',
      '',
      '#6 [base 3/4] COPY . /x',
      '#6 DONE 0.1s',
      '',
      '#7 [base 4/4] RUN exit 7',
      '#7 0.123 first line',
      '#7 0.123 second line',
      '#7 0.224 ',
      '#7 0.224 fourth with \ttab\rand return',
      '#7 12.30 on stderr',
      '#7 140.3 unended',
      ...many(0).map((line) => `#7 ${line}`),
      '#7 ERROR: process "sh" did not complete: exit code: 7',
      '',
      '#8 [stage-1 1/1] RUN other',
      '#8 CANCELED',
      '------',
      ' > [base 4/4] RUN exit 7:',
      ...many(5),
      '------',
      '',
    ].join('\n'),
  );
});

test('who says more gets the word; who waits long gets it too', () => {
  const loud = Array.from({ length: 60 }, (_, index) => log(2, index * 300, `loud ${index}\n`));
  const text = printed([
    [vertex(1, 'quiet', { start: 0 }), vertex(2, 'loud', { start: 0 })],
    log(1, 10, 'a word\n'),
    log(2, 20, 'first\n'),
    log(1, 30, 'and another\n'),
    ...loud,
  ]);
  assert.match(text, /#1 quiet\n#1 0\.010 a word\n/);
  assert.match(text, /#1 \.\.\.\n\n#2 loud\n#2 0\.020 first\n/);
  const turns = text.split('\n').filter((line) => line.endsWith(' ...'));
  assert.ok(turns.length >= 1 && turns.length <= 4, `${turns.length} turns`);
});

test('a step that is done again adds up, an overlap counts once', () => {
  const text = printed([
    vertex(1, 'twice', { start: 0, end: 1000 }),
    vertex(1, 'twice', { start: 2000 }),
    vertex(1, 'twice', { start: 2000, end: 2500 }),
  ]);
  assert.match(text, /DONE 1\.0s\n[^]*DONE 1\.5s\n$/);
});

test('letters that come in pieces, and bytes that are none', () => {
  const [first, second] = [Buffer.from('é\n').subarray(0, 1), Buffer.from('é\n').subarray(1)];
  const text = printed([
    vertex(1, 'x', { start: 0 }),
    log(1, 1, first),
    log(1, 1, second),
    log(1, 1, Buffer.from([0xff, 0x0a])),
  ]);
  assert.match(text, /#1 0\.001 é\n#1 0\.001 \ufffd\n/);
});

test('a status is told again when it gained a twentieth, or after five seconds', () => {
  const pull = (at: number, current: number): SolveStatus => status(1, 'l', { at, start: 0, current, total: 1000 });
  const text = printed([
    vertex(1, 'x', { start: 0 }),
    pull(100, 0),
    pull(200, 40),
    pull(300, 60),
    pull(400, 70),
    pull(5400, 71),
    vertex(1, 'x', { start: 0, end: 6000 }),
  ]);
  const told = text.split('\n').flatMap((line) => /^#1 l (\d+B) /.exec(line)?.[1] ?? []);
  assert.deepEqual(told, ['0B', '60B', '71B']);
});
