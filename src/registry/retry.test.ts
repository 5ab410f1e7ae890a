import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../std/index.ts';
import { RegistryFault } from './fault.ts';
import { PatientClock, signal } from './fixture.ts';
import { Retry, withRetries } from './retry.ts';
import { TransportFault } from './transport-fault.ts';

const cut = new TransportFault('exchange', 'EOF');
const refusal = (status: number, retryAfterMs?: number, exhausted = false): RegistryFault =>
  new RegistryFault('unavailable', { code: 'X', detail: 'x', status, retryAfterMs, exhausted });

/** How often a task that always fails with `error` is run, and how long is waited. */
async function exhaust(
  error: Error,
  options: { attempts: number; unreachable?: boolean },
): Promise<{ runs: number; waited: number[] }> {
  const clock = new PatientClock();
  let runs = 0;
  const failing = async (): Promise<never> => {
    runs++;
    throw error;
  };
  await assert.rejects(withRetries(clock, options, failing, signal), (thrown) => thrown === error);
  return { runs, waited: clock.slept };
}

test('waits grow, with chance in them, and end', async () => {
  const { runs, waited } = await exhaust(cut, { attempts: 4 });
  assert.equal(runs, 4);
  assert.deepEqual(waited, [150, 600, 1000, 1000, 400]);
  const { waited: many } = await exhaust(cut, { attempts: 100 });
  assert.ok(many.every((ms) => ms <= 1000));
  assert.ok(many.reduce((sum, ms) => sum + ms, 0) <= 180_000, 'all waits together are bounded');
  assert.ok(many.length > 100);
});

test('only what passes is waited for', async () => {
  for (const error of [
    new Fault('invalid', 'wrong digest'),
    new TransportFault('refused', 'x509'),
    new TransportFault('connect', 'refused'),
    refusal(404),
    refusal(403),
    refusal(501),
    refusal(429, 61_000),
    refusal(429, undefined, true),
    new TypeError('bug'),
  ]) {
    assert.deepEqual(await exhaust(error, { attempts: 5 }), { runs: 1, waited: [] }, error.message);
  }
  for (const status of [408, 429, 500, 502, 503, 504])
    assert.equal((await exhaust(refusal(status), { attempts: 2 })).runs, 2);
  assert.equal((await exhaust(new TransportFault('connect', 'down'), { attempts: 3, unreachable: true })).runs, 3);
});

test('a registry that says when is asked again then, not earlier', async () => {
  const { waited } = await exhaust(refusal(429, 30_000), { attempts: 2 });
  const total = waited.reduce((sum, ms) => sum + ms, 0);
  assert.ok(total >= 30_000 && total < 31_000, String(total));
});

test('progress forgets failures; every second of a wait is told', async () => {
  const clock = new PatientClock();
  const told: number[] = [];
  const retry = new Retry(clock, { attempts: 3, onWait: (seconds) => told.push(seconds) });
  for (let round = 0; round < 10; round++) {
    await retry.after(cut, signal);
    await retry.after(cut, signal);
    retry.progress();
  }
  assert.deepEqual(told, [], 'less than a second is not worth a word');
  await retry.after(refusal(503, 2500), signal);
  assert.deepEqual(told, [3, 2, 1]);
});

test('who leaves does not wait', async () => {
  const clock = new PatientClock();
  const controller = new AbortController();
  controller.abort(new Error('gone'));
  await assert.rejects(new Retry(clock, { attempts: 3 }).after(cut, controller.signal), /gone/);
  assert.deepEqual(clock.slept, []);
});
