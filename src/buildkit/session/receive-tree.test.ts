/** Clients that send anything: nothing may be written outside the folder, and nothing half-made may count as known. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../std/index.ts';
import { verbs } from '../fixture.ts';
import { singly } from '../grpc/service.ts';
import { type packet, packetType, stat as statTable } from '../message/session.ts';
import { decode, encode } from '../protobuf/codec.ts';
import type { Message, MessageInit } from '../protobuf/field.ts';
import { receiveTree, TreeIndex } from './receive-tree.ts';

type Packet = Message<typeof packet>;

const directory = 2 ** 31;
const link = 2 ** 27;

function stat(init: MessageInit<typeof statTable>): Packet {
  return { type: packetType.stat, stat: decode(statTable, encode(statTable, init)), id: 0, data: Buffer.alloc(0) };
}

const last: Packet = { type: packetType.stat, stat: undefined, id: 0, data: Buffer.alloc(0) };
const finish: Packet = { ...last, type: packetType.finish };
const data = (id: number, text: string): Packet => ({ ...last, type: packetType.data, id, data: Buffer.from(text) });

class Place implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-receive-'));
  readonly folder = join(this.root, 'in');
  readonly index = new TreeIndex();
  requests: number[] = [];

  constructor() {
    mkdirSync(this.folder);
  }

  receive(...packets: readonly Packet[]): ReturnType<typeof receiveTree> {
    this.requests = [];
    const batches = (async function* () {
      for (const each of packets) yield [each];
    })();
    const call = {
      send: async (...sent: readonly MessageInit<typeof packet>[]) => {
        for (const { type, id } of sent) if (type === packetType.request) this.requests.push(id ?? 0);
      },
      sendFrames: () => Promise.reject(new Error('framed')),
      end: () => {},
      batches,
      messages: singly(batches),
      [Symbol.dispose]: () => {},
    };
    return receiveTree(call, { folder: this.folder, index: this.index, verbs });
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

test('files, folders, links; then only the difference', async () => {
  using place = new Place();
  const entries = [
    stat({ path: 'd', mode: directory + 0o750, modified: 5_000_000_000n }),
    stat({ path: 'd/f', mode: 0o640, size: 5, modified: 7_000_000_000n }),
    stat({ path: 'd/g', mode: 0o640, size: 5, modified: 7_000_000_000n, linkName: 'd/f' }),
    stat({ path: 'l', mode: link + 0o777, linkName: '/etc/passwd' }),
  ];
  await place.receive(...entries, last, data(1, 'hel'), data(1, 'lo'), data(1, ''), finish);
  assert.deepEqual(place.requests, [1]);
  assert.equal(readFileSync(join(place.folder, 'd/g'), 'utf8'), 'hello');
  assert.equal(lstatSync(join(place.folder, 'd/f')).ino, lstatSync(join(place.folder, 'd/g')).ino);
  assert.equal(readlinkSync(join(place.folder, 'l')), '/etc/passwd');
  assert.equal(lstatSync(join(place.folder, 'd')).mode & 0o7777, 0o750);
  assert.equal(lstatSync(join(place.folder, 'd')).mtimeMs, 5000);
  assert.deepEqual(await place.receive(...entries.slice(0, 3), last, finish), { transferred: 0, changed: true });
  assert.deepEqual(place.requests, []);
  assert.deepEqual(readdirSync(place.folder), ['d']);
});

test('whether anything but times is another is told', async () => {
  using place = new Place();
  const entries = (more: { mode?: number; name?: string } = {}): Packet[] => [
    stat({ path: 'd', mode: directory + 0o750, modified: BigInt(Date.now()) }),
    stat({ path: `d/${more.name ?? 'f'}`, mode: more.mode ?? 0o640, size: 0, modified: 7n }),
    last,
  ];
  const changed = async (...packets: readonly Packet[]): Promise<boolean> => (await place.receive(...packets)).changed;
  assert.equal(await changed(...entries(), data(1, ''), finish), true);
  assert.equal(await changed(...entries(), finish), false);
  assert.equal(await changed(...entries({ mode: 0o600 }), data(1, ''), finish), true);
  assert.equal(await changed(...entries({ mode: 0o600, name: 'g' }), data(1, ''), finish), true);
  assert.equal(await changed(stat({ path: 'd', mode: directory + 0o700 }), last, finish), true);
  assert.equal(await changed(stat({ path: 'd', mode: directory + 0o700, modified: 9n }), last, finish), false);
});

test('a folder becomes a link and a link a folder, without what was below', async () => {
  using place = new Place();
  await place.receive(
    stat({ path: 'd', mode: directory }),
    stat({ path: 'd/f', mode: 0o600 }),
    last,
    data(1, ''),
    finish,
  );
  await place.receive(stat({ path: 'd', mode: link, linkName: place.root }), last, finish);
  assert.equal(readlinkSync(join(place.folder, 'd')), place.root);
  await place.receive(
    stat({ path: 'd', mode: directory + 0o700 }),
    stat({ path: 'd/f', mode: 0o600 }),
    last,
    data(1, ''),
    finish,
  );
  assert.ok(lstatSync(join(place.folder, 'd/f')).isFile());
  assert.ok(!existsSync(join(place.root, 'f')));
});

test('paths that lead out, or through what is no folder, are refused', async () => {
  for (const path of [
    '../x',
    '/x',
    'a/../../x',
    'a//b',
    './x',
    '.',
    'nowhere/x',
    'a\0b',
    'x'.repeat(256),
    'x/'.repeat(2500),
  ]) {
    using place = new Place();
    await assert.rejects(place.receive(stat({ path, mode: 0o600 }), last, finish), { kind: 'invalid' }, path);
    assert.deepEqual(readdirSync(place.root), ['in']);
  }
  using place = new Place();
  const through = [stat({ path: 'l', mode: link, linkName: '..' }), stat({ path: 'l/x', mode: 0o600 })];
  await assert.rejects(place.receive(...through, last, finish), { kind: 'invalid' });
  assert.deepEqual(readdirSync(place.root), ['in']);
});

test('a link must have a target', async () => {
  for (const linkName of ['', 'a\0b', 'x'.repeat(5000)]) {
    using place = new Place();
    await assert.rejects(place.receive(stat({ path: 'l', mode: link, linkName }), last, finish), { kind: 'invalid' });
  }
});

test('a hard link leads only to a file of the same transfer', async () => {
  for (const linkName of ['../x', '/etc/passwd', 'l', 'd', 'missing']) {
    using place = new Place();
    const before = [stat({ path: 'd', mode: directory }), stat({ path: 'l', mode: link, linkName: '/etc/passwd' })];
    await assert.rejects(place.receive(...before, stat({ path: 'x', mode: 0o600, linkName }), last, finish), {
      kind: 'invalid',
    });
  }
});

test('content that nobody asked for, entries twice, an early end', async () => {
  using place = new Place();
  await assert.rejects(place.receive(data(0, 'x')), /nobody asked for/);
  await assert.rejects(place.receive(stat({ path: 'a' }), stat({ path: 'a' })), /twice/);
  await assert.rejects(place.receive(stat({ path: 'b' }), last), /stopped early/);
  await assert.rejects(place.receive(stat({ path: 'c' }), last, finish), /before all content/);
});

test('any order of packets stays inside', async () => {
  const path = fc.constantFrom('a', 'a/b', 'a/b/c', '../x', 'b', 'b/c');
  const mode = fc.constantFrom(0o600, directory + 0o700, link + 0o777);
  const linkName = fc.constantFrom('', 'a', '..', '/tmp', 'b');
  const any = fc.oneof(
    fc.record({ path, mode, linkName }).map((init) => stat(init)),
    fc.tuple(fc.nat(4), fc.constantFrom('', 'x')).map(([id, text]) => data(id, text)),
    fc.constantFrom(last, finish),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(any, { maxLength: 8 }), { maxLength: 3 }), async (transfers) => {
      using place = new Place();
      for (const packets of transfers) {
        try {
          await place.receive(...packets);
        } catch (error) {
          assert.ok(error instanceof Fault, String(error));
          break; // as LocalTrees does: a copy whose transfer failed is not used again
        }
      }
      assert.deepEqual(readdirSync(place.root), ['in']);
    }),
    { numRuns: 500 },
  );
});
