/** The client against registries on loopback that misbehave in known ways, and against Debian's docker-registry. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
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

test('a blob comes whole through broken connections, by Range or by skipping', async () => {
  const blob = Buffer.from(createHash('sha512').update('x').digest('hex').repeat(2000));
  const digest = sha256(blob);
  for (const ranges of [true, false]) {
    let served = 0;
    await using fake = await fakeRegistry((request, response) => {
      if (!request.url!.includes('/blobs/')) return false;
      const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const start = ranges ? from : 0;
      response.writeHead(start > 0 ? 206 : 200, { 'content-length': blob.length - start });
      const end = Math.min(start + (ranges ? 100_000 : 60_000 * ++served), blob.length);
      response.write(blob.subarray(start, end), () => {
        if (end === blob.length) response.end();
        else setTimeout(() => response.destroy(), 20);
      });
      return true;
    });
    await withRegistry(async (registry) => {
      const reference = parseReference(`${fake.host}/a`);
      const got = await collectBytes(registry.blob(reference, { digest, size: blob.length }, {}, signal), 1 << 20);
      assert.ok(got.equals(blob));
      const rest = await collectBytes(
        registry.blob(reference, { digest, size: blob.length }, { start: 200_000 }, signal),
        1 << 20,
      );
      assert.ok(rest.equals(blob.subarray(200_000)));
    });
  }
});

test('redirects to another host carry no credentials', async () => {
  const seen: (string | undefined)[] = [];
  await using elsewhere = await fakeRegistry((request, response) => {
    seen.push(request.headers.authorization);
    response.end('blob');
    return true;
  });
  await using fake = await fakeRegistry((request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    }
    if (!request.url!.includes('/blobs/')) return false;
    response.writeHead(307, { location: `http://${elsewhere.host}/there` }).end();
    return true;
  });
  await withRegistry(async (registry) => {
    const credentials = { username: 'me', password: 'secret' };
    const reference = parseReference(`${fake.host}/a`);
    const got = await collectBytes(
      registry.blob(reference, { digest: sha256('blob'), size: 4 }, { credentials }, signal),
      10,
    );
    assert.equal(got.toString(), 'blob');
    assert.deepEqual(seen, [undefined]);
    await assert.rejects(registry.resolve(reference, undefined, signal), {
      kind: 'unauthorized',
      message: /no basic auth credentials$/,
    });
  });
});

test('bearer tokens: asked for once per scope, with the credentials, refreshed when refused', async () => {
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, config: { mediaType: 'x', digest: sha256('c'), size: 1 }, layers: [] }),
  );
  const tokenRequests: { query: URLSearchParams; authorization: string | undefined }[] = [];
  let valid = 'token-1';
  await using fake = await fakeRegistry((request, response) => {
    const url = new URL(request.url!, `http://${request.headers.host}`);
    if (url.pathname === '/token') {
      tokenRequests.push({ query: url.searchParams, authorization: request.headers.authorization });
      response.end(JSON.stringify({ token: valid, expires_in: 300 }));
      return true;
    }
    if (request.headers.authorization !== `Bearer ${valid}`) {
      response
        .writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="svc"` })
        .end();
      return true;
    }
    if (!url.pathname.includes('/manifests/')) return false;
    response.writeHead(200, { 'content-type': mediaTypes.ociManifest }).end(manifest);
    return true;
  });
  await withRegistry(async (registry) => {
    const reference = parseReference(`${fake.host}/a/b:1`);
    const credentials = { username: 'me', password: 'pw' };
    const { descriptor } = await registry.resolve(reference, credentials, signal);
    assert.deepEqual(descriptor, {
      mediaType: mediaTypes.ociManifest,
      digest: sha256(manifest),
      size: manifest.length,
    });
    await registry.resolve(reference, credentials, signal);
    assert.equal(tokenRequests.length, 1);
    const [first] = tokenRequests;
    assert.equal(first!.query.get('scope'), 'repository:a/b:pull');
    assert.equal(first!.query.get('service'), 'svc');
    assert.equal(first!.authorization, `Basic ${Buffer.from('me:pw').toString('base64')}`);
    valid = 'token-2';
    await registry.resolve(reference, credentials, signal);
    assert.equal(tokenRequests.length, 2);
    await registry.resolve(reference, { registrytoken: 'token-2' }, signal);
    assert.equal(tokenRequests.length, 2);
  });
});

test('an identity token is exchanged by POST', async () => {
  let body = '';
  await using fake = await fakeRegistry(async (request, response) => {
    if (request.url === '/token') {
      for await (const chunk of request) body += String(chunk);
      response.end(JSON.stringify({ access_token: 'good' }));
      return true;
    }
    if (request.headers.authorization === 'Bearer good') return false;
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
    return true;
  });
  await withRegistry(async (registry) => {
    const status = await registry.login({ identitytoken: 'refresh', serveraddress: fake.host }, signal);
    assert.equal(status.Status, 'Login Succeeded');
    assert.equal(new URLSearchParams(body).get('refresh_token'), 'refresh');
    assert.equal(new URLSearchParams(body).get('grant_type'), 'refresh_token');
  });
});

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

test('a mirror is asked first, without credentials; what it lacks comes from elsewhere', async () => {
  const manifest = Buffer.from('{"schemaVersion":2}');
  const seen: (string | undefined)[] = [];
  await using mirror = await fakeRegistry((request, response) => {
    seen.push(request.headers.authorization);
    if (!request.url!.includes('/manifests/here')) return false;
    response.end(manifest);
    return true;
  });
  await using second = await fakeRegistry((request, response) => {
    if (!request.url!.includes('/manifests/there')) return false;
    response.end(manifest);
    return true;
  });
  await withRegistry(
    async (registry) => {
      for (const tag of ['here', 'there']) {
        const { descriptor } = await registry.resolve(
          parseReference(`x:${tag}`),
          { username: 'u', password: 'p' },
          signal,
        );
        assert.equal(descriptor.digest, sha256(manifest));
      }
      assert.ok(seen.every((authorization) => authorization === undefined));
      assert.ok(mirror.log.some((line) => line === 'GET /v2/library/x/manifests/here'));
    },
    [`http://${mirror.host}`, `http://${second.host}`],
  );
});

test('tags come over several pages, never from another host', async () => {
  await using fake = await fakeRegistry((request, response) => {
    if (!request.url!.includes('/tags/list')) return false;
    const last = new URL(request.url!, 'http://x').searchParams.get('last');
    const link =
      last === null ? '</v2/a/tags/list?last=b>; rel="next"' : '<http://127.0.0.2:1/v2/a/tags/list?last=c>; rel="next"';
    response.writeHead(200, { link }).end(JSON.stringify({ tags: last === null ? ['a', 'b'] : ['c'] }));
    return true;
  });
  await withRegistry(async (registry) => {
    assert.deepEqual(await registry.tags(parseReference(`${fake.host}/a`), undefined, signal), ['a', 'b', 'c']);
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

test('aborting ends a transfer with its reason', async () => {
  await using fake = await fakeRegistry((request, response) => {
    if (!request.url!.includes('/blobs/')) return false;
    response.writeHead(200, { 'content-length': 1000 });
    response.write('some');
    return true;
  });
  await withRegistry(async (registry) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 50);
    const blob = registry.blob(
      parseReference(`${fake.host}/a`),
      { digest: sha256('x'), size: 1000 },
      {},
      controller.signal,
    );
    await assert.rejects(collectBytes(blob, 2000), /enough/);
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
