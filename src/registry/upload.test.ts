/** Pushes to registries that cut, forget, refuse pieces, or are picky. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseReference, sha256 } from '../oci/index.ts';
import { type DoubleOptions, RegistryDouble, type Rule } from '../../test/support/registry-double.ts';
import { open, type Opened, signal } from './fixture.ts';
import type { RegistryOptions } from './settings.ts';
import type { UploadBlob, UploadOutcome } from './upload.ts';

const bytes = randomBytes(1_000_000);
const digest = sha256(bytes);
const patches = /^PATCH /;
const puts = /^PUT .*blobs/;

/** Remembers from where it was read. */
function blobOf(mountFrom: readonly string[] = []): UploadBlob & { starts: number[] } {
  const starts: number[] = [];
  return {
    digest,
    size: bytes.length,
    starts,
    mountFrom,
    async *open(start) {
      starts.push(start);
      for (let at = start; at < bytes.length; at += 64_000)
        yield bytes.subarray(at, Math.min(at + 64_000, bytes.length));
    },
  };
}

async function start(
  options: { double?: DoubleOptions; client?: RegistryOptions; rules?: Rule[] } = {},
): Promise<{ double: RegistryDouble; client: Opened } & AsyncDisposable> {
  const double = await RegistryDouble.open(options.double);
  for (const rule of options.rules ?? []) double.rule(rule);
  const client = open(options.client);
  return {
    double,
    client,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

function upload(
  { double, client }: { double: RegistryDouble; client: Opened },
  blob: UploadBlob,
  options: { path?: string; signal?: AbortSignal } = {},
): Promise<UploadOutcome> {
  const reference = parseReference(`${double.host}/${options.path ?? 'a'}`);
  return client.registry.upload(reference, blob, undefined, options.signal ?? signal);
}

function arrived({ double }: { double: RegistryDouble }): void {
  assert.ok(double.store.blob(digest)?.equals(bytes), 'the registry has it whole');
  assert.equal(double.store.uploads.size, 0, 'no upload is left open');
}

const pieces = { pieceBytes: 300_000 };

test('a small one in one request, a large one in pieces', async () => {
  await using small = await start();
  assert.deepEqual(await upload(small, blobOf()), { how: 'uploaded' });
  arrived(small);
  assert.deepEqual(
    small.double.seen.map(({ method, bytes: count }) => [method, count]),
    [
      ['GET', 0],
      ['POST', 0],
      ['PUT', bytes.length],
    ],
  );
  await using large = await start({ client: pieces });
  await upload(large, blobOf());
  arrived(large);
  assert.deepEqual(
    large.double.requests(patches).map(({ headers, bytes: count }) => [headers['content-range'], count]),
    [
      ['0-299999', 300_000],
      ['300000-599999', 300_000],
      ['600000-899999', 300_000],
      ['900000-999999', 100_000],
    ],
  );
  assert.equal(large.double.requests(puts)[0]!.bytes, 0);
});

test('a piece that breaks goes on where the registry stands', async () => {
  await using both = await start({
    client: pieces,
    rules: [{ match: patches, skip: 1, times: 1, cutUploadAfter: 120_000 }],
  });
  const blob = blobOf();
  await upload(both, blob);
  arrived(both);
  assert.deepEqual(blob.starts, [0, 300_000, 420_000, 720_000], 'what arrived is not sent again');
});

test('one request that breaks goes on in pieces, once the registry has a part', async () => {
  await using both = await start({ rules: [{ match: puts, times: 1, cutUploadAfter: 400_000 }] });
  const blob = blobOf();
  await upload(both, blob);
  arrived(both);
  assert.deepEqual(blob.starts, [0, 400_000]);
});

test('a registry that keeps nothing of a broken request gets it anew', async () => {
  await using both = await start({
    client: { pieceBytes: 1 << 22 },
    rules: [{ match: puts, times: 2, cutUploadAfter: 0 }],
  });
  await upload(both, blobOf());
  arrived(both);
  assert.equal(both.client.clock.slept.length, 2);
});

test('an upload that the registry forgot begins anew', async () => {
  await using both = await start({
    client: pieces,
    rules: [
      { match: patches, skip: 2, times: 1, hangUp: true },
      { match: /^GET .*uploads/, times: 1, forgetUpload: true },
    ],
  });
  const blob = blobOf();
  await upload(both, blob);
  arrived(both);
  assert.deepEqual(blob.starts, [0, 300_000, 600_000, 0, 300_000, 600_000, 900_000]);
  assert.equal(both.double.requests(/^POST /).length, 2);
});

test('an upload that the registry forgot between two pieces', async () => {
  await using both = await start({
    client: pieces,
    rules: [{ match: patches, skip: 2, times: 1, forgetUpload: true }],
  });
  const blob = blobOf();
  await upload(both, blob);
  arrived(both);
  assert.deepEqual(blob.starts, [0, 300_000, 600_000, 0, 300_000, 600_000, 900_000]);
  await using never = await start({ client: pieces, rules: [{ match: patches, skip: 1, forgetUpload: true }] });
  await upload(never, blobOf());
  arrived(never);
  assert.equal(never.double.requests(puts).at(-1)!.bytes, bytes.length, 'all at once, in the end');
});

test('one that always forgets ends the push, after as many tries as allowed', async () => {
  await using both = await start({
    client: { ...pieces, transferAttempts: 3 },
    rules: [{ match: patches, skip: 1, hangUp: true, forgetUpload: true }],
  });
  both.double.rule({ match: /^GET .*uploads/, forgetUpload: true });
  await assert.rejects(upload(both, blobOf()), { kind: 'internal', message: /^Patch "http:.*": EOF$/ });
  assert.equal(both.double.requests(patches).filter(({ status }) => status === 0).length, 3);
});

test('an upload whose end was not heard of', async () => {
  await using both = await start();
  // The registry takes it, and hangs up before it can say so.
  both.double.rule({ match: puts, times: 1, cutAfter: 0, body: () => Buffer.from('x') });
  assert.deepEqual(await upload(both, blobOf()), { how: 'uploaded' });
  arrived(both);
});

test('pieces are not understood: all at once', async () => {
  const refusals: Partial<DoubleOptions>[] = [{ uploads: 'whole' }];
  for (const double of refusals) {
    await using both = await start({ double, client: pieces });
    await upload(both, blobOf());
    arrived(both);
    assert.deepEqual(
      both.double.requests(puts).map(({ bytes: count }) => count),
      [bytes.length],
    );
  }
  // GitHub's registry answers so to pieces beyond 4 MiB; another says that what it has does not add up.
  for (const rule of [
    { match: patches, answer: { status: 416 } },
    { match: puts, times: 1, answer: { status: 400, body: Buffer.from('{"errors":[{"code":"DIGEST_INVALID"}]}') } },
  ]) {
    await using both = await start({ client: pieces, rules: [rule] });
    await upload(both, blobOf());
    arrived(both);
    assert.equal(both.double.requests(puts).at(-1)!.bytes, bytes.length);
  }
});

test('too much at once (413): smaller pieces', async () => {
  const large = randomBytes(3 << 20);
  await using both = await start({ double: { mostBytes: 1 << 20 }, client: { pieceBytes: 2 << 20 } });
  const blob: UploadBlob = {
    digest: sha256(large),
    size: large.length,
    mountFrom: [],
    async *open(from) {
      yield large.subarray(from);
    },
  };
  await upload(both, blob);
  assert.ok(both.double.store.blob(blob.digest)!.equals(large));
  assert.deepEqual(
    both.double.requests(patches).map(({ bytes: count, status }) => [count >> 20, status]),
    [
      [2, 413],
      [1, 202],
      [1, 202],
      [1, 202],
    ],
  );
});

test('too much in one request, too: a proxy that takes little at once gets pieces', async () => {
  const large = randomBytes(3 << 20);
  await using both = await start({ double: { mostBytes: 1 << 20 } });
  const blob: UploadBlob = {
    digest: sha256(large),
    size: large.length,
    mountFrom: [],
    async *open(from) {
      yield large.subarray(from);
    },
  };
  await upload(both, blob);
  assert.ok(both.double.store.blob(blob.digest)!.equals(large));
  assert.equal(both.double.requests(puts)[0]!.status, 413);
  assert.equal(both.double.requests(puts).at(-1)!.bytes, 0);
});

test('a registry that wants larger pieces gets them', async () => {
  await using both = await start({ double: { leastBytes: 600_000 }, client: pieces });
  await upload(both, blobOf());
  arrived(both);
  assert.deepEqual(
    both.double.requests(patches).map(({ bytes: count }) => count),
    [600_000, 400_000],
  );
});

test('the Range of an answer to a piece is not believed', async () => {
  await using both = await start({ client: pieces, rules: [{ match: patches, headers: { range: '0-299999' } }] });
  await upload(both, blobOf());
  arrived(both);
});

test('mounts from the first repository that has it, and cancels what was opened in vain', async () => {
  await using both = await start();
  both.double.store.addBlob('third', bytes);
  assert.deepEqual(await upload(both, blobOf(['a', 'first', 'second', 'third'])), { how: 'mounted', from: 'third' });
  arrived(both);
  assert.ok(both.double.store.repository('a').blobs.has(digest));
  assert.equal(both.double.requests(/^DELETE/).length, 2);
  await using none = await start();
  assert.deepEqual(await upload(none, blobOf(['x'])), { how: 'uploaded' });
  arrived(none);
  assert.equal(none.double.requests(/^POST/).length, 1, 'the upload that came instead of the mount is used');
});

test('what may not be read there is uploaded here', async () => {
  await using both = await start({
    double: { access: { kind: 'token', users: { me: 'pw' }, private: /^secret/ } },
  });
  both.double.store.addBlob('secret', bytes);
  const reference = parseReference(`${both.double.host}/a`);
  const credentials = { username: 'me', password: 'pw' };
  assert.deepEqual(await both.client.registry.upload(reference, blobOf(['secret']), credentials, signal), {
    how: 'uploaded',
  });
});

test('a token that ends between two pieces', async () => {
  await using both = await start({ double: { access: { kind: 'token', users: { me: 'pw' } } }, client: pieces });
  both.double.rule({
    match: patches,
    body: (body) => {
      if (body.length === 0) both.double.access!.expireTokens();
      return body;
    },
  });
  const reference = parseReference(`${both.double.host}/a`);
  await both.client.registry.upload(reference, blobOf(), { username: 'me', password: 'pw' }, signal);
  arrived(both);
  assert.equal(both.double.access!.issued, 5);
});

test('an upload that goes elsewhere takes no credentials along', async () => {
  await using elsewhere = await RegistryDouble.open();
  elsewhere.rule({ match: /^PUT/, answer: { status: 201 } });
  await using both = await start({ double: { access: { kind: 'basic', users: { me: 'pw' } } } });
  both.double.rule({ match: /^POST/, headers: { location: `${elsewhere.url}/put/here?key=1` } });
  const reference = parseReference(`${both.double.host}/a`);
  await both.client.registry.upload(reference, blobOf(), { username: 'me', password: 'pw' }, signal);
  const put = elsewhere.requests(/^PUT \/put\/here\?key=1&digest=/)[0]!;
  assert.equal(put.headers['authorization'], undefined);
  assert.equal(put.bytes, bytes.length);
});

test('a redirected upload is sent again where it should go', async () => {
  await using elsewhere = await RegistryDouble.open();
  elsewhere.rule({ match: /^PUT/, answer: { status: 201 } });
  await using both = await start();
  both.double.rule({ match: puts, redirect: `${elsewhere.url}/stored` });
  await upload(both, blobOf());
  assert.equal(elsewhere.requests(/^PUT \/stored/)[0]!.bytes, bytes.length);
});

test('a registry that stores other bytes than it was given', async () => {
  await using both = await start({ rules: [{ match: puts, headers: { 'docker-content-digest': sha256('other') } }] });
  await assert.rejects(upload(both, blobOf()), { kind: 'invalid', message: /^Cannot push blob sha256:.*stored it as/ });
});

test('refused for good: told, and cancelled', async () => {
  await using both = await start({ client: pieces });
  both.double.rule({ match: patches, skip: 1, answer: { status: 403 } });
  await assert.rejects(upload(both, blobOf()), { kind: 'forbidden' });
  assert.equal(both.double.store.uploads.size, 0);
});

test('who leaves in mid-push leaves no upload behind', async () => {
  await using both = await start({ client: pieces });
  const controller = new AbortController();
  both.double.rule({ match: patches, skip: 1, delayMs: 300 });
  const pushing = upload(both, blobOf(), { signal: controller.signal });
  while (both.double.requests(patches).length < 2) {
    await new Promise((done) => {
      setTimeout(done, 5);
    });
  }
  controller.abort(new Error('gone'));
  await assert.rejects(pushing, /gone/);
  assert.equal(both.double.store.uploads.size, 0);
});

test('a manifest, and the question whether a blob is there, survive a bad moment', async () => {
  await using both = await start({
    rules: [
      { match: /^HEAD/, times: 2, answer: { status: 500 } },
      { match: /^PUT .*manifests/, times: 1, hangUp: true },
    ],
  });
  const reference = parseReference(`${both.double.host}/a:1`);
  assert.equal(await both.client.registry.hasBlob(reference, digest, undefined, signal), false);
  const manifest = Buffer.from('{"schemaVersion":2}');
  await both.client.registry.putManifest(reference, manifest, 'application/json', undefined, signal);
  assert.equal(both.double.store.repository('a').tags.get('1'), sha256(manifest));
});
