/** Archives in and out: what `save --since` leaves out and `load` finds again, and OCI layouts as other tools write them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Descriptor, mediaTypes, readTar, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { sinceAnnotation } from './archive-since.ts';
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
const hostArchitecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

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

const layerBlobs = (files: ReadonlyMap<string, Buffer>): number =>
  [...files].filter(([name, body]) => name.startsWith('blobs/') && body.length >= 512 && body[0] !== 0x7b).length;

/** base:1 ← middle:1 ← app:1, a layer each. */
async function threeImages(fixture: Fixture): Promise<{ base: string; middle: string; app: string }> {
  const base = await importImage(fixture, 'base:1');
  const middle = await commitOn(fixture, base, 'middle', { repo: 'middle', tag: '1' });
  const app = await commitOn(fixture, middle, 'app', { repo: 'app', tag: '1' });
  return { base, middle, app };
}

test('since: only what the named images lack, and the layout says so', { skip }, async () => {
  await using fixture = await openFixture();
  const { base, middle } = await threeImages(fixture);
  assert.equal(layerBlobs(await filesOf(await saved(fixture, ['app:1']))), 3);
  const files = await filesOf(await saved(fixture, ['app:1'], ['base:1']));
  assert.equal(layerBlobs(files), 2);
  const index = JSON.parse(files.get('index.json')!.toString()) as {
    annotations: Record<string, string>;
    manifests: { digest: string }[];
  };
  const [one] = (await fixture.images.inspect('base:1', {})).RootFS.Layers!;
  assert.deepEqual(JSON.parse(index.annotations[sinceAnnotation]!), [{ id: base, names: ['base:1'], layers: [one] }]);
  const manifest = files.get(`blobs/sha256/${index.manifests[0]!.digest.slice(7)}`)!.toString();
  assert.equal((JSON.parse(manifest) as { layers: unknown[] }).layers.length, 3, 'the manifest is whole');

  const both = await filesOf(await saved(fixture, ['app:1'], ['base:1', 'middle:1']));
  assert.equal(layerBlobs(both), 1);
  const said = (JSON.parse(both.get('index.json')!.toString()) as typeof index).annotations[sinceAnnotation]!;
  assert.deepEqual(
    (JSON.parse(said) as { id: string; layers: string[] }[]).map(({ id, layers }) => [id, layers.length]),
    [
      [base, 1],
      [middle, 1],
    ],
    'each layer is told once',
  );
  await importImage(fixture, 'other:1', { content: 'nothing shared' });
  assert.ok((await saved(fixture, ['app:1'], ['other:1'])).equals(await saved(fixture, ['app:1'])));
  await assert.rejects(saved(fixture, ['app:1'], ['nope']), {
    kind: 'not-found',
    message: 'No such image: nope:latest',
  });
});

test('since: loads where the base is, whatever its compression; says which image is needed where it is not', {
  skip,
}, async () => {
  await using fixture = await openFixture();
  const { base, app } = await threeImages(fixture);
  const part = await saved(fixture, ['app:1'], ['base:1']);
  const whole = await saved(fixture, ['app:1']);

  await using empty = await openFixture();
  await assert.rejects(load(empty, part), {
    kind: 'not-found',
    message: `Cannot load image app:1: it was saved without the layers of base:1 (${base.slice(7, 19)}), which is not here. Load it first, or try 'wherry pull base:1'`,
  });
  assert.equal(empty.images.count(), 0);
  assert.deepEqual(empty.content.list(), []);

  // The same base, its layer compressed.
  const files = await filesOf(await saved(fixture, ['base:1']));
  const config = files.get(`blobs/sha256/${base.slice(7)}`)!;
  const [layer] = (JSON.parse(config.toString()) as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids;
  const compressed = await tarOf({
    'config.json': config,
    'layer.tar': gzipSync(files.get(`blobs/sha256/${layer!.slice(7)}`)!),
    'manifest.json': JSON.stringify([{ Config: 'config.json', RepoTags: ['base:1'], Layers: ['layer.tar'] }]),
  });
  await using other = await openFixture();
  await load(other, compressed);
  assert.deepEqual(await load(other, part), [{ stream: 'Loaded image: app:1\n' }]);
  assert.equal((await other.images.resolve('app:1')).id, app);
  assert.equal(await readIn(other, 'app:1', 'file-app'), 'app');
  assert.equal(await readIn(other, 'app:1', 'file'), 'base');
  // What it has now is whole: the base may go, and the image travels on.
  await other.images.remove('base:1', { force: true, noPrune: false });
  const onward = await saved(other, ['app:1']);
  await using third = await openFixture();
  await load(third, onward);
  assert.equal((await third.images.resolve('app:1')).id, app);

  await using same = await openFixture();
  await load(same, await saved(fixture, ['base:1']));
  await load(same, part);
  assert.ok((await saved(same, ['app:1'])).equals(whole), 'with the same blobs the manifest stays what it was');
});

test('a docker-archive may lack layers that are here, as with Docker', { skip }, async () => {
  await using fixture = await openFixture();
  const { app } = await threeImages(fixture);
  const files = await filesOf(await saved(fixture, ['app:1'], ['base:1']));
  const docker = await tarOf(
    Object.fromEntries([...files].filter(([name]) => name !== 'index.json' && name !== 'oci-layout')),
  );
  await using other = await openFixture();
  await assert.rejects(load(other, docker), {
    kind: 'invalid',
    message: /^Cannot load image app:1: layer "sha256:[0-9a-f]{64}" is neither in the archive nor in an image here$/,
  });
  await load(other, await saved(fixture, ['base:1']));
  await load(other, docker);
  assert.equal((await other.images.resolve('app:1')).id, app);
});

test('the manifest of an image survives save and load', { skip }, async () => {
  await using fixture = await openFixture();
  const layout = new Layout();
  const manifest = await layout.image({ files: { x: '1' }, compress: gzipSync, annotations: { a: 'b' } });
  layout.name(manifest, 'docker.io/library/x:1');
  await load(fixture, await layout.archive());
  const archive = await saved(fixture, ['x:1']);
  const index = JSON.parse((await filesOf(archive)).get('index.json')!.toString()) as { manifests: Descriptor[] };
  assert.equal(index.manifests[0]!.digest, manifest.digest);
  await using other = await openFixture();
  await load(other, archive);
  assert.ok((await saved(other, ['x:1'])).equals(archive));
});

test('layers compressed with xz and bzip2 load, and are stored as registries take them', { skip }, async (t) => {
  for (const program of ['xz', 'bzip2']) {
    if (spawnSync(program, ['--help']).error !== undefined) {
      t.diagnostic(`${program} is not installed`);
      continue;
    }
    await using fixture = await openFixture();
    const layer = await tarOf({ from: program });
    const compressed = spawnSync(program, ['-c'], { input: layer }).stdout;
    const archive = await tarOf({
      'config.json': JSON.stringify({
        os: 'linux',
        architecture: hostArchitecture,
        rootfs: { type: 'layers', diff_ids: [sha256(layer)] },
      }),
      'layer.tar': compressed,
      'manifest.json': JSON.stringify([{ Config: 'config.json', RepoTags: ['x:1'], Layers: ['layer.tar'] }]),
    });
    // The archive itself, too.
    await load(fixture, spawnSync(program, ['-c'], { input: archive, maxBuffer: 1 << 28 }).stdout);
    assert.equal(await readIn(fixture, 'x:1', 'from'), program);
    assert.deepEqual(
      fixture.content.list().filter(({ digest }) => digest === sha256(compressed)),
      [],
    );
    assert.ok(fixture.content.has(sha256(layer)));
  }
});

test('OCI layouts of other tools: names, nested indexes, several images, a folder packed with "./"', {
  skip,
}, async () => {
  await using fixture = await openFixture();
  const layout = new Layout();
  const one = await layout.image({ files: { n: 'one' }, compress: zstdCompressSync });
  const two = await layout.image({ files: { n: 'two' } });
  const foreign = await layout.image({ files: { n: 'foreign' }, architecture: 'riscv64' });
  const statement = layout.put(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      artifactType: 'application/vnd.example',
      config: layout.put('{}', 'application/vnd.oci.empty.v1+json'),
      layers: [],
    }),
    mediaTypes.ociManifest,
  );
  const inner = layout.index([
    { ...foreign, platform: { os: 'linux', architecture: 'riscv64' } },
    { ...one, platform: { os: 'linux', architecture: hostArchitecture } },
    { ...statement, platform: { os: 'unknown', architecture: 'unknown' } },
  ]);
  layout.entries.push(
    { ...layout.index([inner]), annotations: { 'org.opencontainers.image.ref.name': 'me/nested:1' } },
    { ...two, annotations: { 'org.opencontainers.image.ref.name': 'latest' } },
    { ...statement, annotations: { 'org.opencontainers.image.ref.name': 'me/artifact:1' } },
  );
  const messages = await load(fixture, await layout.archive('./'));
  const second = messages[1]!.stream!;
  assert.deepEqual(messages, [{ stream: 'Loaded image: me/nested:1\n' }, { stream: second }]);
  assert.match(second, /^Loaded image ID: sha256:/, 'a bare tag names nothing');
  assert.equal(await readIn(fixture, 'me/nested:1', 'n'), 'one');
  assert.equal(fixture.images.count(), 2);

  await using other = await openFixture();
  const platform = (text: string): Promise<unknown> =>
    layout
      .archive()
      .then((archive) => all(other.images.load(bytesOf(archive), { quiet: true, platform: text }, signal)));
  await platform('linux/riscv64');
  assert.equal(await readIn(other, 'me/nested:1', 'n'), 'foreign');
  await assert.rejects(platform('linux/s390x'), {
    kind: 'not-found',
    message: 'Cannot load image: the archive has none for platform linux/s390x',
  });
});

test('platforms side by side in index.json under one name are one image', { skip }, async () => {
  await using fixture = await openFixture();
  const layout = new Layout();
  for (const architecture of ['riscv64', hostArchitecture, 's390x']) {
    const manifest = await layout.image({ files: { architecture }, architecture });
    layout.name({ ...manifest, platform: { os: 'linux', architecture } }, 'docker.io/me/many:1');
  }
  assert.deepEqual(await load(fixture, await layout.archive()), [{ stream: 'Loaded image: me/many:1\n' }]);
  assert.equal(await readIn(fixture, 'me/many:1', 'architecture'), hostArchitecture);
  assert.equal(fixture.images.count(), 1);
});

test('of an index that is only partly here, what is here is loaded', { skip }, async () => {
  await using fixture = await openFixture();
  const layout = new Layout();
  const here = await layout.image({ files: { x: '1' }, architecture: 'riscv64' });
  const digest = sha256('elsewhere');
  const elsewhere = { mediaType: mediaTypes.ociManifest, digest, size: 9 };
  layout.name({ ...elsewhere, platform: { os: 'linux', architecture: hostArchitecture } }, 'docker.io/me/part:1');
  await assert.rejects(load(fixture, await layout.archive()), {
    kind: 'invalid',
    message: `Cannot load image: blob ${digest} is missing from the archive`,
  });
  layout.name({ ...here, platform: { os: 'linux', architecture: 'riscv64' } }, 'docker.io/me/part:1');
  assert.deepEqual(await load(fixture, await layout.archive()), [{ stream: 'Loaded image: me/part:1\n' }]);
});

test('names that only manifest.json gives are kept', { skip }, async () => {
  await using fixture = await openFixture();
  const layout = new Layout();
  const manifest = await layout.image({ files: { x: '1' } });
  layout.entries.push(manifest);
  const { config, layers } = JSON.parse(layout.files.get(blobName(manifest.digest))!.toString()) as {
    config: Descriptor;
    layers: Descriptor[];
  };
  layout.files.set(
    'manifest.json',
    Buffer.from(
      JSON.stringify([
        {
          Config: blobName(config.digest),
          RepoTags: ['a:1', 'b:2'],
          Layers: layers.map(({ digest }) => blobName(digest)),
        },
      ]),
    ),
  );
  assert.deepEqual(await load(fixture, await layout.archive()), [
    { stream: 'Loaded image: a:1\n' },
    { stream: 'Loaded image: b:2\n' },
  ]);
});

test('a blob that is not what its name says is refused', { skip }, async () => {
  await using fixture = await openFixture();
  const layout = new Layout();
  const manifest = await layout.image({ files: { x: '1' } });
  layout.name(manifest, 'docker.io/me/x:1');
  const { config } = JSON.parse(layout.files.get(blobName(manifest.digest))!.toString()) as { config: Descriptor };
  layout.files.set(blobName(config.digest), Buffer.from('{"os":"linux","rootfs":{"diff_ids":[]}}'));
  await assert.rejects(load(fixture, await layout.archive()), { kind: 'invalid', message: /its content is sha256:/ });
  assert.deepEqual(fixture.content.list(), []);
});

const blobName = (digest: string): string => `blobs/sha256/${digest.slice(7)}`;

/** An OCI layout being made. */
class Layout {
  readonly files = new Map<string, Buffer>([['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')]]);
  /** Of index.json. */
  readonly entries: object[] = [];

  put(data: string | Buffer, mediaType: string): Descriptor {
    const body = Buffer.from(data);
    const digest = sha256(body);
    this.files.set(blobName(digest), body);
    return { mediaType, digest, size: body.length };
  }

  async image(options: {
    files: Record<string, string>;
    architecture?: string;
    compress?: (data: Buffer) => Buffer;
    annotations?: Record<string, string>;
  }): Promise<Descriptor> {
    const tar = await tarOf(options.files);
    const type = { undefined: mediaTypes.ociLayer, gzipSync: mediaTypes.ociLayerGzip }[
      options.compress?.name ?? 'undefined'
    ];
    const layer = this.put(options.compress?.(tar) ?? tar, type ?? mediaTypes.ociLayerZstd);
    const config = this.put(
      JSON.stringify({
        os: 'linux',
        architecture: options.architecture ?? hostArchitecture,
        rootfs: { type: 'layers', diff_ids: [sha256(tar)] },
      }),
      mediaTypes.ociConfig,
    );
    const { annotations } = options;
    const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [layer], annotations };
    return this.put(JSON.stringify(manifest), mediaTypes.ociManifest);
  }

  index(manifests: object[]): Descriptor {
    return this.put(
      JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }),
      mediaTypes.ociIndex,
    );
  }

  name(descriptor: Descriptor, name: string): void {
    this.entries.push({ ...descriptor, annotations: { 'io.containerd.image.name': name } });
  }

  archive(prefix = ''): Promise<Buffer> {
    const index = JSON.stringify({ schemaVersion: 2, manifests: this.entries });
    const files = [...this.files, ['index.json', Buffer.from(index)] as const];
    return tarOf(Object.fromEntries(files.map(([name, body]) => [`${prefix}${name}`, body])));
  }
}
