import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { collectBytes } from '../../std/index.ts';
import { GrpcClient } from '../grpc/client.ts';
import { serveGrpc } from '../grpc/server.ts';
import { ContentStore } from '../session/content-store.ts';
import { contentMethods, layoutDigest, storeName, tagInLayout } from './content-store.ts';

const live = new AbortController().signal;

/** Both ends of a session: a client that lends a folder, and a daemon that asks for it. */
class Lent implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'wherry-blobs-'));
  readonly #server = createServer((socket) => {
    void serveGrpc(socket, new Map(contentMethods(new Map([[storeName('/cache'), this.folder]]))));
  });
  #client!: GrpcClient;

  static async open(): Promise<Lent> {
    const lent = new Lent();
    await new Promise<void>((resolve) => lent.#server.listen(0, '127.0.0.1', () => resolve()));
    const { port } = lent.#server.address() as { port: number };
    lent.#client = new GrpcClient(createConnection(port, '127.0.0.1'));
    return lent;
  }

  get store(): ContentStore {
    return new ContentStore(this.#client, storeName('/cache'));
  }

  /** Of a folder that is not lent. */
  get other(): ContentStore {
    return new ContentStore(this.#client, storeName('/etc'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client[Symbol.dispose]();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    rmSync(this.folder, { recursive: true });
  }
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const bytes = Buffer.alloc(5_000_000, 'a blob of several messages ');
const blob = { digest: digestOf(bytes), size: bytes.length };

test('a blob goes to the folder and comes back; once is enough', async () => {
  await using lent = await Lent.open();
  const { store, folder } = lent;
  assert.equal(await store.size(blob.digest, live), undefined);
  for (const _ of [1, 2]) await store.write(blob, pieces(bytes, 3_000_000), live);
  assert.equal(await store.size(blob.digest, live), bytes.length);
  assert.ok((await collectBytes(store.read(blob.digest, live), 1 << 24)).equals(bytes));
  assert.ok(readFileSync(join(folder, 'blobs/sha256', blob.digest.slice(7))).equals(bytes));
  const empty = { digest: digestOf(Buffer.alloc(0)), size: 0 };
  await store.write(empty, pieces(Buffer.alloc(0), 1), live);
  assert.equal((await collectBytes(store.read(empty.digest, live), 1)).length, 0);
  assert.deepEqual(readdirSync(join(folder, 'ingest')), []);
});

test('what is not the blob, or not all of it, leaves nothing', async () => {
  await using lent = await Lent.open();
  const { store, folder } = lent;
  await assert.rejects(store.write(blob, pieces(bytes.subarray(1), 1_000_000), live), /the bytes are others/);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 1_000_000);
    throw new Error('no more');
  }
  await assert.rejects(store.write(blob, broken(), live), /no more/);
  assert.equal(await store.size(blob.digest, live), undefined);
  await store.write(blob, pieces(bytes, 1_000_000), live);
  assert.deepEqual(readdirSync(join(folder, 'ingest')), []);
});

test('only what is lent, only blobs', async () => {
  await using lent = await Lent.open();
  const { store, other, folder } = lent;
  writeFileSync(join(folder, 'secret'), 'x');
  assert.equal(await other.size(blob.digest, live), undefined);
  await assert.rejects(other.write(blob, pieces(bytes, 1 << 20), live), /no content store "local:\/etc" is lent/);
  for (const digest of ['../../secret', 'sha256:../../secret', `sha512:${'a'.repeat(128)}`, '']) {
    await assert.rejects(store.size(digest, live), /invalid digest/);
    await assert.rejects(collectBytes(store.read(digest, live), 1), /invalid digest/);
    await assert.rejects(store.write({ digest, size: 1 }, pieces(bytes, 1 << 20), live), /invalid digest/);
  }
  assert.equal(existsSync(join(folder, 'blobs')), false);
});

test('tags of a layout', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-layout-'));
  try {
    assert.equal(layoutDigest(folder, 'latest'), undefined);
    const manifest = (name: string): string =>
      JSON.stringify({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: digestOf(Buffer.from(name)),
        size: 1,
      });
    tagInLayout(folder, 'latest', manifest('one'));
    tagInLayout(folder, 'other', manifest('two'));
    tagInLayout(folder, 'latest', manifest('three'));
    assert.equal(layoutDigest(folder, 'latest'), digestOf(Buffer.from('three')));
    assert.equal(layoutDigest(folder, 'other'), digestOf(Buffer.from('two')));
    assert.deepEqual(readdirSync(folder).sort(), ['index.json', 'oci-layout']);
    writeFileSync(join(folder, 'index.json'), 'x');
    assert.throws(() => layoutDigest(folder, 'latest'), { kind: 'invalid' });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
