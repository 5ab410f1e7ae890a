/** Freeing space: what goes, what stays, and that what was freed is back when a verb needs it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Digest, mediaTypes, sha256 } from '../oci/index.ts';
import {
  all,
  commitOn,
  type Fixture,
  importImage,
  load,
  openFixture,
  saved,
  signal,
  skipUnlessRoot,
  tarOf,
  verified,
} from './fixture.ts';
import { fakeRegistry } from '../../test/support/registry.ts';

const skip = skipUnlessRoot;

interface Source extends AsyncDisposable {
  host: string;
  layers: Digest[];
  log: string[];
  state: { down: boolean };
}

/** A registry with `app:1` of two layers. */
async function registry(): Promise<Source> {
  const blobs = new Map<string, { type: string; data: Buffer }>();
  const put = (data: Buffer, type: string): { mediaType: string; digest: Digest; size: number } => {
    blobs.set(sha256(data), { type, data });
    return { mediaType: type, digest: sha256(data), size: data.length };
  };
  const tars = [await tarOf({ one: 'x'.repeat(50_000) }), await tarOf({ two: 'two' })];
  const layers = tars.map((tar) => put(gzipSync(tar), mediaTypes.ociLayerGzip));
  const rootfs = { type: 'layers', diff_ids: tars.map(sha256) };
  const config = put(Buffer.from(JSON.stringify({ os: 'linux', architecture: '', rootfs })), mediaTypes.ociConfig);
  const manifest = put(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers })),
    mediaTypes.ociManifest,
  );
  const state = { down: false };
  const fake = await fakeRegistry((request, response) => {
    const name = /^\/v2\/app\/(?:manifests|blobs)\/(.+)$/.exec(request.url!)?.[1] ?? '';
    const found = state.down ? undefined : blobs.get(name === '1' ? manifest.digest : name);
    if (found === undefined) return false;
    response.writeHead(200, { 'content-type': found.type, 'content-length': found.data.length }).end(found.data);
    return true;
  });
  return {
    host: fake.host,
    layers: layers.map(({ digest }) => digest),
    log: fake.log,
    state,
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

const pull = ({ images }: Fixture, { host }: Source): ReturnType<typeof all> =>
  all(images.pull({ image: `${host}/app`, tag: '1', platform: undefined, auth: undefined }, signal));
const everything = Number.POSITIVE_INFINITY;

test('archives of unpacked layers go, the image stays and runs, and save has them again', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  const before = await saved(fixture, [`${source.host}/app:1`]);
  const freed = await fixture.images.freeSpace(everything);
  assert.ok(freed > 0);
  for (const layer of source.layers) assert.ok(!fixture.content.has(layer));
  assert.deepEqual(fixture.events.at(-1), {
    action: 'prune',
    id: '',
    attributes: { reclaimed: String(freed), reason: 'disk pressure' },
  });
  assert.equal(await fixture.images.freeSpace(everything), 0);
  assert.deepEqual(await verified(fixture), [], 'what was freed is not missing');
  await fixture.reopen();
  assert.deepEqual(await verified(fixture), [], 'the next daemon knows, too');
  {
    using view = fixture.snapshots.view((await fixture.images.resolve(`${source.host}/app:1`)).chainId!);
    assert.ok(view.path !== '');
  }
  assert.deepEqual(await saved(fixture, [`${source.host}/app:1`]), before, 'to the byte');
  for (const layer of source.layers) assert.ok(fixture.content.has(layer));
});

test('without the registry save says what to type; a pull of what shares the layers fetches nothing', {
  skip,
}, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  await fixture.images.freeSpace(everything);
  source.state.down = true;
  await assert.rejects(saved(fixture, [`${source.host}/app:1`]), {
    kind: 'not-found',
    message: new RegExp(
      `is not here and cannot be had again \\(.*\\); pull it again: wherry pull ${source.host}/app:1$`,
    ),
  });
  source.state.down = false;
  source.log.length = 0;
  await pull(fixture, source);
  assert.deepEqual(
    source.log.filter((line) => line.includes('/blobs/')),
    [],
  );
});

test('an image made here on a pulled one keeps its own archive, and has the other again when both names are gone', {
  skip,
}, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  const { id } = await fixture.images.resolve(`${source.host}/app:1`);
  await commitOn(fixture, id, 'own', { repo: 'own', tag: undefined });
  const whole = await saved(fixture, ['own']);
  await fixture.images.freeSpace(everything);
  assert.equal(fixture.content.list().length, 7 - 2, 'configs, manifests and the layer of its own');
  await fixture.images.remove(`${source.host}/app:1`, { force: true, noPrune: false });
  await fixture.reopen();
  assert.deepEqual(await saved(fixture, ['own']), whole, 'where the blob came from was noted');
});

test('images go that nothing means, and stay that a container, a name or a way back needs', { skip }, async () => {
  await using fixture = await openFixture();
  const { images, uses } = fixture;
  const named = await importImage(fixture, 'named');
  const used = await importImage(fixture, undefined, { content: 'used' });
  const loose = await importImage(fixture, undefined, { content: 'loose' });
  const good = await importImage(fixture, 'app:1', { content: 'good' });
  images.used(good, 'started');
  const bad = await importImage(fixture, 'app:1', { content: 'bad' });
  const newest = await importImage(fixture, 'app:1', { content: 'newest' });
  uses.set(used, [{ containerId: 'c'.repeat(64), running: false }]);
  await images.freeSpace(everything);
  const there = async (id: string): Promise<boolean> => (await images.get(id)) !== undefined;
  assert.deepEqual(await Promise.all([named, used, good, newest].map(there)), [true, true, true, true]);
  assert.deepEqual(await Promise.all([loose, bad].map(there)), [false, false], 'no container ran from the bad one');
  await fixture.images[Symbol.asyncDispose]();
  await fixture.reopen();
  await fixture.images.freeSpace(everything);
  assert.ok((await fixture.images.get(good)) !== undefined, 'the way back outlives the daemon');
  await fixture.images.remove('app:1', { force: false, noPrune: false });
  await fixture.images.freeSpace(everything);
  assert.equal(await fixture.images.get(good), undefined, 'a name that is given up has no way back');
});

test('no more than asked for, downloads first', { skip }, async () => {
  await using fixture = await openFixture();
  {
    await using part = await fixture.content.openIngest({ digest: sha256('part'), size: 100_000 });
    await part.write(Buffer.alloc(50_000, 'x'));
  }
  await importImage(fixture, undefined, { content: 'loose' });
  assert.ok((await fixture.images.freeSpace(1)) >= 50_000);
  assert.equal(fixture.images.count(), 1);
  assert.ok((await fixture.images.freeSpace(1)) > 0);
  assert.equal(fixture.images.count(), 0);
});

test('what is being read is not freed', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  using hold = fixture.content.hold();
  for (const layer of source.layers) hold.add(layer);
  assert.equal(await fixture.images.freeSpace(everything), 0);
  assert.deepEqual(await verified(fixture), []);
  for (const layer of source.layers) assert.ok(fixture.content.has(layer));
});

test('an archive loaded over a freed one, and layers that must be unpacked again', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  const archive = await saved(fixture, [`${source.host}/app:1`]);
  await fixture.images.freeSpace(everything);
  await load(fixture, archive);
  for (const layer of source.layers) assert.ok(fixture.content.has(layer));
  await fixture.images.freeSpace(everything);
  for (const layer of source.layers) assert.ok(!fixture.content.has(layer));
  await fixture.reopen();
  const { chainId } = await fixture.images.resolve(`${source.host}/app:1`);
  await fixture.snapshots.removeLayer(chainId!);
  assert.match(
    (await verified(fixture, { repair: true })).join('\n'),
    /^layer missing: not unpacked.*\| unpacked again$/,
  );
  assert.deepEqual(await verified(fixture), []);
});
