/** Copies between builds: how many are kept, and that what is not kept is gone. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { verbs } from '../fixture.ts';
import { singly } from '../grpc/service.ts';
import { type packet, packetType, stat as statTable } from '../message/session.ts';
import { decode, encode } from '../protobuf/codec.ts';
import type { Message } from '../protobuf/field.ts';
import { LocalTrees } from './local-trees.ts';
import type { PacketCall } from './receive-tree.ts';

type Packet = Message<typeof packet>;

const folder = 2 ** 31 + 0o755;

/** A client with so many folders. */
function sending(count: number): PacketCall {
  const blank: Packet = { type: packetType.stat, stat: undefined, id: 0, data: Buffer.alloc(0) };
  const batches = (async function* () {
    for (let each = 0; each < count; each++)
      yield [{ ...blank, stat: decode(statTable, encode(statTable, { path: `d${each}`, mode: folder })) }];
    yield [blank];
    yield [{ ...blank, type: packetType.finish }];
  })();
  return {
    send: async () => {},
    sendFrames: () => Promise.reject(new Error('framed')),
    end: () => {},
    batches,
    messages: singly(batches),
    [Symbol.dispose]: () => {},
  };
}

test('no more copies than allowed, and no more entries of all together; the last is kept, however large', async () => {
  const root = mkdtempSync(join(tmpdir(), 'wherry-trees-'));
  try {
    const trees = new LocalTrees(root, verbs, { copies: 3, entries: 10 });
    const lend = async (key: string | undefined, entries: number): Promise<string> => {
      const lent = await trees.receive(key, sending(entries));
      await lent[Symbol.asyncDispose]();
      return lent.path;
    };
    // A program deletes what goes: it is given time.
    const kept = async (count: number): Promise<string[]> => {
      for (let attempt = 0; attempt < 200 && readdirSync(root).length > count; attempt++)
        await new Promise((done) => setTimeout(done, 25));
      return readdirSync(root)
        .map((name) => join(root, name))
        .toSorted();
    };
    const [a, b] = [await lend('a', 4), await lend('b', 4)];
    assert.deepEqual(await kept(2), [a, b].toSorted());
    assert.equal(await lend('a', 4), a, 'the same key has the same copy');
    const c = await lend('c', 4);
    assert.deepEqual(await kept(2), [a, c].toSorted(), 'the one that was not used for longest is gone');
    const large = await lend('large', 50);
    assert.deepEqual(await kept(1), [large]);
    for (const key of ['e', 'f', 'g']) await lend(key, 1);
    assert.equal((await kept(3)).length, 3);
    await lend(undefined, 1);
    assert.equal((await kept(3)).length, 3, 'one without a key is not kept');
    await trees.forget();
    assert.deepEqual(await kept(0), []);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
