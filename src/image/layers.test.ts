/** What is told of the layers and platforms of images. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitOn, importImage, load, openFixture, saved, skipUnlessRoot } from './fixture.ts';

const skip = skipUnlessRoot;

test('each layer: its sizes, the image it came with and how, who else has it', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const base = await importImage(fixture, 'base:1');
  const one = await commitOn(fixture, base, 'one', { repo: 'one', tag: '1' });
  const two = await commitOn(fixture, one, 'two', { repo: 'two', tag: '1' });
  const unnamed = await commitOn(fixture, one, 'unnamed');
  const layers = await images.layers('two:1', {});
  assert.deepEqual(
    layers.map(({ From, Origin, SharedWith, Size, CreatedBy, Repositories }) => ({
      From,
      Origin,
      SharedWith,
      Size,
      CreatedBy,
      Repositories,
    })),
    [
      {
        From: { Id: base, Name: 'base:1' },
        Origin: 'import',
        SharedWith: ['base:1', 'one:1', unnamed.slice(7, 19)],
        Size: 4,
        CreatedBy: '',
        Repositories: [],
      },
      {
        From: { Id: one, Name: 'one:1' },
        Origin: 'commit',
        SharedWith: ['one:1', unnamed.slice(7, 19)],
        Size: 3,
        CreatedBy: 'make one',
        Repositories: [],
      },
      {
        From: { Id: two, Name: 'two:1' },
        Origin: 'commit',
        SharedWith: [],
        Size: 3,
        CreatedBy: 'make two',
        Repositories: [],
      },
    ],
  );
  for (const [index, diffId] of (await images.inspect(two, {})).RootFS.Layers!.entries()) {
    assert.equal(layers[index]!.DiffId, diffId);
    assert.equal(layers[index]!.StoredSize, fixture.content.size(layers[index]!.Digest as never));
  }

  await using other = await openFixture();
  await load(other, await saved(fixture, ['two:1']));
  assert.deepEqual(
    (await other.images.layers('two:1', {})).map(({ From, Origin, SharedWith }) => [From.Name, Origin, SharedWith]),
    Array.from({ length: 3 }, () => ['two:1', 'load', []]),
    'where the base is not, all came with the one image',
  );
  await other.reopen();
  assert.equal((await other.images.layers('two:1', {}))[0]!.Origin, 'load', 'it is known after a restart, too');
  await assert.rejects(images.layers('nope', {}), { kind: 'not-found', message: 'No such image: nope:latest' });
});

test('a list that tells of platforms, and of the containers that use an image', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await importImage(fixture, 'base:1');
  fixture.uses.set(id, [{ containerId: 'c1', running: true }]);
  const list = (manifests: boolean) =>
    fixture.images.list({ all: false, filters: new Map(), sharedSize: false, manifests });
  const [plain] = await list(false);
  assert.deepEqual([plain!.Containers, plain!.Manifests], [1, undefined]);
  const [platform] = (await list(true))[0]!.Manifests!;
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  assert.deepEqual(platform!.ImageData.Platform, { os: 'linux', architecture });
  assert.deepEqual(platform!.ImageData.Containers, ['c1']);
  assert.equal(platform!.ImageData.Size.Unpacked, 4);
  const stored = fixture.content.list().reduce((sum, blob) => sum + blob.size, 0);
  assert.deepEqual(platform!.Size, { Content: stored, Total: stored + 4 });
});
