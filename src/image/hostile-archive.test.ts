/** Archives that would take all memory, or pass one blob off as another, are refused before they do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTarHeader, sha256, tarHeader, type TarSource, writeTar } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { all, type Fixture, openFixture, signal, skipUnlessRoot } from './fixture.ts';

const skip = skipUnlessRoot;

async function loading({ images }: Fixture, body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield* body;
  }
  await all(images.load(bytes(), { quiet: true, platform: undefined }, signal));
}

test('lists of images are refused by their size, before they are stored', { skip }, async () => {
  await using fixture = await openFixture();
  for (const name of ['manifest.json', './index.json', 'a/../repositories']) {
    let read = 0;
    const body = (function* (): Generator<Buffer> {
      yield encodeTarHeader(tarHeader(name, 'file', { size: 1 << 30 }));
      for (; read < 1 << 30; read += 1 << 20) yield Buffer.alloc(1 << 20);
    })();
    await assert.rejects(loading(fixture, body), { kind: 'invalid', message: /of 1073741824 bytes is too large$/ });
    assert.ok(read <= 1 << 20, `${read} bytes were read`);
  }
  assert.deepEqual(fixture.content.list(), []);
});

test('names, links and small files have a bound together', { skip }, async () => {
  await using fixture = await openFixture();
  const long = 'n'.repeat(5000);
  const kinds: ((index: number) => Buffer)[] = [
    (index) => encodeTarHeader(tarHeader(`${long}${index}`, 'file')),
    (index) => encodeTarHeader(tarHeader(`${index}`, 'symlink', { linkName: Buffer.from(long) })),
    (index) =>
      Buffer.concat([encodeTarHeader(tarHeader(`${index}`, 'file', { size: 102_400 })), Buffer.alloc(102_400)]),
  ];
  for (const make of kinds) {
    const body = (function* (): Generator<Buffer> {
      for (let index = 0; index < 90_000; index++) yield make(index);
    })();
    await assert.rejects(loading(fixture, body), { kind: 'invalid', message: /bytes of names and small files$/ });
  }
});

test('a blob is what its name says, also through a link', { skip }, async () => {
  await using fixture = await openFixture();
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture: '', rootfs: { type: 'layers', diff_ids: [] } }),
  );
  const evil = Buffer.from(JSON.stringify({ os: 'evil', architecture: '', rootfs: { type: 'layers', diff_ids: [] } }));
  const file = (name: string, body: Buffer): TarSource => ({
    header: tarHeader(name, 'file', { size: body.length }),
    body,
  });
  const name = (data: Buffer): string => `blobs/sha256/${sha256(data).slice(7)}`;
  const manifest = Buffer.from(JSON.stringify([{ Config: name(config), RepoTags: null, Layers: [] }]));
  const archive = (...parts: TarSource[]): Promise<Buffer> =>
    collectBytes(writeTar([...parts, file('manifest.json', manifest)]), 1 << 20);
  await assert.rejects(loading(fixture, [await archive(file(name(config), evil))]), {
    kind: 'invalid',
    message: /its content is sha256:/,
  });
  const link: TarSource = {
    header: tarHeader(name(config), 'symlink', { linkName: Buffer.from(sha256(evil).slice(7)) }),
  };
  await assert.rejects(loading(fixture, [await archive(file(name(evil), evil), link)]), {
    kind: 'invalid',
    message: /has the content of sha256:/,
  });
  assert.equal(fixture.images.count(), 0);
  await loading(fixture, [await archive(file(name(config), config))]);
  assert.equal(fixture.images.count(), 1);
});
