/** Steps in the order of what they need, no more than a limit at once, and what a failure leaves undone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../observe.ts';
import type { Step } from '../plan/step.ts';
import { runSteps } from './steps.ts';

const step = (subject: string, ...needs: Step[]): Step => ({
  kind: 'container-pause',
  container: {} as Container,
  subject,
  because: 'test',
  needs,
});

const never = new AbortController().signal;

test('each after what it needs, others meanwhile', async () => {
  const a = step('a');
  const b = step('b', a);
  const c = step('c');
  const d = step('d', b, c);
  const order: string[] = [];
  await runSteps(
    [a, b, c, d],
    async ({ subject }) => {
      order.push(`${subject}(`);
      await sleep(subject === 'c' ? 30 : 5);
      order.push(`${subject})`);
    },
    { limit: 8, signal: never },
  );
  assert.ok(order.indexOf('b(') > order.indexOf('a)'));
  assert.ok(order.indexOf('b(') < order.indexOf('c)'), 'c does not hold b');
  assert.ok(order.indexOf('d(') > order.indexOf('c)'));
});

test('no more than the limit at once; waits do not count', async () => {
  let running = 0;
  let most = 0;
  const wait: Step = {
    kind: 'wait',
    wait: { service: 's', condition: 'service_healthy', required: true, which: [] },
    subject: 'w',
    because: '',
    needs: [],
  };
  await runSteps(
    [wait, ...Array.from({ length: 6 }, (_, index) => step(String(index)))],
    async ({ kind }) => {
      if (kind === 'wait') return;
      most = Math.max(most, ++running);
      await sleep(5);
      running--;
    },
    { limit: 2, signal: never },
  );
  assert.equal(most, 2);
});

test('the first failure is thrown, when what had begun has ended; what needs it, and what has not begun, is not done', async () => {
  const bad = step('bad');
  const slow = step('slow');
  const after = step('after', bad);
  const done: string[] = [];
  await assert.rejects(
    runSteps(
      [bad, slow, after, step('late')],
      async ({ subject }) => {
        if (subject === 'bad') {
          await sleep(5);
          throw new Error('broken');
        }
        await sleep(30);
        done.push(subject);
      },
      { limit: 2, signal: never },
    ),
    { message: 'broken' },
  );
  assert.deepEqual(done, ['slow']);
});

test('needs outside the steps are taken for done', async () => {
  const done: string[] = [];
  await runSteps([step('b', step('elsewhere'))], async ({ subject }) => void done.push(subject), {
    limit: 1,
    signal: never,
  });
  assert.deepEqual(done, ['b']);
});

test('a signal ends it with its reason', async () => {
  const stop = new AbortController();
  const first = step('first');
  const running = runSteps(
    [first, step('second', first)],
    async ({ subject }, signal) => {
      assert.equal(subject, 'first');
      stop.abort(new Error('stopped'));
      signal.throwIfAborted();
    },
    { limit: 1, signal: stop.signal },
  );
  await assert.rejects(running, { message: 'stopped' });
});
