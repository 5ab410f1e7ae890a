/** Damage to every part of an image is found, and mended from the registry or from what is here. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type Digest, mediaTypes, sha256 } from '../oci/index.ts';
import {
  all,
  commitOn,
  type Fixture,
  importImage,
  openFixture,
  signal,
  skipUnlessRoot,
  tarOf,
  verified,
} from './fixture.ts';
import { fakeRegistry } from '../../test/support/registry.ts';

const skip = skipUnlessRoot;

interface Source extends AsyncDisposable {
  host: string;
  index: Digest;
  manifest: Digest;
  config: Digest;
  layers: Digest[];
  /** The registry has nothing any more. */
  state: { down: boolean };
}

/** A registry with one image, by an index. */
async function registry(): Promise<Source> {
  const blobs = new Map<string, { type: string; data: Buffer }>();
  const put = (data: Buffer, type: string): { mediaType: string; digest: Digest; size: number } => {
    blobs.set(sha256(data), { type, data });
    return { mediaType: type, digest: sha256(data), size: data.length };
  };
  const tars = [await tarOf({ one: 'x'.repeat(5000) }), await tarOf({ two: 'two' })];
  const layers = tars.map((tar) => put(gzipSync(tar), mediaTypes.ociLayerGzip));
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
  const rootfs = { type: 'layers', diff_ids: tars.map(sha256) };
  const config = put(Buffer.from(JSON.stringify({ os: 'linux', architecture, rootfs })), mediaTypes.ociConfig);
  const manifestOf = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers };
  const manifest = put(Buffer.from(JSON.stringify(manifestOf)), mediaTypes.ociManifest);
  const offers = [{ ...manifest, platform: { os: 'linux', architecture } }];
  const indexOf = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: offers };
  const index = put(Buffer.from(JSON.stringify(indexOf)), mediaTypes.ociIndex);
  const state = { down: false };
  const fake = await fakeRegistry((request, response) => {
    const name = /^\/v2\/app\/(?:manifests|blobs)\/(.+)$/.exec(request.url!)?.[1] ?? '';
    const found = state.down ? undefined : blobs.get(name === 'v1' ? index.digest : name);
    if (found === undefined) return false;
    response.writeHead(200, { 'content-type': found.type, 'content-length': found.data.length }).end(found.data);
    return true;
  });
  return {
    host: fake.host,
    index: index.digest,
    manifest: manifest.digest,
    config: config.digest,
    layers: layers.map(({ digest }) => digest),
    state,
    [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose](),
  };
}

function blobFile({ root }: Fixture, digest: Digest): string {
  return join(root, 'content/blobs/sha256', digest.slice(7));
}

async function pull({ images }: Fixture, { host }: Source): Promise<void> {
  await all(images.pull({ image: `${host}/app`, tag: 'v1', platform: undefined, auth: undefined }, signal));
}

test('what was pulled, imported and committed is as it should be', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  await commitOn(fixture, await importImage(fixture, 'base'), 'more', { repo: 'top', tag: undefined });
  assert.deepEqual(await verified(fixture), []);
  await fixture.reopen();
  assert.deepEqual(await verified(fixture), []);
  assert.deepEqual(await verified(fixture, { quick: true }), []);
});

test('damaged and missing blobs are fetched again by digest', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  const { index, manifest, config, layers } = source;
  const parts: [string, Digest][] = [
    ['index', index],
    ['manifest', manifest],
    ['config', config],
    ['layer', layers[0]!],
    ['layer', layers[1]!],
  ];
  for (const [part, digest] of parts) {
    const good = readFileSync(blobFile(fixture, digest));
    writeFileSync(blobFile(fixture, digest), Buffer.from(good).fill('X', 10, 12));
    const [line, ...rest] = await verified(fixture, { repair: true });
    assert.match(
      line ?? '',
      new RegExp(
        `^blob damaged: its content is sha256:.*; it is the ${part} of image .*/app:v1 \\| (fetched again from ${source.host}/app|made again)$`,
      ),
    );
    assert.deepEqual(rest, []);
    assert.deepEqual(readFileSync(blobFile(fixture, digest)), good);
    rmSync(blobFile(fixture, digest));
    await fixture.reopen();
    const again = await verified(fixture, { repair: true });
    assert.equal(again.length, 1, again.join('\n'));
    assert.match(again[0]!, /^(blob|image) missing: .*\| (fetched again from |made again)/);
    assert.deepEqual(await verified(fixture), []);
  }
  assert.equal((await fixture.images.resolve(`${source.host}/app:v1`)).id, config);
});

test('a size that is not the manifest’s is seen without reading', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  writeFileSync(blobFile(fixture, source.layers[0]!), 'short');
  await fixture.reopen();
  const [line] = await verified(fixture, { quick: true });
  assert.match(line ?? '', /^blob damaged: has 5 bytes, not \d+; it is the layer of image/);
});

test('without its registry an image is reported with what to type', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  source.state.down = true;
  writeFileSync(blobFile(fixture, source.layers[0]!), 'bad');
  const [line] = await verified(fixture, { repair: true });
  assert.match(
    line ?? '',
    new RegExp(
      `\\| failed: blob ${source.layers[0]} is not here and cannot be had again \\(.*\\); pull it again: wherry pull ${source.host}/app:v1$`,
    ),
  );
  assert.ok(!fixture.content.has(source.layers[0]!), 'bad bytes are served to nobody');
  source.state.down = false;
  await pull(fixture, source);
  const left = await verified(fixture, { repair: true });
  assert.match(left.join('\n'), /^$|fetched again/);
  assert.deepEqual(await verified(fixture), []);
});

test('what was made here is made again, or lost and said so', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await importImage(fixture, 'base');
  const top = await commitOn(fixture, base, 'more', { repo: 'top', tag: undefined });
  const blobs = fixture.content.list().map(({ digest }) => digest);
  const manifest = blobs.find((digest) =>
    readFileSync(blobFile(fixture, digest), 'utf8').includes(`"digest":"${top}"`),
  )!;
  rmSync(blobFile(fixture, manifest));
  await fixture.reopen();
  assert.match(
    (await verified(fixture, { repair: true })).join('\n'),
    /^blob missing: it is the manifest of image top:latest \| made again$/,
  );
  writeFileSync(blobFile(fixture, top as Digest), '{');
  const [line] = await verified(fixture, { repair: true });
  assert.match(
    line ?? '',
    /it is the config of image top:latest \| failed: .*it came from no registry.*; load or build it again, or remove it: wherry rmi top:latest$/,
  );
  assert.equal(await fixture.images.get(top), undefined);
  await fixture.reopen();
  const [lost] = await verified(fixture, { repair: true });
  assert.match(
    lost ?? '',
    /^image missing: its config .* is missing or damaged \| failed: it came from no registry, and what was left of it was removed/,
  );
  assert.deepEqual(await verified(fixture), []);
  assert.equal(fixture.images.count(), 1);
});

test('layers are unpacked again, but not under a running container', { skip }, async () => {
  await using source = await registry();
  await using fixture = await openFixture();
  await pull(fixture, source);
  const { chainId } = await fixture.images.resolve(`${source.host}/app:v1`);
  const { UpperDir: upper } = fixture.snapshots.describeLayer(chainId!) as { UpperDir: string };
  writeFileSync(join(upper, 'two'), 'TWO');
  const [warned] = await verified(fixture, { repair: true, running: ['web'] });
  assert.match(
    warned ?? '',
    /^layer damaged: \/two has other bytes.*running containers see it; stop them, then mend it: wherry stop web; wherry system verify --repair$/,
  );
  assert.equal(readFileSync(join(upper, 'two'), 'utf8'), 'TWO');
  const [line] = await verified(fixture, { repair: true });
  assert.match(line ?? '', /^layer damaged: \/two has other bytes.*\| unpacked again$/);
  rmSync(join(upper, '..'), { recursive: true });
  await fixture.reopen();
  assert.match(
    (await verified(fixture, { repair: true })).join('\n'),
    /^layer missing: not unpacked.*\| unpacked again$/,
  );
  assert.deepEqual(await verified(fixture), []);
});

test('strays, broken records and records that are gone', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await importImage(fixture, 'base');
  const folder = join(fixture.root, 'images');
  const record = join(folder, 'images', `${id.slice(7)}.json`);
  rmSync(record);
  writeFileSync(join(folder, 'images', 'abc.json'), '{}');
  writeFileSync(join(folder, 'images', 'def.json.broken'), '{');
  writeFileSync(join(folder, 'stray'), '');
  writeFileSync(join(fixture.root, 'content/blobs/sha256/stray'), '');
  const loose = await fixture.content.put(Buffer.from('loose'));
  const found = (await verified(fixture, { repair: true })).map((line) => line.replaceAll(fixture.root, ''));
  assert.equal(found.length, 6, found.join('\n'));
  assert.ok(!fixture.content.has(loose));
  const left = await verified(fixture);
  assert.equal(left.length, 1);
  assert.match(
    left[0]!,
    /^image broken: a record that could not be read was set aside \| look into it, then: rm .*def\.json\.broken$/,
  );
  await fixture.reopen();
  assert.equal(fixture.images.count(), 1, 'the record is there again');
});

test('names and records that cannot be read are set aside; the rest is there', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await importImage(fixture, 'base');
  const other = await importImage(fixture, 'other', { content: 'other' });
  const folder = join(fixture.root, 'images');
  writeFileSync(join(folder, 'references.json'), '{"docker.io/');
  writeFileSync(join(folder, 'images', `${other.slice(7)}.json`), '{');
  await fixture.reopen();
  assert.equal((await fixture.images.get(id))?.id, id);
  assert.equal(fixture.images.count(), 1);
  assert.ok(readdirSync(folder).includes('references.json.broken'));
  await fixture.images.tag(id, { repo: 'base', tag: undefined });
  assert.equal((await fixture.images.resolve('base')).id, id);
});
