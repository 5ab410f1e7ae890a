import assert from 'node:assert/strict';
import { type Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { rawOf } from './fixture.ts';
import { duplexOf } from './raw-duplex.ts';

test('bytes go both ways, an end is an end, closing closes', async () => {
  const [near, far] = duplexPair();
  const duplex = duplexOf(rawOf(near));
  far.write('hello');
  const first = await once(duplex, 'data');
  assert.equal(String(first), 'hello');
  duplex.cork();
  duplex.write('a');
  duplex.write('b');
  duplex.uncork();
  assert.equal(String(await once(far, 'data')), 'a');
  const ended = once(duplex, 'end');
  far.end();
  await ended;
  const closed = once(near, 'close');
  duplex.destroy();
  await closed;
});

function once(stream: Duplex, event: string): Promise<unknown> {
  return new Promise((resolve) => {
    stream.once(event, resolve);
  });
}
