import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Shared } from './shared.ts';

test('done once for all who ask at once, anew for who asks later', async () => {
  const shared = new Shared<number>();
  let runs = 0;
  const task = async (): Promise<number> => {
    await new Promise((done) => {
      setTimeout(done, 5);
    });
    return ++runs;
  };
  const { signal } = new AbortController();
  const ask = (key: string): Promise<number> => shared.run(key, task, signal);
  assert.deepEqual(await Promise.all([ask('a'), ask('a'), ask('b')]), [1, 1, 2]);
  assert.equal(await ask('a'), 3);
});

test('one who leaves takes nothing from the others; the last one ends the work', async () => {
  const shared = new Shared<string>();
  let ended: unknown;
  const begun = Promise.withResolvers<void>();
  const task = (signal: AbortSignal): Promise<string> =>
    new Promise((_, fail) => {
      begun.resolve();
      signal.addEventListener('abort', () => {
        ended = signal.reason;
        fail(signal.reason as Error);
      });
    });
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = [first, second].map((each) => shared.run('k', task, each.signal));
  await begun.promise;
  first.abort(new Error('first'));
  await assert.rejects(waiting[0]!, /first/);
  assert.equal(ended, undefined);
  second.abort(new Error('second'));
  await assert.rejects(waiting[1]!, /second/);
  assert.match(String(ended), /second/);
  assert.equal(await shared.run('k', async () => 'again', new AbortController().signal), 'again');
});
