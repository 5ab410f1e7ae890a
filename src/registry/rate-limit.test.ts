import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRateLimit } from './rate-limit.ts';

/** 14:03:10 of a day, in the zone of whoever runs the test. */
const now = new Date(2026, 2, 4, 14, 3, 10).getTime();
const read = (headers: Record<string, string>) => readRateLimit(headers, now);

test('seconds, dates, and times since the epoch', () => {
  assert.equal(read({ 'retry-after': '120' }).retryAfterMs, 120_000);
  assert.equal(read({ 'retry-after': new Date(now + 90_000).toUTCString() }).retryAfterMs, 90_000);
  assert.equal(read({ 'retry-after': new Date(now - 5000).toUTCString() }).retryAfterMs, 0);
  assert.equal(read({ 'x-retry-after': String(now / 1000 + 30) }).retryAfterMs, 30_000);
  assert.equal(read({ 'x-ratelimit-reset': String(now / 1000 + 60) }).retryAfterMs, 60_000);
  assert.equal(read({ 'retry-after': 'soon' }).retryAfterMs, undefined);
  assert.equal(read({ 'retry-after': '99999999' }).retryAfterMs, undefined, 'more than a week is not believed');
  assert.deepEqual(read({}), { retryAfterMs: undefined, exhausted: false, advice: '' });
});

test('when to come back, rounded so that nobody comes too early', () => {
  const advice = (seconds: number): string => read({ 'retry-after': String(seconds) }).advice;
  assert.equal(advice(30), '; retry after 30 seconds (at 14:03:40)');
  assert.equal(advice(1), '; retry after 1 second (at 14:03:11)');
  assert.equal(advice(110), '; retry after 2 minutes (at 14:05)');
  assert.equal(advice(121), '; retry after 3 minutes (at 14:06)');
  assert.equal(advice(3 * 3600), '; retry after 3 hours (at 17:04)');
  assert.equal(advice(24 * 3600), '; retry after 24 hours (at 2026-03-05 14:04)');
});

test("Docker Hub's headers", () => {
  assert.deepEqual(read({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' }), {
    retryAfterMs: undefined,
    exhausted: true,
    advice: '; 100 requests are allowed in 6 hours: retry at the latest at 20:04',
  });
  assert.equal(read({ 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' }).exhausted, false);
  assert.equal(read({ 'ratelimit-limit': 'many' }).advice, '');
});
