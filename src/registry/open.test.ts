/** The client against registries on loopback that misbehave in known ways, and against Debian's docker-registry. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { mediaTypes, parseReference, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { fakeRegistry, findRegistryProgram, realRegistry } from '../../test/support/registry.ts';
import { systemClock } from './clock.ts';
import { openRegistry, type Registry } from './open.ts';

const signal = new AbortController().signal;
/** Waits for nothing. */
const clock = { ...systemClock, sleep: async () => {} };

async function withRegistry(task: (registry: Registry) => Promise<void>, mirrors: string[] = []): Promise<void> {
  const registry = openRegistry({ mirrors, clock });
  try {
    await task(registry);
  } finally {
    await registry.close();
  }
}

function errors(response: ServerResponse, status: number, code: string, message: string): true {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message }] }));
  return true;
}

test("a registry's refusals keep their code", async () => {
  await using fake = await fakeRegistry((request, response) => {
    if (request.url!.includes('/manifests/unknown'))
      return errors(response, 404, 'MANIFEST_UNKNOWN', 'manifest unknown');
    if (request.url!.includes('/manifests/denied'))
      return errors(response, 403, 'DENIED', 'requested access to the resource is denied');
    if (request.url!.includes('/manifests/slow')) return errors(response, 429, 'TOOMANYREQUESTS', 'slow down');
    if (request.url!.includes('/manifests/scope')) {
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://${request.headers.host}/token",error="insufficient_scope"`,
        })
        .end();
      return true;
    }
    if (request.url!.startsWith('/token')) {
      response.end(JSON.stringify({ token: 't' }));
      return true;
    }
    if (request.url!.includes('/manifests/broken')) {
      response.writeHead(502).end('<html>');
      return true;
    }
    return false;
  });
  await withRegistry(async (registry) => {
    const cases: [tag: string, kind: string, message: string][] = [
      ['unknown', 'not-found', 'manifest unknown: manifest unknown'],
      ['bare404', 'not-found', 'manifest unknown: manifest unknown'],
      ['denied', 'forbidden', 'denied: requested access to the resource is denied'],
      ['scope', 'forbidden', 'denied: requested access to the resource is denied'],
      ['slow', 'unavailable', 'toomanyrequests: slow down'],
      ['broken', 'internal', 'received unexpected HTTP status: 502'],
    ];
    for (const [tag, kind, message] of cases) {
      await assert.rejects(
        registry.resolve(parseReference(`${fake.host}/a:${tag}`), undefined, signal),
        { kind, message },
        tag,
      );
    }
  });
});

test('a manifest that is not what its digest says is refused', async () => {
  await using fake = await fakeRegistry((request, response) => {
    if (!request.url!.includes('/manifests/')) return false;
    response.writeHead(200, { 'docker-content-digest': sha256('other') }).end('{}');
    return true;
  });
  await withRegistry(async (registry) => {
    for (const name of [':tag', `@${sha256('wanted')}`]) {
      await assert.rejects(
        registry.resolve(parseReference(`${fake.host}/a${name}`), undefined, signal),
        /manifest verification failed for digest/,
      );
    }
  });
});

test('nobody there, in the words of Go', async () => {
  await withRegistry(async (registry) => {
    await assert.rejects(registry.resolve(parseReference('127.0.0.1:9/a'), undefined, signal), {
      kind: 'internal',
      message: 'Get "http://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused',
    });
    await assert.rejects(registry.resolve(parseReference('nowhere.invalid/a'), undefined, signal), {
      kind: 'internal',
      message:
        /^Get "https:\/\/nowhere\.invalid\/v2\/": dial tcp: lookup nowhere\.invalid.*: (no such host|server misbehaving)$/,
    });
  });
});

test('search asks the index named by the term', async () => {
  await using fake = await fakeRegistry((request, response) => {
    if (!request.url!.startsWith('/v1/search')) return false;
    response.end(JSON.stringify({ results: [{ name: 'a/b', description: 'd', star_count: 3, is_official: true }] }));
    return true;
  });
  await withRegistry(async (registry) => {
    assert.deepEqual(await registry.search(`${fake.host}/b c`, 5, signal), [
      { name: 'a/b', description: 'd', star_count: 3, is_official: true, is_automated: false },
    ]);
    assert.ok(fake.log.includes('GET /v1/search?q=b%20c&n=5'));
    await assert.rejects(registry.search('x', 101, signal), { kind: 'invalid' });
  });
});

const program = findRegistryProgram(process.env);
const skip = 'skip' in program ? program.skip : false;

test('push, mount and pull with docker-registry', { skip }, async () => {
  if (!('path' in program)) return;
  await using real = await realRegistry(program.path);
  await withRegistry(async (registry) => {
    const reference = parseReference(`${real.host}/a/b:1`);
    const data = Buffer.alloc(300_000, 'layer');
    const blob = {
      digest: sha256(data),
      size: data.length,
      open: async function* (start: number) {
        yield data.subarray(start, start + 1000);
        yield data.subarray(start + 1000);
      },
      mountFrom: [],
    };
    assert.ok(!(await registry.hasBlob(reference, blob.digest, undefined, signal)));
    assert.deepEqual(await registry.upload(reference, blob, undefined, signal), { how: 'uploaded' });
    assert.ok(await registry.hasBlob(reference, blob.digest, undefined, signal));
    const other = parseReference(`${real.host}/c:1`);
    assert.deepEqual(await registry.upload(other, { ...blob, mountFrom: ['no/such', 'a/b'] }, undefined, signal), {
      how: 'mounted',
      from: 'a/b',
    });
    const descriptor = { mediaType: mediaTypes.ociLayer, digest: blob.digest, size: blob.size };
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: mediaTypes.ociManifest,
        config: { ...descriptor, mediaType: mediaTypes.ociConfig },
        layers: [descriptor],
      }),
    );
    const digest = await registry.putManifest(reference, manifest, mediaTypes.ociManifest, undefined, signal);
    assert.equal((await registry.resolve(reference, undefined, signal)).descriptor.digest, digest);
    assert.deepEqual(await registry.tags(reference, undefined, signal), ['1']);
    assert.ok((await collectBytes(registry.blob(reference, blob, {}, signal), 1 << 20)).equals(data));
    await assert.rejects(registry.resolve(parseReference(`${real.host}/a/b:2`), undefined, signal), {
      kind: 'not-found',
    });
  });
});

test('pieces at docker-registry', { skip }, async () => {
  if (!('path' in program)) return;
  await using real = await realRegistry(program.path);
  const registry = openRegistry({ clock, pieceBytes: 1 << 20 });
  try {
    const data = randomBytes(3_500_000);
    const blob = {
      digest: sha256(data),
      size: data.length,
      mountFrom: [],
      open: async function* (start: number) {
        for (let at = start; at < data.length; at += 65_536) yield data.subarray(at, at + 65_536);
      },
    };
    const reference = parseReference(`${real.host}/a:1`);
    assert.deepEqual(await registry.upload(reference, blob, undefined, signal), { how: 'uploaded' });
    assert.ok((await collectBytes(registry.blob(reference, blob, {}, signal), 1 << 23)).equals(data));
  } finally {
    await registry.close();
  }
});

test('login at docker-registry with basic authentication', { skip }, async () => {
  if (!('path' in program)) return;
  // The bcrypt hash of "secret", cost 5.
  await using real = await realRegistry(
    program.path,
    'me:$2y$05$53eFofp8blj08gWAVN1b/eBOLWjrKcG6g9A16alLQ1cd81XndSP9u\n',
  );
  await withRegistry(async (registry) => {
    await assert.rejects(registry.login({ username: 'me', password: 'wrong', serveraddress: real.host }, signal), {
      kind: 'unauthorized',
    });
    const good = await registry.login(
      { username: 'me', password: 'secret', serveraddress: `http://${real.host}/v2/` },
      signal,
    );
    assert.deepEqual(good, { Status: 'Login Succeeded', IdentityToken: '' });
  });
});
