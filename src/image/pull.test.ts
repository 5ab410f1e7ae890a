/** Pull and push: the lines clients see, one transfer per blob, refusals; against a fake registry and docker-registry. */
import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { ProgressMessage } from '../api/index.ts';
import { type Digest, mediaTypes, sha256 } from '../oci/index.ts';
import { all, commitOn, importImage, openFixture, signal, skipUnlessRoot, tarOf } from './fixture.ts';
import { fakeRegistry, findRegistryProgram, realRegistry } from '../../test/support/registry.ts';

const skip = skipUnlessRoot;

/** A repository in memory: an index of two platforms with two layers each, the first shared. */
async function repository(): Promise<{
  serve: (request: IncomingMessage, response: ServerResponse) => boolean;
  layers: Digest[];
  index: Digest;
  config: Digest;
}> {
  const blobs = new Map<string, { type: string; data: Buffer }>();
  const put = (data: Buffer, type: string): { mediaType: string; digest: Digest; size: number } => {
    blobs.set(sha256(data), { type, data });
    return { mediaType: type, digest: sha256(data), size: data.length };
  };
  const host = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const manifests = [];
  let own: { layers: Digest[]; config: Digest } | undefined;
  for (const architecture of ['s390x', host]) {
    const tars = [await tarOf({ shared: 'x'.repeat(5000) }), await tarOf({ architecture })];
    const layers = tars.map((tar) => put(gzipSync(tar), mediaTypes.dockerLayerGzip));
    const config = put(
      Buffer.from(
        JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: tars.map(sha256) } }),
      ),
      mediaTypes.dockerConfig,
    );
    const manifest = put(
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.dockerManifest, config, layers })),
      mediaTypes.dockerManifest,
    );
    manifests.push({ ...manifest, platform: { os: 'linux', architecture } });
    own = { layers: layers.map(({ digest }) => digest), config: config.digest };
  }
  const index = put(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.dockerList, manifests })),
    mediaTypes.dockerList,
  );
  const serve = (request: IncomingMessage, response: ServerResponse): boolean => {
    const match = /^\/v2\/(?:library\/)?app\/(?:manifests|blobs)\/(.+)$/.exec(request.url!);
    const found = blobs.get(match?.[1] === 'v1' ? index.digest : (match?.[1] ?? ''));
    if (found === undefined) return false;
    response.writeHead(200, { 'content-type': found.type, 'content-length': found.data.length }).end(found.data);
    return true;
  };
  return { serve, layers: own!.layers, index: index.digest, config: own!.config };
}

const request = (
  image: string,
  tag?: string,
): { image: string; tag: string | undefined; platform: undefined; auth: undefined } => ({
  image,
  tag,
  platform: undefined,
  auth: undefined,
});

test('the lines of a pull, and of one that finds all there', { skip }, async () => {
  const { serve, layers, index, config } = await repository();
  await using fake = await fakeRegistry(serve);
  await using fixture = await openFixture();
  const { images } = fixture;
  const ids = layers.map((digest) => digest.slice(7, 19));
  const first = await all(images.pull(request(`${fake.host}/app`, 'v1'), signal));
  const lines = (messages: ProgressMessage[], id?: string): (string | undefined)[] =>
    messages.filter((message) => message.id === id).map(({ status }) => status);
  assert.deepEqual(first[0], { status: 'Pulling from app', id: 'v1' });
  for (const id of ids) {
    assert.deepEqual(lines(first, id), [
      'Pulling fs layer',
      'Downloading',
      'Verifying Checksum',
      'Download complete',
      'Extracting',
      'Pull complete',
    ]);
  }
  assert.deepEqual(lines(first), [`Digest: ${index}`, `Status: Downloaded newer image for ${fake.host}/app:v1`]);
  const inspect = await images.inspect(`${fake.host}/app:v1`, {});
  assert.equal(inspect.Id, config);
  assert.deepEqual(inspect.RepoTags, [`${fake.host}/app:v1`]);
  assert.deepEqual(inspect.RepoDigests, [`${fake.host}/app@${index}`]);
  assert.equal((await images.resolve(`${fake.host}/app@${index}`)).id, config);
  const second = await all(images.pull(request(`${fake.host}/app:v1`), signal));
  assert.deepEqual(
    second.map(({ status }) => status),
    ['Pulling from app', `Digest: ${index}`, `Status: Image is up to date for ${fake.host}/app:v1`],
  );
  assert.equal(fake.log.filter((line) => line.includes('/blobs/')).length, 3);
  assert.deepEqual(fixture.events.filter(({ action }) => action === 'pull')[0], {
    action: 'pull',
    id: `${fake.host}/app:v1`,
    attributes: { name: `${fake.host}/app` },
  });
  assert.deepEqual(await images.remove(`${fake.host}/app:v1`, { force: false, noPrune: false }), [
    { Untagged: `${fake.host}/app:v1` },
    { Untagged: `${fake.host}/app@${index}` },
    { Deleted: config },
    ...(
      await Promise.resolve(
        inspect.RootFS.Layers!.length === 2
          ? [sha256(`${inspect.RootFS.Layers![0]} ${inspect.RootFS.Layers![1]}`), inspect.RootFS.Layers![0]!]
          : [],
      )
    ).map((Deleted) => ({ Deleted })),
  ]);
});

test('another platform, a digest, and through a mirror under the familiar name', { skip }, async () => {
  const { serve, layers, index } = await repository();
  await using fake = await fakeRegistry(serve);
  await using fixture = await openFixture({ mirrors: [`http://${fake.host}`] });
  const { images } = fixture;
  await all(images.pull({ ...request('app', 'v1'), platform: 'linux/s390x' }, signal));
  assert.equal((await images.resolve('app:v1')).architecture, 's390x');
  const messages = await all(images.pull(request('app', index), signal));
  assert.equal(messages[0]?.status, 'Pulling from library/app');
  assert.deepEqual(
    messages.filter(({ id }) => id === layers[0]!.slice(7, 19)).map(({ status }) => status),
    ['Already exists'],
  );
  assert.deepEqual((await images.inspect(`app@${index}`, {})).RepoTags, []);
  const both = await all(images.pull(request(`app:other@${index}`), signal));
  assert.equal(both.at(-1)?.status, `Status: Image is up to date for app:other@${index}`);
  assert.deepEqual((await images.inspect(`app:other@${index}`, {})).RepoTags, []);
  await assert.rejects(all(images.pull({ ...request('app', 'v1'), platform: 'linux/mips' }, signal)), {
    kind: 'not-found',
    message: 'no matching manifest for linux/mips in the manifest list entries',
  });
});

test('the same image pulled twice at once is transferred once', { skip }, async () => {
  const { serve, layers } = await repository();
  await using fake = await fakeRegistry((incoming, response) => {
    if (!incoming.url!.includes('/blobs/')) return serve(incoming, response);
    setTimeout(() => serve(incoming, response), 30);
    return true;
  });
  await using fixture = await openFixture();
  const { images } = fixture;
  const pull = (): Promise<ProgressMessage[]> => all(images.pull(request(`${fake.host}/app`, 'v1'), signal));
  await Promise.all([pull(), pull(), pull()]);
  for (const digest of layers) assert.equal(fake.log.filter((line) => line.endsWith(digest)).length, 1);
});

test('a pull whose client leaves stops; another of the same image goes on', { skip }, async () => {
  const { serve } = await repository();
  await using fake = await fakeRegistry((incoming, response) => {
    if (!incoming.url!.includes('/blobs/')) return serve(incoming, response);
    setTimeout(() => serve(incoming, response), 60);
    return true;
  });
  await using fixture = await openFixture();
  const { images } = fixture;
  const staying = all(images.pull(request(`${fake.host}/app`, 'v1'), signal));
  const controller = new AbortController();
  const leaving = all(images.pull(request(`${fake.host}/app`, 'v1'), controller.signal));
  setTimeout(() => controller.abort(new Error('gone')), 30);
  await assert.rejects(leaving, /gone/);
  await staying;
  assert.equal(images.count(), 1);
});

test('a blob that is not what it should be fails the pull and leaves nothing', { skip }, async () => {
  const { serve, layers } = await repository();
  await using fake = await fakeRegistry((incoming, response) => {
    if (!incoming.url!.endsWith(layers[1]!)) return serve(incoming, response);
    response.end('evil');
    return true;
  });
  await using fixture = await openFixture();
  await assert.rejects(all(fixture.images.pull(request(`${fake.host}/app`, 'v1'), signal)));
  assert.equal(fixture.images.count(), 0);
  await fixture.reopen();
  assert.deepEqual(fixture.snapshots.layers(), []);
  assert.deepEqual(
    fixture.content
      .list()
      .map(({ digest }) => digest)
      .sort(),
    fixture.content
      .unfinished()
      .filter(({ whole }) => whole)
      .map(({ digest }) => digest)
      .sort(),
    'only what the next try can use is left',
  );
});

test('refusals in Docker words, before the first line', { skip }, async () => {
  await using fake = await fakeRegistry((incoming, response) => {
    const code = {
      '/v2/gone/manifests/1': 'NAME_UNKNOWN',
      '/v2/secret/manifests/1': 'DENIED',
      '/v2/app/manifests/2': 'MANIFEST_UNKNOWN',
    }[incoming.url!];
    if (code === undefined) return false;
    response.writeHead(404).end(JSON.stringify({ errors: [{ code, message: 'because' }] }));
    return true;
  });
  await using fixture = await openFixture();
  const cases: [image: string, message: string][] = [
    ['gone:1', `repository ${fake.host}/gone not found: name unknown: because`],
    [
      'secret:1',
      `pull access denied for ${fake.host}/secret, repository does not exist or may require 'docker login': denied: because`,
    ],
    ['app:2', `manifest for ${fake.host}/app:2 not found: manifest unknown: because`],
  ];
  for (const [image, message] of cases) {
    await assert.rejects(fixture.images.pull(request(`${fake.host}/${image}`), signal), { kind: 'not-found', message });
  }
  await assert.rejects(fixture.images.distribution(`${fake.host}/app:2`, undefined, signal), { kind: 'not-found' });
  const push = await fixture.images.push(request(`${fake.host}/app`, 'x'), signal);
  const seen: ProgressMessage[] = [];
  await assert.rejects(
    async () => {
      for await (const message of push) seen.push(message);
    },
    { message: `An image does not exist locally with the tag: ${fake.host}/app` },
  );
  assert.deepEqual(seen, [{ status: `The push refers to repository [${fake.host}/app]` }]);
});

test('distribution inspect tells digest and platforms', { skip }, async () => {
  const { serve, index } = await repository();
  await using fake = await fakeRegistry(serve);
  await using fixture = await openFixture();
  const found = (await fixture.images.distribution(`${fake.host}/app:v1`, undefined, signal)) as {
    Descriptor: { digest: string };
    Platforms: object[];
  };
  assert.equal(found.Descriptor.digest, index);
  assert.equal(found.Platforms.length, 2);
});

const program = findRegistryProgram(process.env);

test('push and pull with docker-registry', {
  skip: skip === false && 'skip' in program ? program.skip : skip,
}, async () => {
  if (!('path' in program)) return;
  await using real = await realRegistry(program.path);
  await using fixture = await openFixture();
  const { images } = fixture;
  const base = await importImage(fixture, 'base');
  const top = await commitOn(fixture, base, 'top', { repo: `${real.host}/a/b`, tag: 'c' });
  const lines = await all(images.push(request(`${real.host}/a/b`, 'c'), signal));
  const statuses = lines.map(({ status }) => status);
  assert.equal(statuses[0], `The push refers to repository [${real.host}/a/b]`);
  assert.equal(statuses.filter((status) => status === 'Pushed').length, 2);
  const aux = lines.at(-1)?.aux as { Tag: string; Digest: string; Size: number };
  assert.equal(statuses.at(-2), `c: digest: ${aux.Digest} size: ${aux.Size}`);
  const again = (await all(images.push(request(`${real.host}/a/b`, 'c'), signal))).map(({ status }) => status);
  assert.equal(again.filter((status) => status === 'Layer already exists').length, 2);
  await images.tag(top, { repo: `${real.host}/other`, tag: '1' });
  const mounted = (await all(images.push(request(`${real.host}/other`), signal))).map(({ status }) => status);
  assert.equal(mounted.filter((status) => status === 'Mounted from a/b').length, 2);
  await using other = await openFixture();
  const pulled = await all(other.images.pull(request(`${real.host}/a/b`), signal));
  assert.equal(pulled.at(-1)?.status, `Status: Downloaded newer image for ${real.host}/a/b:c`);
  assert.equal((await other.images.resolve(`${real.host}/a/b:c`)).id, top);
  assert.deepEqual((await other.images.inspect(top, {})).RepoDigests, [`${real.host}/a/b@${aux.Digest}`]);
});
