/** A build's end: the image, its names, and what stands on it. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeManifest, type ImageConfig, mediaTypes, parseReference, sha256, withDefaultTag } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { bytesOf, type Fixture, importImage, openFixture, saved, skipUnlessRoot, tarOf, verified } from './fixture.ts';

const skip = skipUnlessRoot;

/** One layer more on an image, as a build leaves it. */
async function built(fixture: Fixture, id: string, names: string[]): Promise<string> {
  const { config, layers } = fixture.images.base(id)!;
  using hold = fixture.content.hold();
  const blob = await fixture.content.ingest(bytesOf(await tarOf({ made: 'x' })), { hold });
  const more: ImageConfig = {
    ...config,
    created: '2024-01-02T03:04:05Z',
    rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, blob.digest] },
    history: [...(config.history ?? []), { created: '2024-01-02T03:04:05Z', created_by: 'RUN make # buildkit' }],
  };
  return await fixture.images.addBuilt({
    config: Buffer.from(JSON.stringify(more)),
    layers: [...layers, { mediaType: mediaTypes.ociLayer, ...blob }],
    names: names.map((name) => withDefaultTag(parseReference(name))),
  });
}

test('a built image has its layers, its history and all its names, also after a restart', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await importImage(fixture, 'base');
  const id = await built(fixture, base, ['app', 'registry.example/app:2']);
  await fixture.reopen();
  const image = (await fixture.images.get(id))!;
  assert.deepEqual(image.tags, ['app:latest', 'registry.example/app:2']);
  assert.ok(fixture.snapshots.has(image.chainId!));
  const [line] = await fixture.images.history(id, { platform: undefined });
  assert.equal(line?.CreatedBy, 'RUN make # buildkit');
  const layers = await fixture.images.layers(id, { platform: undefined });
  assert.deepEqual(
    layers.map(({ From, Origin }) => [From.Id, Origin]),
    [
      [base, 'import'],
      [id, 'build'],
    ],
  );
});

test('built again it is the same image, and a name moves to it', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await importImage(fixture, 'app');
  const id = await built(fixture, base, ['app']);
  assert.equal(await built(fixture, base, ['app']), id);
  assert.deepEqual((await fixture.images.get(base))!.tags, []);
  assert.equal(fixture.images.count(), 2);
});

test('built again with another manifest, the manifest before leaves the store', { skip }, async () => {
  await using fixture = await openFixture();
  const { config, layers } = fixture.images.base(await importImage(fixture, 'base'))!;
  const bytes = Buffer.from(JSON.stringify({ ...config, author: 'another' }));
  const names = [withDefaultTag(parseReference('app'))];
  const manifests = ['one', 'two'].map((title) =>
    encodeManifest({ digest: sha256(bytes), size: bytes.length }, layers, { annotations: { title } }),
  );
  for (const manifest of manifests) await fixture.images.addBuilt({ config: bytes, layers, manifest, names });
  assert.deepEqual(
    manifests.map((manifest) => fixture.content.has(sha256(manifest))),
    [false, true],
  );
  assert.deepEqual(await verified(fixture), []);
});

test('a config that does not fit its layers makes no image, and no name', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await importImage(fixture, 'app');
  const { config, layers } = fixture.images.base(base)!;
  const bytes = Buffer.from(JSON.stringify({ ...config, author: 'another' }));
  const names = [withDefaultTag(parseReference('app'))];
  await assert.rejects(fixture.images.addBuilt({ config: bytes, layers: [...layers, ...layers], names }), {
    kind: 'invalid',
  });
  assert.deepEqual((await fixture.images.get(base))!.tags, ['app:latest']);
  assert.equal(fixture.images.count(), 1);
  assert.equal(fixture.images.base('sha256:none'), undefined);
});

test('a layer that is there unpacked only is archived when somebody wants its bytes', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots, content, images } = fixture;
  await snapshots.prepare('step', undefined);
  writeFileSync(join(snapshots.mount('step'), 'made'), 'here');
  const tar = await collectBytes(snapshots.diff('step'), 1 << 20);
  const digest = sha256(tar);
  {
    using hold = snapshots.hold();
    hold.add(digest);
    await snapshots.adopt('step', { chainId: digest, diffId: digest });
    const config: ImageConfig = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [digest] } };
    await images.addBuilt({
      config: Buffer.from(JSON.stringify(config)),
      layers: [{ mediaType: mediaTypes.ociLayer, digest, size: tar.length }],
      names: [withDefaultTag(parseReference('made'))],
    });
  }
  assert.equal(content.has(digest), false);
  assert.deepEqual(await verified(fixture), []);
  await fixture.reopen();
  const archive = await saved(fixture, ['made']);
  assert.ok(archive.includes(tar.subarray(0, 512)));
  assert.deepEqual(await verified(fixture), []);
  const [name] = readdirSync(join(fixture.root, 'snapshots/l'));
  writeFileSync(join(fixture.root, 'snapshots/l', name!, 'fs/made'), 'changed');
  assert.match((await verified(fixture)).join(), /layer damaged: \/made has other bytes/);
});
