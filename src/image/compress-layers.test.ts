/** What is pushed is compressed, once; what came from a registry stays what it was. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { type Digest, mediaTypes, parseManifest, parseReference, sha256, withTag } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { all, commitOn, type Fixture, importImage, openFixture, signal, skipUnlessRoot, tarOf } from './fixture.ts';

const skip = skipUnlessRoot;

async function push({ images }: Fixture, host: string, name: string): Promise<string[]> {
  const request = { image: `${host}/${name}`, tag: '1', platform: undefined, auth: undefined };
  return (await all(images.push(request, signal))).flatMap(({ status }) => (status === undefined ? [] : [status]));
}

/** Media type and digest of the layers that the registry has. */
function pushedLayers({ store }: RegistryDouble, name: string): { mediaType: string; digest: Digest }[] {
  const repository = store.repository(name);
  const manifest = repository.manifests.get(repository.tags.get('1')!)!;
  const parsed = parseManifest(manifest.bytes, manifest.type);
  return parsed.kind === 'manifest' ? parsed.manifest.layers : [];
}

test('plain layers leave compressed, and stay so here', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture();
  const id = await importImage(fixture, `${double.host}/app:1`, { content: 'hello '.repeat(50_000) });
  const [before] = fixture.content.list().filter(({ size }) => size > 100_000);
  assert.ok(before !== undefined);
  await push(fixture, double.host, 'app');
  const [layer] = pushedLayers(double, 'app');
  assert.equal(layer!.mediaType, 'application/vnd.oci.image.layer.v1.tar+gzip');
  const packed = await fixture.content.read(layer!.digest);
  assert.ok(packed.length < before.size / 20);
  assert.equal(gunzipSync(packed).length, before.size);
  assert.ok(!fixture.content.has(before.digest), 'the plain blob is kept for nobody');
  assert.equal((await fixture.images.inspect(`${double.host}/app:1`, {})).Id, id);
  const uploads = (): number => double.requests(/^(POST|PATCH|PUT) .*\/blobs\/uploads/).length;
  const soFar = uploads();
  assert.ok((await push(fixture, double.host, 'app')).includes('Layer already exists'));
  assert.equal(uploads(), soFar);
  await fixture.reopen();
  assert.equal((await fixture.images.inspect(id, {})).RepoDigests.length, 1);
});

test('a layer that another image has compressed is not compressed again', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture();
  const base = await importImage(fixture, `${double.host}/base:1`, { content: 'x'.repeat(200_000) });
  await commitOn(fixture, base, 'more', { repo: `${double.host}/more`, tag: '1' });
  await push(fixture, double.host, 'base');
  await push(fixture, double.host, 'more');
  assert.equal(pushedLayers(double, 'more')[0]!.digest, pushedLayers(double, 'base')[0]!.digest);
  assert.equal(pushedLayers(double, 'more').length, 2);
  assert.equal(double.requests(/^(PATCH|PUT) .*\/blobs\/uploads/).filter(({ bytes }) => bytes > 0).length, 4);
});

test('two pushes at once compress once', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture();
  await importImage(fixture, `${double.host}/app:1`, { content: 'y'.repeat(2_000_000) });
  await Promise.all([push(fixture, double.host, 'app'), push(fixture, double.host, 'app')]);
  assert.equal(pushedLayers(double, 'app').length, 1);
  // Config, manifest, one layer.
  assert.equal(fixture.content.list().length, 3);
});

test('a manifest that a registry knows keeps its digest, though its layers are plain', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture();
  const tar = await tarOf({ file: 'z'.repeat(100_000) });
  const layer = double.store.addBlob('plain', tar, 'application/vnd.oci.image.layer.v1.tar');
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const config = double.store.addBlob(
    'plain',
    Buffer.from(JSON.stringify({ os: 'linux', architecture, config: {}, rootfs })),
    'application/vnd.oci.image.config.v1+json',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = double.store.addManifest('plain', '1', { schemaVersion: 2, mediaType, config, layers: [layer] });
  await all(
    fixture.images.pull({ image: `${double.host}/plain`, tag: '1', platform: undefined, auth: undefined }, signal),
  );
  await fixture.images.tag(`${double.host}/plain:1`, { repo: `${double.host}/copy`, tag: '1' });
  await push(fixture, double.host, 'copy');
  assert.equal(double.store.repository('copy').tags.get('1'), manifest.digest);
});

test('a layer of a build is archived as it leaves, and only as it was built', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture();
  const { snapshots, images } = fixture;
  const made = async (name: string): Promise<string> => {
    await snapshots.prepare(name, undefined);
    writeFileSync(join(snapshots.mount(name), 'made'), name.repeat(50_000));
    const tar = await collectBytes(snapshots.diff(name), 1 << 20);
    const digest = sha256(tar);
    using hold = snapshots.hold();
    hold.add(digest);
    await snapshots.adopt(name, { chainId: digest, diffId: digest });
    const config = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } };
    await images.addBuilt({
      config: Buffer.from(JSON.stringify(config)),
      layers: [{ mediaType: mediaTypes.ociLayer, digest, size: tar.length }],
      names: [withTag(parseReference(`${double.host}/${name}`), '1')],
    });
    return join(snapshots.describeLayer(digest)['UpperDir']!, 'made');
  };
  await made('whole');
  await push(fixture, double.host, 'whole');
  const [layer] = pushedLayers(double, 'whole');
  assert.equal(layer!.mediaType, mediaTypes.ociLayerGzip);
  writeFileSync(await made('broken'), 'others');
  await assert.rejects(push(fixture, double.host, 'broken'), {
    message: /are not what was built: wherry system verify/,
  });
  assert.equal(double.store.repository('broken').tags.size, 0);
});
