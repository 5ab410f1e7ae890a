/** The local verbs: import, tag, commit, inspect, history, save, load, over restarts. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { chainId, type Digest, mediaTypes, readTar, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import {
  all,
  bytesOf,
  commitOn,
  type Fixture,
  importImage,
  load,
  openFixture,
  saved,
  signal,
  skipUnlessRoot,
  tarOf,
} from './fixture.ts';

const skip = skipUnlessRoot;

/** The files of a tar by name. */
async function filesOf(tar: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const entry of readTar(bytesOf(tar))) {
    if (entry.type === 'file') files.set(entry.name.toString(), await collectBytes(entry.body(), 1 << 26));
  }
  return files;
}

async function readIn(fixture: Fixture, ref: string, path: string): Promise<string> {
  using view = fixture.snapshots.view((await fixture.images.resolve(ref)).chainId!);
  return readFileSync(join(view.path, path), 'utf8');
}

test('import makes an image of one layer', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const tar = await tarOf({ file: 'hi' });
  for (const body of [tar, gzipSync(tar), zstdCompressSync(tar)]) {
    const request = {
      source: '-',
      body: bytesOf(body),
      repo: 'docker.io/library/base:1',
      tag: undefined,
      message: 'note',
      changes: ['CMD ["sh"]'],
      platform: 'linux/arm64',
    };
    const messages = await all(images.import(request, signal));
    assert.equal(messages.length, 1);
    const inspect = await images.inspect('base:1', {});
    assert.equal(inspect.Id, messages[0]!.status);
    assert.deepEqual(inspect.RootFS.Layers, [sha256(tar)]);
    assert.deepEqual([inspect.Architecture, inspect.Os, inspect.Comment, inspect.Size], ['arm64', 'linux', 'note', 2]);
    assert.deepEqual(inspect.Config?.Cmd, ['sh']);
    assert.equal(inspect.DockerVersion, '1.2.3');
    assert.equal(await readIn(fixture, 'base:1', 'file'), 'hi');
  }
  assert.equal(fixture.events.filter(({ action }) => action === 'import').length, 3);
  const bad = {
    source: '-',
    body: bytesOf(Buffer.alloc(2048, 'x')),
    repo: undefined,
    tag: undefined,
    message: '',
    changes: [],
    platform: undefined,
  };
  await assert.rejects(all(images.import(bad, signal)), { kind: 'invalid' });
  await assert.rejects(images.import({ ...bad, repo: 'UPPER' }, signal), { kind: 'invalid' });
  await assert.rejects(images.import({ ...bad, changes: ['RUN x'] }, signal), { kind: 'invalid' });
});

test('images are found by name, id, prefix and digest, else not, in Docker words', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const id = await importImage(fixture, 'base');
  for (const ref of [
    'base',
    'base:latest',
    'docker.io/library/base',
    'index.docker.io/library/base:latest',
    id,
    id.slice(7),
    id.slice(0, 20),
    id.slice(7, 19),
  ]) {
    assert.equal((await images.resolve(ref)).id, id, ref);
  }
  const missing: [ref: string, kind: string, message: string][] = [
    ['nope', 'not-found', 'No such image: nope:latest'],
    ['base:2', 'not-found', 'No such image: base:2'],
    ['docker.io/me/x:1', 'not-found', 'No such image: me/x:1'],
    [`sha256:${'0'.repeat(64)}`, 'not-found', `No such image: sha256:${'0'.repeat(64)}`],
    ['0'.repeat(64), 'not-found', `No such image: sha256:${'0'.repeat(64)}`],
    ['A/B', 'invalid', 'invalid reference format: repository name (B) must be lowercase'],
    ['a b', 'invalid', 'invalid reference format'],
  ];
  for (const [ref, kind, message] of missing) await assert.rejects(images.inspect(ref, {}), { kind, message });
  await assert.rejects(images.resolve('base', { platform: 'linux/s390x' }), {
    kind: 'not-found',
    message:
      /^image with reference base was found but its platform \(linux\/\w+\) does not match the specified platform \(linux\/s390x\)$/,
  });
  assert.equal(await images.get(`sha256:${'0'.repeat(64)}`), undefined);
  assert.equal((await images.get(id))?.tags[0], 'base:latest');
});

test('tags move; bad ones are refused', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const one = await importImage(fixture, 'one');
  const two = await importImage(fixture, 'two', { content: 'other' });
  await images.tag('one', { repo: 'x', tag: '1' });
  await images.tag(two, { repo: 'x', tag: '1' });
  assert.equal((await images.resolve('x:1')).id, two);
  assert.deepEqual((await images.inspect(one, {})).RepoTags, ['one:latest']);
  await assert.rejects(images.tag('one', { repo: 'Bad', tag: '' }), { kind: 'invalid' });
  await assert.rejects(images.tag('one', { repo: 'x', tag: 'a b' }), {
    kind: 'invalid',
    message: 'invalid tag format',
  });
  await assert.rejects(images.tag('one', { repo: `x@${one}`, tag: '' }), { kind: 'invalid' });
  await assert.rejects(images.tag('one', { repo: 'sha256', tag: 'x' }), { kind: 'invalid' });
  await assert.rejects(images.tag('none', { repo: 'x', tag: '' }), { kind: 'not-found' });
});

test('commit adds a layer and history; an empty one only history', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const base = await importImage(fixture, 'base');
  const child = await commitOn(fixture, base, 'child', { repo: 'child', tag: undefined });
  const inspect = await images.inspect('child', {});
  assert.equal(inspect.Id, child);
  assert.equal(inspect.Parent, base);
  assert.equal(inspect.RootFS.Layers?.length, 2);
  assert.equal(inspect.Size, 4 + 5);
  const empty = await images.commit({
    parent: child,
    layer: bytesOf(Buffer.alloc(1024)),
    config: { Env: ['A=b'] },
    createdBy: 'ENV A=b',
    comment: 'c',
    author: 'me',
    reference: undefined,
    containerId: 'c',
  });
  const config = await images.inspect(empty, {});
  assert.equal(config.RootFS.Layers?.length, 2);
  assert.deepEqual([config.Author, config.Comment, config.Config?.Env], ['me', 'c', ['A=b']]);
  assert.deepEqual(
    (await images.history(empty, {})).map(({ Id, CreatedBy, Tags, Size, Comment }) => [
      Id,
      CreatedBy,
      Tags,
      Size,
      Comment,
    ]),
    [
      [empty, 'ENV A=b', null, 0, 'c'],
      [child, 'make child', ['child:latest'], 5, ''],
      [base, '', ['base:latest'], 4, 'Imported from -'],
    ],
  );
  assert.ok(fixture.events.some(({ action, id }) => action === 'create' && id === child));
});

test('save and load give the same images, whatever the compression of the archive', { skip }, async () => {
  await using fixture = await openFixture();
  await importImage(fixture, 'base', { changes: ['LABEL a=b'] });
  const base = await fixture.images.resolve('base');
  const child = await commitOn(fixture, base.id, 'child', { repo: 'child', tag: '1' });
  const archive = await saved(fixture, ['child:1', 'base', base.id]);
  assert.ok((await saved(fixture, ['child:1', 'base', base.id])).equals(archive));
  const files = await filesOf(archive);
  const manifest = JSON.parse(files.get('manifest.json')!.toString()) as { RepoTags: string[] }[];
  assert.deepEqual(
    manifest.map(({ RepoTags }) => RepoTags),
    [['child:1'], ['base:latest']],
  );
  assert.deepEqual(JSON.parse(files.get('oci-layout')!.toString()), { imageLayoutVersion: '1.0.0' });
  const { manifests } = JSON.parse(files.get('index.json')!.toString()) as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  assert.equal(manifests[0]?.annotations['io.containerd.image.name'], 'docker.io/library/child:1');
  const oci = await tarOf(
    Object.fromEntries(
      [...files].filter(([name]) => name.startsWith('blobs/') || name === 'index.json' || name === 'oci-layout'),
    ),
  );
  for (const form of [archive, gzipSync(archive), zstdCompressSync(archive), oci]) {
    await using other = await openFixture();
    const messages = await load(other, form);
    assert.deepEqual(messages, [{ stream: 'Loaded image: child:1\n' }, { stream: 'Loaded image: base:latest\n' }]);
    assert.equal((await other.images.resolve('child:1')).id, child);
    assert.equal(await readIn(other, 'child:1', 'file-child'), 'child');
    assert.deepEqual((await other.images.inspect('base', {})).Config?.Labels, { a: 'b' });
    assert.deepEqual((await load(other, form)).length, 2);
    assert.ok((await saved(other, ['child:1', 'base', base.id])).equals(archive));
  }
  await assert.rejects(saved(fixture, ['base', 'nope']), { kind: 'not-found', message: 'No such image: nope' });
});

test('an unnamed image loads by id; a name that moves is told', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await importImage(fixture, undefined, { content: 'one' });
  const unnamed = await saved(fixture, [id]);
  await fixture.images.tag(id, { repo: 'x', tag: '1' });
  const named = await saved(fixture, ['x:1']);
  await using other = await openFixture();
  assert.deepEqual(await load(other, unnamed), [{ stream: `Loaded image ID: ${id}\n` }]);
  const old = await importImage(other, 'x:1', { content: 'two' });
  assert.deepEqual(await load(other, named), [
    { stream: `The image x:1 already exists, renaming the old one with ID ${old} to empty string\n` },
    { stream: 'Loaded image: x:1\n' },
  ]);
});

test('loading tells how far each new layer is, unless quiet', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await importImage(fixture, 'x:1');
  const archive = await saved(fixture, ['x:1']);
  await using other = await openFixture();
  const messages = await load(other, archive, false);
  const size = (await tarOf({ file: 'base' })).length;
  const layer = (await fixture.images.get(id))!.chainId!.slice(7, 19);
  const last = messages.findLast(({ status }) => status === 'Loading layer');
  assert.equal(last?.id, layer);
  assert.deepEqual(last?.progressDetail, { current: size, total: size });
  assert.match(last?.progress ?? '', /^\[=+>\]\s+[\d.]+kB\/[\d.]+kB$/);
});

const layerOne = (): Promise<Buffer> => tarOf({ a: '1' });
const layerTwo = (): Promise<Buffer> => tarOf({ b: '2' });

async function dockerArchive(change: (files: Record<string, string | Uint8Array>) => void = () => {}): Promise<Buffer> {
  const [one, two] = [await layerOne(), await layerTwo()];
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    config: { Cmd: ['x'] },
    rootfs: { type: 'layers', diff_ids: [sha256(one), sha256(two)] },
  });
  const files: Record<string, string | Uint8Array> = {
    'config.json': config,
    'one/layer.tar': one,
    'two/layer.tar': gzipSync(two),
    'manifest.json': JSON.stringify([
      { Config: 'config.json', RepoTags: ['old:1'], Layers: ['one/layer.tar', 'two/layer.tar'] },
    ]),
  };
  change(files);
  return tarOf(files);
}

test('an archive of Docker before 25 loads, its layers compressed or not', { skip }, async () => {
  await using fixture = await openFixture();
  assert.deepEqual(await load(fixture, await dockerArchive()), [{ stream: 'Loaded image: old:1\n' }]);
  assert.equal(await readIn(fixture, 'old:1', 'b'), '2');
  const inspect = await fixture.images.inspect('old:1', {});
  assert.deepEqual(inspect.RootFS.Layers, [sha256(await layerOne()), sha256(await layerTwo())]);
});

test('an archive with `repositories` only loads, too', { skip }, async () => {
  await using fixture = await openFixture();
  const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
  const archive = await tarOf({
    repositories: JSON.stringify({ ancient: { v1: two } }),
    [`${one}/json`]: JSON.stringify({ id: one, created: '2014-01-01T00:00:00Z', container_config: { Cmd: ['first'] } }),
    [`${one}/layer.tar`]: await layerOne(),
    [`${one}/VERSION`]: '1.0',
    [`${two}/json`]: JSON.stringify({
      id: two,
      parent: one,
      os: 'linux',
      architecture: 'amd64',
      config: { Cmd: ['run'] },
      container_config: { Cmd: ['second', 'x'] },
    }),
    [`${two}/layer.tar`]: await layerTwo(),
  });
  assert.deepEqual(await load(fixture, archive), [{ stream: 'Loaded image: ancient:v1\n' }]);
  assert.deepEqual((await fixture.images.resolve('ancient:v1')).config.Cmd, ['run']);
  assert.deepEqual(
    (await fixture.images.history('ancient:v1', {})).map(({ CreatedBy }) => CreatedBy),
    ['second x', 'first'],
  );
  assert.equal(await readIn(fixture, 'ancient:v1', 'a'), '1');
});

test('an OCI layout of several platforms gives the one wanted', { skip }, async () => {
  await using fixture = await openFixture();
  const files: Record<string, string | Uint8Array> = { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' };
  const put = (data: string | Buffer, mediaType: string): { mediaType: string; digest: Digest; size: number } => {
    const digest = sha256(data);
    files[`blobs/sha256/${digest.slice(7)}`] = data;
    return { mediaType, digest, size: Buffer.byteLength(data) };
  };
  const manifests = [];
  for (const architecture of ['amd64', 'arm64', 'riscv64']) {
    const tar = await tarOf({ architecture });
    const layers = [put(zstdCompressSync(tar), mediaTypes.ociLayerZstd)];
    const config = put(
      JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [sha256(tar)] } }),
      mediaTypes.ociConfig,
    );
    const manifest = put(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }),
      mediaTypes.ociManifest,
    );
    manifests.push({ ...manifest, platform: { os: 'linux', architecture } });
  }
  const index = put(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
    mediaTypes.ociIndex,
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'docker.io/me/multi:1' };
  files['index.json'] = JSON.stringify({ schemaVersion: 2, manifests: [{ ...index, annotations }] });
  const archive = await tarOf(files);
  await all(fixture.images.load(bytesOf(archive), { quiet: true, platform: 'linux/riscv64' }, signal));
  assert.equal((await fixture.images.resolve('me/multi:1')).architecture, 'riscv64');
  await load(fixture, archive);
  const host = process.arch === 'arm64' ? 'arm64' : 'amd64';
  assert.equal((await fixture.images.resolve('me/multi:1')).architecture, host);
});

test('bad archives are refused and leave nothing', { skip }, async () => {
  await using fixture = await openFixture();
  const bad: [name: string, archive: Buffer][] = [
    ['no tar', Buffer.alloc(2048, 'q')],
    ['nothing in it', await tarOf({ x: 'y' })],
    ['missing layer', await dockerArchive((files) => delete files['two/layer.tar'])],
    ['missing config', await dockerArchive((files) => delete files['config.json'])],
    ['wrong layer', await dockerArchive((files) => (files['two/layer.tar'] = files['one/layer.tar']!))],
    [
      'too few layers',
      await dockerArchive(
        (files) =>
          (files['manifest.json'] = '[{"Config":"config.json","RepoTags":["a:1"],"Layers":["one/layer.tar"]}]'),
      ),
    ],
    ['manifest that is no list', await dockerArchive((files) => (files['manifest.json'] = '{}'))],
    [
      'bad tag',
      await dockerArchive((files) => (files['manifest.json'] = String(files['manifest.json']).replace('old:1', 'OLD'))),
    ],
  ];
  for (const [name, archive] of bad) {
    await assert.rejects(load(fixture, archive), { kind: 'invalid' }, name);
    assert.equal(fixture.images.count(), 0, name);
    assert.deepEqual(fixture.content.list(), [], name);
  }
  await fixture.reopen();
  assert.deepEqual(fixture.snapshots.layers(), []);
});

test('images outlive the daemon; what no image needs does not', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await importImage(fixture, 'base');
  const stray = await tarOf({ stray: 'x' });
  await fixture.content.put(Buffer.from('stray'));
  await fixture.snapshots.apply({
    chainId: chainId([sha256(stray)])!,
    parent: undefined,
    diffId: sha256(stray),
    tar: bytesOf(stray),
  });
  const blobs = fixture.content.list().length;
  await fixture.reopen();
  assert.equal((await fixture.images.resolve('base')).id, id);
  assert.equal(fixture.snapshots.layers().length, 1);
  assert.equal(fixture.content.list().length, blobs - 1);
  assert.equal(await readIn(fixture, 'base', 'file'), 'base');
});

test('a bare repository saves all its tags', { skip }, async () => {
  await using fixture = await openFixture();
  await importImage(fixture, 'app:1', { content: 'one' });
  await importImage(fixture, 'app:2', { content: 'two' });
  await fixture.images.tag('app:2', { repo: 'app', tag: '3' });
  const manifest = (await filesOf(await saved(fixture, ['app']))).get('manifest.json')!;
  assert.deepEqual(
    (JSON.parse(manifest.toString()) as { RepoTags: string[] }[]).map(({ RepoTags }) => RepoTags),
    [['app:1'], ['app:2', 'app:3']],
  );
});
