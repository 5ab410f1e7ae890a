import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseApiTime } from './time.ts';
import { formatGoDuration, parseBytes, parseGoDuration } from './units.ts';

test('durations and sizes end where 64 bits end', () => {
  assert.equal(parseGoDuration('1h30m'), 5_400e9);
  assert.equal(parseGoDuration('-1.5s'), -1.5e9);
  assert.equal(formatGoDuration(parseGoDuration('2562047h')!), '2562047h0m0s');
  for (const beyond of ['2562048h', `${'9'.repeat(400)}s`, `-${'9'.repeat(400)}ns`])
    assert.equal(parseGoDuration(beyond), undefined, beyond);
  assert.equal(parseBytes('7e'), 7 * 2 ** 60);
  for (const beyond of ['8e', '9'.repeat(400)]) assert.equal(parseBytes(beyond), undefined, beyond);
});

test('times have as many digits as 64 bits have', () => {
  assert.equal(parseApiTime('1716.5'), 1_716_500_000_000n);
  assert.equal(parseApiTime('9'.repeat(20)), undefined);
  assert.equal(parseApiTime('9'.repeat(1_000_000)), undefined);
});
