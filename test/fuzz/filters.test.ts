/** Filters, times, sizes, durations, globs and every other query value: parsed or refused, in time that grows with their length alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  acceptFilters,
  booleanFilter,
  matchesExact,
  matchesLabels,
  matchesPattern,
  parseFilters,
} from '../../src/api/index.ts';
import { parseDetachKeys } from '../../src/container/detach-keys.ts';
import { Events } from '../../src/engine/events.ts';
import { globPattern } from '../../src/image/glob.ts';
import { untilFilter } from '../../src/image/list.ts';
import { Query } from '../../src/server/query.ts';
import {
  formatGoDuration,
  formatNanos,
  parseApiTime,
  parseBytes,
  parseGoDuration,
  parseRfc3339,
} from '../../src/std/index.ts';
import { fuzzed, orFault, property } from '../support/fuzz.ts';

const name = `${'a'.repeat(60)}.${'b-'.repeat(60)}c`;

function ask(text: string): void {
  const filters = orFault(() => parseFilters(text));
  if (filters === undefined) return;
  for (const [key, values] of filters) {
    assert.equal(typeof key, 'string');
    for (const value of values) assert.equal(typeof value, 'string');
    matchesExact(filters, key, 'x');
    orFault(() => matchesPattern(filters, key, [name, `/${name}`]));
    orFault(() => booleanFilter(filters, key));
  }
  matchesLabels(filters, { a: 'b' });
  orFault(() => acceptFilters(filters, ['label']));
  orFault(() => untilFilter(filters));
  const events = new Events();
  orFault(() => events.subscribe({ filters, since: 0n, until: 1n }, new AbortController().signal));
  for (const pattern of filters.get('reference') ?? []) orFault(() => globPattern(pattern))?.test(name);
}

fuzzed('filters', {
  corpus: [
    '{"label":["a=b","c"],"name":["web"],"status":["running"]}',
    '{"label":{"a=b":true,"c":false},"until":{"10h":true}}',
    '{"reference":["busy*:lat?st","[a-z]*/x"],"dangling":["true"],"until":["2024-01-01T00:00:00Z"]}',
    '{"name":["^/web.*[0-9]+$","(a+)+$","a*a*a*a*a*a*a*a*a*b"]}',
    '{"type":["container"],"event":["die"],"container":["x"]}',
  ],
  words: [
    '{"toString":1}',
    '{"__proto__":["a"]}',
    '"name":',
    '"(.*)*$"',
    '"(a|a)*b"',
    '"(?=a)"',
    '"\\\\1"',
    '"([a-z]+)*!"',
    '"a{1,1000}{1,1000}"',
    '*',
    '?',
    '[',
    'null',
    '[[["a"]]]',
    '"reference":',
  ],
  check: (bytes) => ask(bytes.toString('utf8')),
});

fuzzed('query values', {
  corpus: [
    'since=1716.5&until=2024-01-01T00:00:00.5Z&tail=100&h=24&w=80&t=10&follow=1',
    'since=-1&tail=-1e999&limit=1e3',
    'until=1h30m&signal=SIGKILL&detachKeys=ctrl-p,ctrl-q',
    '512m',
    '1.5GiB',
    '1m30s',
  ],
  words: ['&since=', '&until=', '=', '%', '9'.repeat(5000), '-', 'e999', 'NaN', 'Infinity', '0x10', '１'],
  check: (bytes) => {
    const text = bytes.toString('utf8');
    const query = new Query(text);
    for (const key of ['since', 'until', 'tail', 'h', 'w', 't', 'limit', 'follow']) {
      query.boolean(key);
      const number = orFault(() => query.integer(key));
      assert.ok(number === undefined || Number.isSafeInteger(number));
      orFault(() => query.time(key));
    }
    for (const each of [text, query.text('until') ?? '']) {
      parseApiTime(each);
      parseRfc3339(each);
      const bytesOf = parseBytes(each);
      assert.ok(bytesOf === undefined || bytesOf >= 0);
      const duration = parseGoDuration(each);
      assert.ok(duration === undefined || Number.isFinite(duration), `${each.slice(0, 50)}: ${duration}`);
      orFault(() => parseDetachKeys(each));
      orFault(() => untilFilter(new Map([['until', new Set([each])]])));
      orFault(() => globPattern(each))?.test(name);
    }
  },
});

property(
  'filters are read as both of their encodings print them',
  fc.dictionary(fc.string(), fc.array(fc.string(), { maxLength: 4 })),
  (wanted) => {
    const entries = Object.entries(wanted);
    const expected = new Map(entries.map(([key, values]) => [key, new Set(values)]));
    assert.deepEqual(parseFilters(JSON.stringify(wanted)), expected);
    const sets = entries.map(
      ([key, values]) =>
        `${JSON.stringify(key)}:{${[...new Set(values)].map((value) => `${JSON.stringify(value)}:true`).join(',')}}`,
    );
    assert.deepEqual(parseFilters(`{${sets.join(',')}}`), expected);
  },
);

property('any JSON value as filters', fc.jsonValue(), (value) => ask(JSON.stringify(value)));

test('filters a hundred thousand deep, and values that cannot become text', () => {
  for (const text of [
    `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    '{"a":[{"toString":1}]}',
    '['.repeat(100_000),
  ])
    assert.throws(() => parseFilters(text), { kind: 'invalid', message: 'invalid filter' });
});

property('durations are read as they are printed', fc.integer({ min: -(2 ** 50), max: 2 ** 50 }), (nanoseconds) => {
  assert.ok(Math.abs(parseGoDuration(formatGoDuration(nanoseconds))! - nanoseconds) <= 1024);
});

property(
  'times are read as they are printed',
  fc.bigInt({ min: -62_135_596_800_000_000_000n, max: 253_402_300_799_999_999_999n }),
  (nanos) => {
    assert.equal(parseRfc3339(formatNanos(nanos < 0n ? -nanos : nanos)), nanos < 0n ? -nanos : nanos);
  },
);
