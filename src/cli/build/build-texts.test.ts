/** What is printed after a build: excerpts, warnings, checks, the cache, raw reports. As buildx 0.29.1 prints it, where it does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerText } from './answer.ts';
import { cacheDetails, cacheTable, filterCache } from './cache-list.ts';
import { excerpt } from './excerpt.ts';
import { log, status, vertex, warning } from './progress/fixture.ts';
import { rawJsonLine } from './progress/raw-json.ts';
import { warningsText } from './warnings.ts';

const text = 'FROM alpine:3 as base\nRUN echo one\nCOPY . /x\nRUN exit 7\nFROM base\nCMD sh\n';
const lines = (start: number, end = start) => [
  { start: { line: start, character: 0 }, end: { line: end, character: 3 } },
];

test('a place with what is around it', () => {
  const shown = (start: number, end?: number): string[] =>
    excerpt({ filename: 'Dockerfile', text }, lines(start, end)).split('\n').slice(2, -2);
  assert.equal(
    excerpt({ filename: 'D', text: 'FROM x' }, lines(1)),
    'D:1\n--------------------\n   1 | >>> FROM x\n--------------------\n',
  );
  assert.deepEqual(
    shown(4).map((line) => line.slice(3, 11)),
    ['2 |     ', '3 |     ', '4 | >>> ', '5 |     ', '6 |     '],
  );
  assert.deepEqual(
    shown(1).map((line) => line.slice(3, 11)),
    ['1 | >>> ', '2 |     ', '3 |     '],
  );
  assert.deepEqual(
    shown(2, 3).map((line) => line.slice(3, 11)),
    ['1 |     ', '2 | >>> ', '3 | >>> ', '4 |     '],
  );
  for (const [start, end] of [
    [0, 0],
    [9, 9],
    [8, 12],
  ])
    assert.equal(excerpt({ filename: 'D', text }, lines(start!, end!)), '');
});

test('warnings, each with its line', () => {
  const source = { filename: 'Dockerfile', text, language: 'Dockerfile' };
  const [first] = warning(1, 'FromAsCasing: it does not match (line 1)', {
    detail: ['why'],
    url: 'u',
    source,
    ranges: lines(1),
  }).warnings;
  assert.equal(
    warningsText([first!], false),
    [
      '',
      ' 1 warning found:',
      ' - FromAsCasing: it does not match (line 1)',
      'why',
      'More info: u',
      'Dockerfile:1',
      '--------------------',
      '   1 | >>> FROM alpine:3 as base',
      '   2 |     RUN echo one',
      '   3 |     COPY . /x',
      '--------------------',
      '',
      '',
    ].join('\n'),
  );
  assert.match(warningsText([first!, first!], true), /^\n \u001b\[33m2 warnings found:\n\u001b\[0m - /);
  assert.equal(warningsText([], false), '');
});

const place = (line: number) => ({ ranges: [{ start: { line }, end: { line } }] });
const sources = [{ filename: 'Dockerfile', data: Buffer.from(text).toString('base64') }];
const rule = {
  ruleName: 'FromAsCasing',
  description: 'd',
  url: 'https://x',
  detail: 'casing does not match',
  location: place(1),
};
const check = { kind: 'lint', request: 'frontend.lint', isJson: false, ignoresStatus: false } as const;

function checked(result: object, statuscode: number, call: Partial<Parameters<typeof answerText>[0]> = {}) {
  const metadata = new Map([
    ['result.json', JSON.stringify({ sources, ...result })],
    ['result.statuscode', String(statuscode)],
    ['result.txt', 'as the builder wrote it\n'],
  ]);
  return answerText({ ...check, ...call }, { ref: '', exported: new Map(), metadata }, 'sub/Dockerfile');
}

test('checks: how many, in the order of the file, and how it ends', () => {
  assert.deepEqual(checked({ warnings: [] }, 0), { out: 'Check complete, no warnings found.\n', err: '', code: 0 });
  const two = checked({ warnings: [{ ...rule, ruleName: 'Later', location: place(6) }, rule] }, 1);
  assert.equal(two.code, 1);
  assert.equal(
    two.out,
    [
      'Check complete, 2 warnings have been found!',
      '',
      'WARNING: FromAsCasing - https://x',
      'casing does not match',
      'sub/Dockerfile:1',
      '--------------------',
      '   1 | >>> FROM alpine:3 as base',
      '   2 |     RUN echo one',
      '   3 |     COPY . /x',
      '--------------------',
      '',
      'WARNING: Later - https://x',
      'casing does not match',
      'sub/Dockerfile:6',
      '--------------------',
      '   4 |     RUN exit 7',
      '   5 |     FROM base',
      '   6 | >>> CMD sh',
      '   7 |     ',
      '--------------------',
      '',
    ].join('\n'),
  );
  assert.equal(checked({ warnings: [rule] }, 1, { ignoresStatus: true }).code, 0);
  assert.match(checked({ warnings: [rule] }, 1, { isJson: true }).out, /^\{"sources".*\}\n$/);
});

test('a Dockerfile that cannot be checked', () => {
  const buildError = { message: 'dockerfile parse error on line 2: unknown instruction: RUM', location: place(2) };
  const only = checked({ warnings: [], buildError }, 1);
  assert.deepEqual([only.out, only.code], ['', 1]);
  assert.match(only.err, /^ERROR: dockerfile parse error on line 2: .*\nsub\/Dockerfile:2\n[^]*2 \| >>> RUN echo one/);
  assert.match(checked({ warnings: [rule], buildError }, 1).err, /^\nERROR: /);
});

test('other answers are printed as they are', () => {
  assert.equal(checked({}, 0, { kind: 'outline' }).out, 'as the builder wrote it\n');
});

const record = {
  id: 'abcdefghijklmnopqrstuvwxy',
  mutable: false,
  inUse: false,
  shared: true,
  size: 4096,
  createdAt: 1_767_323_045_000_000_006n,
  lastUsedAt: 1_767_323_045_000_000_006n,
  usageCount: 2,
  description: 'mount / from exec',
  recordType: 'regular',
  parents: [],
};
const busy = {
  ...record,
  id: 'inuse',
  inUse: true,
  shared: false,
  mutable: true,
  size: 77,
  lastUsedAt: undefined,
  recordType: 'source.local',
};
const child = {
  ...record,
  id: 'zzz',
  shared: false,
  mutable: true,
  size: 123_456_789,
  recordType: 'exec.cachemount',
  parents: [record.id],
};
const now = 1_767_323_045_000 + 5 * 3600_000;

test('the cache as a table, with sums', async () => {
  assert.equal(
    await cacheTable([busy, record, child], { format: '', now, withSums: true }),
    [
      'ID                          RECLAIMABLE   SIZE       LAST ACCESSED',
      'inuse*                      false         77B        ',
      'abcdefghijklmnopqrstuvwxy   true          4.096kB*   5 hours ago',
      'zzz*                        true          123.5MB    5 hours ago',
      'Shared:\t\t4.096kB',
      'Private:\t123.5MB',
      'Reclaimable:\t123.5MB',
      'Total:\t\t123.5MB',
      '',
    ].join('\n'),
  );
  assert.equal(
    await cacheTable([record], { format: '{{.ID}} {{.Size}}', now, withSums: true }),
    `${record.id} 4.096kB\n`,
  );
});

test('the cache at length', () => {
  assert.equal(
    cacheDetails([child], now, false),
    [
      'ID:           zzz',
      'Parents:',
      ' - abcdefghijklmnopqrstuvwxy',
      'Created at:   2026-01-02 03:04:05.000000006 +0000 UTC',
      'Mutable:      true',
      'Reclaimable:  true',
      'Shared:       false',
      'Size:         123.5MB',
      'Description:  mount / from exec',
      'Usage count:  2',
      'Last used:    5 hours ago',
      'Type:         exec.cachemount',
      '',
      '',
    ].join('\n'),
  );
});

test('filters of the cache', () => {
  const all = [busy, record, child];
  const kept = (filters: Record<string, string[]>): string[] => filterCache(all, filters, now).map(({ id }) => id);
  assert.deepEqual(kept({ type: ['regular'] }), [record.id]);
  assert.deepEqual(kept({ id: ['abc'] }), [record.id]);
  assert.deepEqual(kept({ parent: ['abcdef'] }), ['zzz']);
  assert.deepEqual(kept({ inuse: ['true'] }), ['inuse']);
  assert.deepEqual(kept({ mutable: ['true'], private: ['true'], until: ['6h'] }), []);
  assert.deepEqual(kept({ until: ['4h'] }), ['inuse', record.id, 'zzz']);
  assert.throws(() => kept({ bogus: ['x'] }), /invalid filter 'bogus'/);
});

test('reports as BuildKit writes them', () => {
  assert.equal(
    rawJsonLine(vertex(1, 'a & b', { start: 0, end: 0.000001, cached: true, error: '' })),
    `{"vertexes":[{"digest":"sha256:${'1'.padStart(64, '0')}","name":"a \\u0026 b","started":"2023-11-14T22:13:20Z","completed":"2023-11-14T22:13:20.000000001Z","cached":true}]}\n`,
  );
  assert.match(
    rawJsonLine(log(1, 0, 'x')),
    /"logs":\[\{"vertex":"sha256:0+1","stream":1,"data":"eA==","timestamp":"2023-/,
  );
  assert.match(
    rawJsonLine(status(1, 'id', { at: 1, start: 0, total: 5 })),
    /\{"id":"id","vertex":"[^"]+","total":5,"current":0,/,
  );
  const source = { filename: 'D', text: 'x', language: 'Dockerfile' };
  assert.match(
    rawJsonLine(warning(1, 's', { source, ranges: lines(1) })),
    /"short":"cw==","sourceInfo":\{"filename":"D","data":"eA==","language":"Dockerfile"\},"range":\[\{"start":\{"line":1\},"end":\{"line":1,"character":3\}\}\]/,
  );
});
