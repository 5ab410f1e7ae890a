import assert from 'node:assert/strict';
import { duplexPair, type Duplex } from 'node:stream';
import { test } from 'node:test';
import { duplexOf, type RawConnection } from './raw-duplex.ts';

function rawOf(side: Duplex): RawConnection {
  const pieces = side.iterator({ destroyOnReturn: false });
  return {
    read: async () => {
      const { value, done } = await pieces.next();
      return done === true ? undefined : (value as Uint8Array);
    },
    write: (...bytes) => void bytes.map((each) => side.write(each)),
    onClose: (listener) => void side.once('close', listener),
    destroy: () => void side.destroy(),
  };
}

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
