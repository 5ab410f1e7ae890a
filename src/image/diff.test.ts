/** What differs between two images: configuration, packages, files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageDifference } from '../api/index.ts';
import { collectBytes } from '../std/index.ts';
import { tarHeader, type TarSource, writeTar } from '../oci/index.ts';
import {
  all,
  bytesOf,
  commitOn,
  type Fixture,
  importImage,
  openFixture,
  signal,
  skipUnlessRoot,
  tarOf,
} from './fixture.ts';

const skip = skipUnlessRoot;

async function diff({ images }: Fixture, from: string, to: string): Promise<ImageDifference[]> {
  const lines: ImageDifference[] = [];
  for await (const line of await images.diff(from, to, {}, signal)) lines.push(line);
  return lines;
}

async function imported(fixture: Fixture, repo: string, files: Record<string, string>, changes: string[] = []) {
  const request = {
    source: '-',
    body: bytesOf(await tarOf(files)),
    repo,
    tag: undefined,
    message: '',
    changes,
    platform: undefined,
  };
  await all(fixture.images.import(request, signal));
}

const ofKind = <K extends ImageDifference['Kind']>(lines: ImageDifference[], kind: K) =>
  lines.filter((line): line is Extract<ImageDifference, { Kind: K }> => line.Kind === kind);

test('the same image, and the same files made anew, have no difference', { skip }, async () => {
  await using fixture = await openFixture();
  await imported(fixture, 'a:1', { x: '1' });
  await imported(fixture, 'b:1', { x: '1' });
  for (const [from, to] of [
    ['a:1', 'a:1'],
    ['a:1', 'b:1'],
  ] as const) {
    const lines = await diff(fixture, from, to);
    assert.deepEqual(
      lines.map(({ Kind }) => Kind),
      ['images', 'summary'],
    );
    const [images] = ofKind(lines, 'images');
    assert.deepEqual([images!.From.Name, images!.To.Name, images!.SharedLayers], [from, to, 1]);
  }
  await assert.rejects(diff(fixture, 'a:1', 'nope'), { kind: 'not-found', message: 'No such image: nope:latest' });
});

test('configuration: variables, labels, ports and volumes by name, the rest whole', { skip }, async () => {
  await using fixture = await openFixture();
  const changes = ['ENV A=1 B=2', 'LABEL k=old gone=', 'EXPOSE 80', 'USER me', 'CMD ["a", "b"]', 'VOLUME /data'];
  await imported(fixture, 'a:1', { x: '1' }, changes);
  const later = ['ENV A=1 B=3 C=4', 'LABEL k=new', 'EXPOSE 80 443', 'CMD ["a"]', 'WORKDIR /w', 'VOLUME /data'];
  await imported(fixture, 'a:2', { x: '1' }, later);
  assert.deepEqual(
    ofKind(await diff(fixture, 'a:1', 'a:2'), 'config').map(({ Key, From, To }) => [Key, From, To]),
    [
      ['Cmd', '["a","b"]', '["a"]'],
      ['Env.B', '2', '3'],
      ['Env.C', null, '4'],
      ['ExposedPorts.443/tcp', null, ''],
      ['Labels.gone', '', null],
      ['Labels.k', 'old', 'new'],
      ['User', 'me', null],
      ['WorkingDir', null, '/w'],
    ],
  );
});

const dpkg = (packages: Record<string, string>, extra = ''): string =>
  Object.entries(packages)
    .map(
      ([name, version]) =>
        `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: ${version}\nDescription: of ${name}\n with: lines\n`,
    )
    .join('\n') + extra;

test('packages of dpkg, of distroless images and of apk', { skip }, async () => {
  await using fixture = await openFixture();
  const removed = '\nPackage: left\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n';
  const twice = '\nPackage: libc6\nStatus: install ok installed\nArchitecture: i386\nVersion: 2.36\n';
  await imported(fixture, 'debian:1', {
    'var/lib/dpkg/status': dpkg({ curl: '7.88', libc6: '2.36', nano: '7.2' }, removed),
  });
  await imported(fixture, 'debian:2', {
    'var/lib/dpkg/status': dpkg({ curl: '8.0', libc6: '2.36', zsh: '5' }, twice),
  });
  const packages = async (from: string, to: string): Promise<unknown[]> =>
    ofKind(await diff(fixture, from, to), 'package').map(({ Manager, Name, From, To }) => [Manager, Name, From, To]);
  assert.deepEqual(await packages('debian:1', 'debian:2'), [
    ['dpkg', 'curl', '7.88', '8.0'],
    ['dpkg', 'libc6', '2.36', null],
    ['dpkg', 'libc6:amd64', null, '2.36'],
    ['dpkg', 'libc6:i386', null, '2.36'],
    ['dpkg', 'nano', '7.2', null],
    ['dpkg', 'zsh', null, '5'],
  ]);
  await imported(fixture, 'distroless:1', {
    'var/lib/dpkg/status.d/base': 'Package: base-files\nVersion: 12\n',
    'var/lib/dpkg/status.d/base.md5sums': 'Package: no\nVersion: no\n',
    'lib/apk/db/installed': 'C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\n\nP:busybox\nV:1.36\nA:x86_64\n',
  });
  await imported(fixture, 'empty:1', { x: '1' });
  assert.deepEqual(await packages('empty:1', 'distroless:1'), [
    ['apk', 'busybox', null, '1.36'],
    ['apk', 'musl', null, '1.2.4-r2'],
    ['dpkg', 'base-files', null, '12'],
  ]);
});

test('a database that is a symlink to the host is not read', { skip }, async () => {
  await using fixture = await openFixture();
  const entries: TarSource[] = [
    { header: tarHeader('var/lib/dpkg', 'symlink', { linkName: Buffer.from('/var/lib/dpkg') }) },
    { header: tarHeader('lib/apk/db/installed', 'symlink', { linkName: Buffer.from('/etc/passwd') }) },
  ];
  const body = bytesOf(await collectBytes(writeTar(entries), 1 << 20));
  const request = { source: '-', body, repo: 'evil:1', tag: undefined, message: '', changes: [], platform: undefined };
  await all(fixture.images.import(request, signal));
  await imported(fixture, 'empty:1', { x: '1' });
  assert.deepEqual(ofKind(await diff(fixture, 'empty:1', 'evil:1'), 'package'), []);
});

test('files, their sizes summed; bytes that are no text', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await importImage(fixture, 'base:1');
  const name = Buffer.from('n\xff', 'latin1');
  const layer = await collectBytes(
    writeTar([
      { header: tarHeader('file', 'file', { size: 6, mode: 0o600 }), body: Buffer.from('longer') },
      { header: tarHeader(name, 'file', { size: 3 }), body: Buffer.from('abc') },
    ]),
    1 << 20,
  );
  const { config } = (await fixture.images.get(base))!;
  await fixture.images.commit({
    parent: base,
    layer: bytesOf(layer),
    config,
    createdBy: '',
    comment: '',
    author: '',
    reference: { repo: 'next', tag: '1' },
    containerId: 'c',
  });
  const lines = await diff(fixture, 'base:1', 'next:1');
  const file = { Type: 'file', Uid: 0, Gid: 0 };
  assert.deepEqual(ofKind(lines, 'file'), [
    {
      Kind: 'file',
      Path: '/file',
      Change: 'changed',
      Fields: ['content', 'mode'],
      From: { ...file, Mode: '0644', Size: 4 },
      To: { ...file, Mode: '0600', Size: 6 },
    },
    {
      Kind: 'file',
      Path: '/n\ufffd',
      PathBytes: Buffer.concat([Buffer.from('/'), name]).toString('base64'),
      Change: 'added',
      To: { ...file, Mode: '0644', Size: 3 },
    },
  ]);
  const { Kind: _, ...summary } = ofKind(lines, 'summary')[0]!;
  assert.deepEqual(summary, {
    Config: 0,
    Packages: 0,
    Added: 1,
    Removed: 0,
    Changed: 1,
    AddedSize: 9,
    RemovedSize: 4,
  });
});

test('an image that goes while it is compared is compared to the end', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await importImage(fixture, 'base:1');
  const child = await commitOn(fixture, base, 'child', { repo: 'child', tag: '1' });
  const other = await commitOn(fixture, base, 'other', { repo: 'other', tag: '1' });
  const lines = (await fixture.images.diff('child:1', 'other:1', {}, signal))[Symbol.asyncIterator]();
  assert.equal(((await lines.next()).value as ImageDifference).Kind, 'images');
  await fixture.images.remove(child, { force: true, noPrune: false });
  await fixture.images.remove(other, { force: true, noPrune: false });
  const kinds: string[] = [];
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) kinds.push(next.value.Kind);
  assert.deepEqual(kinds, ['file', 'file', 'summary']);
});
