import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { BuilderFixture, noBuilds } from '../../../test/support/builder.ts';
import { RegistryDouble } from '../../../test/support/registry-double.ts';
import type { BuildEvent, BuildOutput } from '../../api/index.ts';
import { decompress } from '../../image/index.ts';
import { type ImageConfig, type Manifest, readTar, sha256, type TarEntry } from '../../oci/index.ts';
import { collectBytes, Fault } from '../../std/index.ts';
import { annotationsOf } from './annotations.ts';
import { compressionOf } from './compression.ts';

/** An output that is a file, and its bytes. */
function fileOutput(
  type: BuildOutput['type'],
  attributes: Record<string, string> = {},
): BuildOutput & { bytes: Buffer } {
  const output: BuildOutput & { bytes: Buffer } = {
    type,
    names: (attributes['name'] ?? '').split(',').filter(Boolean),
    push: false,
    attributes,
    bytes: Buffer.alloc(0),
    write: async (bytes) => {
      output.bytes = await collectBytes(bytes, 1 << 28);
    },
  };
  return output;
}

interface Layout {
  names: string[];
  files: Map<string, Buffer>;
  index: {
    manifests: { digest: string; annotations?: Record<string, string>; platform?: object; mediaType: string }[];
  };
  manifest: Manifest;
  config: ImageConfig & Record<string, unknown>;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function entriesOf(tar: Buffer): Promise<Map<string, TarEntry & { content: Buffer }>> {
  const entries = new Map<string, TarEntry & { content: Buffer }>();
  for await (const entry of readTar(decompress(once(tar))))
    entries.set(entry.name.toString(), { ...entry, content: await collectBytes(entry.body(), 1 << 28) });
  return entries;
}

async function layoutOf(tar: Buffer): Promise<Layout> {
  const entries = await entriesOf(tar);
  const files = new Map([...entries].map(([name, { content }]) => [name, content]));
  const blob = (digest: string): Buffer => files.get(`blobs/${digest.replace(':', '/')}`)!;
  const json = (bytes: Buffer): unknown => JSON.parse(bytes.toString());
  for (const [name, content] of files) {
    const digest = /^blobs\/sha256\/(.+)$/.exec(name)?.[1];
    if (digest !== undefined) assert.equal(sha256(content), `sha256:${digest}`);
  }
  const index = json(files.get('index.json')!) as Layout['index'];
  const manifest = json(blob(index.manifests[0]!.digest)) as Manifest;
  return {
    names: [...entries.keys()],
    files,
    index,
    manifest,
    config: json(blob(manifest.config.digest)) as Layout['config'],
  };
}

const last = async ({ manifest, files }: Layout): Promise<Map<string, TarEntry & { content: Buffer }>> =>
  entriesOf(files.get(`blobs/${manifest.layers.at(-1)!.digest.replace(':', '/')}`)!);

const dockerfile = `FROM busybox
COPY file /new
RUN echo a > /a; ln /a /b; mkdir /d; touch -d @100 /d/old; ln -s x /l; mknod /dev1 c 1 3; chmod 4755 /b; chown 5:6 /new
ENV X=y
`;

describe('outputs', { skip: noBuilds, timeout: 120_000 }, () => {
  let fixture: BuilderFixture;

  before(async () => {
    fixture = await BuilderFixture.open();
    writeFileSync(join(fixture.files, 'file'), 'file');
  });

  after(() => fixture[Symbol.asyncDispose]());

  test('an OCI archive: layout, names, media types, layers of the base as they are', async () => {
    const output = fileOutput('oci', { name: 'foo:1,registry.example/bar' });
    const { result, events } = await fixture.build(dockerfile, [output]);
    const layout = await layoutOf(output.bytes);
    assert.deepEqual(
      layout.names.filter((name) => !name.startsWith('blobs/sha256/')),
      ['blobs', 'blobs/sha256', 'index.json', 'oci-layout'],
    );
    assert.deepEqual(layout.names, layout.names.toSorted());
    assert.equal(layout.files.get('oci-layout')!.toString(), '{"imageLayoutVersion":"1.0.0"}');
    assert.deepEqual(
      layout.index.manifests.map(({ annotations }) => [
        annotations?.['io.containerd.image.name'],
        annotations?.['org.opencontainers.image.ref.name'],
      ]),
      [
        ['docker.io/library/foo:1', '1'],
        ['registry.example/bar:latest', 'latest'],
      ],
    );
    assert.deepEqual(layout.index.manifests[0]!.platform, { architecture: 'amd64', os: 'linux' });
    assert.equal(layout.index.manifests[0]!.digest, result.manifest);
    assert.equal(layout.manifest.config.digest, result.image);
    assert.deepEqual(
      [
        layout.manifest.mediaType,
        layout.manifest.config.mediaType,
        ...layout.manifest.layers.map((one) => one.mediaType),
      ],
      [
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.oci.image.config.v1+json',
        'application/vnd.oci.image.layer.v1.tar',
        'application/vnd.oci.image.layer.v1.tar+gzip',
        'application/vnd.oci.image.layer.v1.tar+gzip',
      ],
    );
    for (const [index, layer] of layout.manifest.layers.entries()) {
      const blob = layout.files.get(`blobs/${layer.digest.replace(':', '/')}`)!;
      const tar = index === 0 ? blob : gunzipSync(blob);
      assert.equal(sha256(tar), layout.config.rootfs.diff_ids[index]);
    }
    const vertex = events.findLast((event) => event.kind === 'vertex');
    assert.deepEqual([vertex?.name, vertex?.completed !== undefined], ['exporting to oci image format', true]);
    const lines = events.flatMap((event) =>
      event.kind === 'status' && event.completed !== undefined ? [event.name] : [],
    );
    for (const line of ['exporting layers', 'sending tarball', `exporting manifest ${result.manifest}`])
      assert.ok(lines.includes(line), line);
    assert.deepEqual(
      (await fixture.images.list({ all: true, filters: new Map(), sharedSize: false, manifests: false })).length,
      1,
    );
  });

  test("Docker's archive is one that the store loads, with its names", async () => {
    const output = fileOutput('docker', { name: 'loaded' });
    const { result } = await fixture.build(dockerfile, [output]);
    const layout = await layoutOf(output.bytes);
    assert.equal(layout.manifest.mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
    const [item] = JSON.parse(layout.files.get('manifest.json')!.toString()) as {
      RepoTags: string[];
      Layers: string[];
    }[];
    assert.deepEqual(item?.RepoTags, ['loaded:latest']);
    assert.equal(item?.Layers.length, 3);
    const request = { quiet: true, platform: undefined };
    for await (const _ of await fixture.images.load(once(output.bytes), request, new AbortController().signal))
      continue;
    const image = await fixture.images.resolve('loaded');
    assert.equal(image.id, result.image);
    await fixture.images.remove('loaded', { force: true, noPrune: false });
  });

  test('compression: of the own layers, of all of them, none; equal layers always get equal bytes', async () => {
    const types = async (attributes: Record<string, string>): Promise<string[]> => {
      const output = fileOutput('oci', attributes);
      await fixture.build(dockerfile, [output]);
      const { manifest, files, config } = await layoutOf(output.bytes);
      return manifest.layers.map(({ mediaType, digest }, index) => {
        const blob = files.get(`blobs/${digest.replace(':', '/')}`)!;
        const kind = mediaType.split('.').at(-1)!;
        const tar = kind === 'tar' ? blob : kind === 'tar+zstd' ? zstdDecompressSync(blob) : gunzipSync(blob);
        assert.equal(sha256(tar), config.rootfs.diff_ids[index]);
        return kind;
      });
    };
    assert.deepEqual(await types({}), ['tar', 'tar+gzip', 'tar+gzip']);
    assert.deepEqual(await types({ compression: 'zstd' }), ['tar', 'tar+zstd', 'tar+zstd']);
    const all = { compression: 'zstd', 'force-compression': 'true', 'compression-level': '19' };
    assert.deepEqual(await types(all), ['tar+zstd', 'tar+zstd', 'tar+zstd']);
    assert.deepEqual(await types({ compression: 'uncompressed' }), ['tar', 'tar', 'tar']);
    assert.deepEqual(await types({ compression: 'gzip', 'compression-level': '0' }), ['tar', 'tar+gzip', 'tar+gzip']);
    const one = fileOutput('oci', { compression: 'zstd' });
    const other = fileOutput('docker', { compression: 'zstd' });
    await fixture.build(dockerfile, [one, other]);
    const digests = async (output: { bytes: Buffer }): Promise<string[]> =>
      (await layoutOf(output.bytes)).manifest.layers.map(({ digest }) => digest);
    assert.deepEqual(await digests(one), await digests(other));
    assert.equal(
      (await layoutOf(other.bytes)).manifest.layers[1]!.mediaType,
      'application/vnd.docker.image.rootfs.diff.tar.zstd',
    );
  });

  test('annotations: of the manifest, of its descriptor, of this platform; they are OCI’s alone', async () => {
    const output = fileOutput('docker', {
      'annotation.k': 'v',
      'annotation-manifest.m': '1',
      'annotation-manifest-descriptor.d': '2',
      'annotation[linux/amd64].own': '3',
      'annotation[linux/arm64].other': '4',
    });
    await fixture.build(dockerfile, [output], { annotations: new Map([['asked', 'yes']]) });
    const layout = await layoutOf(output.bytes);
    assert.equal(layout.manifest.mediaType, 'application/vnd.oci.image.manifest.v1+json');
    assert.deepEqual(layout.manifest.annotations, { asked: 'yes', k: 'v', m: '1', own: '3' });
    assert.equal(layout.index.manifests[0]!.annotations?.['d'], '2');
  });

  test('what cannot be is told before anything is built', async () => {
    const cases: [BuildOutput['type'], Record<string, string>, string | RegExp][] = [
      ['oci', { compression: 'bogus' }, 'unsupported compression type bogus'],
      ['oci', { compression: 'estargz' }, /^Cannot make estargz layers/],
      ['oci', { 'compression-level': 'x' }, /^non-integer value x specified for compression-level/],
      ['oci', { 'compression-level': '40' }, /^invalid compression-level 40/],
      ['docker', { 'oci-mediatypes': 'bogus' }, /^non-bool value specified for oci-mediatypes/],
      ['oci', { 'annotation-index.i': '1' }, 'index annotations not supported for single platform export'],
      ['oci', { 'annotation-foo.x': '1' }, 'unrecognized annotation type foo'],
      ['oci', { 'source-date-epoch': 'x' }, /^invalid source-date-epoch/],
      ['oci', { name: 'UPPER' }, /^failed to parse UPPER: invalid reference format/],
      ['image', { push: 'true' }, /^Cannot push an image without a name/],
      ['image', { 'registry.insecure': 'true', name: 'x' }, /insecure-registries/],
      ['oci', { tar: 'false' }, /takes no folder/],
    ];
    for (const [type, attributes, message] of cases) {
      const { events, failure } = await failing(fixture, fileOutput(type, attributes));
      if (typeof message === 'string') assert.equal(failure, message);
      else assert.match(failure, message);
      assert.deepEqual(
        events.filter(({ kind }) => kind === 'vertex'),
        [],
        failure,
      );
    }
  });

  test('into a folder of the client’s: blobs that it has not, and the descriptor for its index', async () => {
    const store = new Map<string, Buffer>();
    const output: BuildOutput = {
      ...fileOutput('oci', { tar: 'false', name: 'x' }),
      store: {
        size: async (digest) => store.get(digest)?.length,
        read: () => assert.fail('nothing is read'),
        write: async ({ digest, size }, bytes) => {
          assert.ok(!store.has(digest), 'sent once');
          const data = await collectBytes(bytes, 1 << 30);
          assert.equal(data.length, size);
          assert.equal(sha256(data), digest);
          store.set(digest, data);
        },
      },
    };
    const { result } = await fixture.build(dockerfile, [output]);
    const { digest, size } = result.descriptor!;
    assert.equal(digest, result.manifest);
    const manifest = JSON.parse(String(store.get(digest))) as {
      layers: { digest: string }[];
      config: { digest: string };
    };
    assert.equal(size, store.get(digest)!.length);
    const named = [digest, manifest.config.digest, ...manifest.layers.map((layer) => layer.digest)];
    assert.deepEqual([...store.keys()].toSorted(), [...new Set(named)].toSorted());
    await fixture.build(dockerfile, [output]);
  });

  test('the files alone, as a tar: owners, modes, links, devices, times', async () => {
    const output = fileOutput('tar');
    await fixture.build(dockerfile, [output]);
    const entries = await entriesOf(output.bytes);
    assert.deepEqual([...entries.keys()], [...entries.keys()].toSorted());
    const facts = (name: string): unknown[] => {
      const { type, mode, uid, gid, linkName } = entries.get(name)!;
      return [type, mode.toString(8), uid, gid, linkName.toString()];
    };
    assert.deepEqual(facts('new'), ['file', '644', 5, 6, '']);
    assert.deepEqual(facts('a'), ['file', '4755', 0, 0, '']);
    assert.deepEqual(facts('b').slice(0, 2), ['hardlink', '4755']);
    assert.equal(entries.get('b')!.linkName.toString(), 'a');
    assert.deepEqual(facts('l'), ['symlink', '777', 0, 0, 'x']);
    const { type, major, minor } = entries.get('dev1')!;
    assert.deepEqual([type, major, minor], ['character', 1, 3]);
    assert.equal(entries.get('d/old')!.mtime, 100_000_000_000n);
    assert.equal(entries.get('new')!.content.toString(), 'file');
    const dated = fileOutput('tar');
    await fixture.build(dockerfile, [dated], { buildArgs: new Map([['SOURCE_DATE_EPOCH', '1000']]) });
    assert.ok([...(await entriesOf(dated.bytes)).values()].every(({ mtime }) => mtime === 1000n * 1_000_000_000n));
    const empty = fileOutput('tar');
    await fixture.build('FROM scratch\nLABEL a=b\n', [empty]);
    assert.equal((await entriesOf(empty.bytes)).size, 0);
  });

  test('the files alone, as a folder that nobody can write to', async () => {
    const seen: unknown[] = [];
    const take = (attributes: Record<string, string>): BuildOutput => ({
      ...fileOutput('local', attributes),
      writeTree: async (folder, times) => {
        assert.throws(
          () => writeFileSync(join(folder, attributes['platform-split'] === undefined ? 'x' : 'linux_amd64/x'), ''),
          /EROFS/,
        );
        seen.push(readdirSync(folder).sort(), times?.modified);
        if (attributes['platform-split'] !== undefined) seen.push(statSync(join(folder, 'linux_amd64/file')).size);
      },
    });
    const files = 'FROM scratch\nCOPY file /\n';
    await fixture.build(files, [take({})]);
    await fixture.build(files, [take({ 'platform-split': 'true' })], {
      buildArgs: new Map([['SOURCE_DATE_EPOCH', '7']]),
    });
    assert.deepEqual(seen, [['file'], undefined, ['linux_amd64'], 7_000_000_000n, 4]);
  });

  test('SOURCE_DATE_EPOCH: the image and what it is made of now, not what came with the base', async () => {
    const buildArgs = new Map([['SOURCE_DATE_EPOCH', '1000000000']]);
    const created = '2001-09-09T01:46:40Z';
    const output = fileOutput('oci');
    await fixture.build(dockerfile, [output], { buildArgs });
    const plain = await layoutOf(output.bytes);
    assert.equal(plain.config.created, created);
    assert.deepEqual(
      plain.config.history?.map((entry) => entry.created),
      ['2024-05-01T00:00:00Z', created, created, created],
    );
    assert.equal(plain.index.manifests[0]!.annotations?.['org.opencontainers.image.created'], created);
    assert.ok((await last(plain)).get('a')!.mtime > 1_000_000_000_000_000_000n);
    const rewritten = fileOutput('oci', { 'rewrite-timestamp': 'true' });
    await fixture.build(dockerfile, [rewritten], { buildArgs });
    const layout = await layoutOf(rewritten.bytes);
    const entries = await last(layout);
    assert.equal(entries.get('a')!.mtime, 1_000_000_000_000_000_000n);
    assert.equal(entries.get('d/old')!.mtime, 100_000_000_000n);
    assert.equal(entries.get('b')!.type, 'hardlink');
    assert.equal(layout.config.rootfs.diff_ids[0], plain.config.rootfs.diff_ids[0]);
    assert.notEqual(layout.config.rootfs.diff_ids[2], plain.config.rootfs.diff_ids[2]);
    const own = fileOutput('oci', { 'source-date-epoch': '5' });
    await fixture.build(dockerfile, [own], { buildArgs });
    assert.equal((await layoutOf(own.bytes)).config.created, '1970-01-01T00:00:05Z');
  });

  test('an image of the store: names at once, by digest, and none', async () => {
    const image = (attributes: Record<string, string>): BuildOutput => ({
      type: 'image',
      names: (attributes['name'] ?? '').split(',').filter(Boolean),
      push: false,
      attributes,
      write: undefined,
    });
    const plain = await fixture.build(dockerfile, [image({ name: 'stored:1,stored:2' })]);
    assert.equal(plain.result.manifest, undefined);
    const found = await fixture.images.resolve('stored:2');
    assert.deepEqual([found.id, found.tags], [plain.result.image, ['stored:1', 'stored:2']]);
    // Its layers are there unpacked, and need no blobs.
    const base = fixture.images.base(found.id)!;
    assert.deepEqual(
      base.layers.map(({ digest }) => fixture.content.has(digest)),
      [true, false, false],
    );
    await fixture.build(dockerfile, [
      image({ name: 'stored:1', 'name-canonical': 'true', compression: 'zstd', 'annotation.k': 'v' }),
    ]);
    const canonical = await fixture.images.resolve('stored:1');
    assert.equal(canonical.digests.length, 1);
    const manifest = JSON.parse(
      (await fixture.content.read(canonical.digests[0]!.split('@')[1] as never)).toString(),
    ) as Manifest;
    assert.deepEqual(manifest.annotations, { k: 'v' });
    assert.equal(manifest.layers.at(-1)!.mediaType, 'application/vnd.oci.image.layer.v1.tar+zstd');
    const dangling = await fixture.build('FROM busybox\nLABEL dangling=1\n', [
      image({ 'dangling-name-prefix': 'moby-dangling' }),
    ]);
    const { tags, digests } = (await fixture.images.get(dangling.result.image!))!;
    assert.deepEqual([tags, digests.length, digests[0]!.startsWith('moby-dangling@sha256:')], [[], 1, true]);
    const clamped = await fixture.build(dockerfile, [image({ name: 'clamped', 'rewrite-timestamp': '1' })], {
      buildArgs: new Map([['SOURCE_DATE_EPOCH', '1000']]),
    });
    const rewritten = (await fixture.images.get(clamped.result.image!))!;
    using view = fixture.snapshots.view(rewritten.chainId!);
    assert.equal(statSync(join(view.path, 'a')).mtimeMs, 1_000_000);
    // Built once more as it is, it stays as it came.
    await fixture.build(dockerfile, [image({ name: 'stored:3' })]);
    assert.deepEqual((await fixture.images.resolve('stored:3')).digests, canonical.digests);
    assert.deepEqual(fixture.images.base(found.id)!.layers.at(-1)!.mediaType, manifest.layers.at(-1)!.mediaType);
    const unstored = await fixture.build('FROM busybox\nLABEL unstored=1\n', [image({ name: 'x', store: 'false' })]);
    assert.equal(await fixture.images.get(unstored.result.image!), undefined);
  });

  test("a registry's copy: with the client's credentials, by tag or by digest, kept here or not", async () => {
    await using double = await RegistryDouble.open();
    const push = (attributes: Record<string, string>): BuildOutput => ({
      type: 'image',
      names: [attributes['name']!],
      push: true,
      attributes,
      write: undefined,
    });
    const pushed = 'FROM busybox\nCOPY file /pushed\n';
    const { result, events } = await fixture.build(pushed, [
      push({ name: `${double.host}/app:1`, 'annotation.k': 'v' }),
    ]);
    const app = double.store.repository('app');
    assert.equal(app.tags.get('1'), result.manifest);
    assert.deepEqual((await fixture.images.resolve(`${double.host}/app:1`)).digests, [
      `${double.host}/app@${result.manifest}`,
    ]);
    const statuses = events.flatMap((event) =>
      event.kind === 'status' && event.completed !== undefined ? [event.name] : [],
    );
    assert.ok(statuses.includes('pushing layers'));
    assert.ok(statuses.includes(`pushing manifest for ${double.host}/app:1@${result.manifest}`));
    const uploads = double.requests(/^PUT .*\/blobs\//).length;
    const again = await fixture.build(pushed, [push({ name: `${double.host}/app:2`, 'annotation.k': 'v' })]);
    assert.equal(again.result.manifest, result.manifest);
    assert.equal(double.requests(/^PUT .*\/blobs\//).length, uploads);
    const only = `FROM busybox\nLABEL only=there\n`;
    const away = await fixture.build(only, [
      push({ name: `${double.host}/away:1`, store: 'false', 'push-by-digest': 'true' }),
    ]);
    assert.equal(double.store.repository('away').tags.size, 0);
    assert.ok(double.store.repository('away').manifests.has(away.result.manifest as never));
    assert.equal(await fixture.images.get(away.result.image!), undefined);
    double.rule({ match: /manifests/, answer: { status: 403 } });
    const { failure } = await failing(fixture, push({ name: `${double.host}/app:3` }));
    assert.match(failure, new RegExp(`^failed to push ${double.host}/app:3: denied`));
  });
});

test('the same twice, on two roots, minutes apart, is the same image', {
  skip: noBuilds,
  timeout: 120_000,
}, async () => {
  const made: { image: string; manifest: string; archive: Buffer }[] = [];
  for (const at of [1_700_000_000, 1_700_000_000 + 600]) {
    await using fixture = await BuilderFixture.open();
    for (const name of ['file', 'other']) writeFileSync(join(fixture.files, name), name);
    // As a clone of another time is.
    execFileSync('touch', ['-d', `@${at}`, join(fixture.files, 'file'), join(fixture.files, 'other')]);
    const output = fileOutput('oci', { name: 'same:1', 'rewrite-timestamp': 'true' });
    const text = `FROM busybox AS tools
RUN mkdir /t && date > /t/now && touch -d @5 /t/old && rm /t/now && echo x > /t/x && setfattr -h 2>/dev/null; true
FROM busybox
WORKDIR /srv/app
COPY file other ./
COPY --link --from=tools /t /t
RUN ln file link && ln -s file soft && mkdir -m 1777 sticky && dd if=/dev/zero of=sparse bs=1 count=0 seek=1000000 2>/dev/null
LABEL a=b
`;
    const { result } = await fixture.build(text, [output], {
      buildArgs: new Map([['SOURCE_DATE_EPOCH', '1600000000']]),
    });
    made.push({ image: result.image!, manifest: result.manifest!, archive: output.bytes });
  }
  const [one, other] = made;
  assert.equal(one!.image, other!.image);
  assert.equal(one!.manifest, other!.manifest);
  assert.ok(one!.archive.equals(other!.archive));
});

test('compression and annotations as they are asked for', () => {
  assert.deepEqual(compressionOf({}), { kind: 'gzip', level: 4, force: false, isGiven: false });
  assert.deepEqual(compressionOf({ compression: 'zstd', 'force-compression': '' }), {
    kind: 'zstd',
    level: 3,
    force: true,
    isGiven: true,
  });
  const platform = { os: 'linux', architecture: 'arm64' };
  assert.deepEqual(
    annotationsOf({ 'annotation[linux/arm64/v8].a.b': '1', 'annotation-index-descriptor.x': '', other: '' }, platform),
    {
      manifest: { 'a.b': '1' },
      descriptor: {},
      index: true,
    },
  );
});

async function failing(
  fixture: BuilderFixture,
  output: BuildOutput,
): Promise<{ events: BuildEvent[]; failure: string }> {
  const events: BuildEvent[] = [];
  try {
    await fixture.build('FROM busybox\nLABEL fails=1\n', [output]);
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    return { events, failure: error.message };
  }
  return assert.fail('it did not fail');
}
