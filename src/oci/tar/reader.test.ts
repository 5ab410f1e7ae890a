/** The reader against GNU tar's archives, and against archives made to hurt. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { collectBytes } from '../../std/index.ts';
import { writeChecksum } from './block.ts';
import { type TarEntry, tarHeader } from './entry.ts';
import { formatPax } from './pax.ts';
import { readTar } from './reader.ts';
import { encodeTarHeader } from './writer.ts';

async function* pieces(data: Buffer, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

interface Read {
  entry: TarEntry;
  body: Buffer;
}

async function readAll(data: Buffer, size?: number): Promise<Map<string, Read>> {
  const found = new Map<string, Read>();
  for await (const entry of readTar(pieces(data, size))) {
    found.set(entry.name.toString('latin1'), { entry, body: await collectBytes(entry.body(), 64 << 20) });
  }
  return found;
}

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-tar-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const long = 'n'.repeat(120);
const script = `
set -e
mkdir -p d/${long}/${long}
printf hello > d/file; chmod 4751 d/file; touch -d '2001-02-03 04:05:06.123456789 UTC' d/file
ln d/file d/hard
ln -s ../${long} d/link
mkfifo d/fifo
printf long > d/${long}/${long}/f
printf x > "$(printf 'd/bytes\\377\\376')"
printf '\\303\\266' > "$(printf 'd/\\303\\266')"
truncate -s 5M d/sparse
printf START | dd of=d/sparse conv=notrunc status=none
printf MIDDLE | dd of=d/sparse bs=1 seek=2000000 conv=notrunc status=none
: > d/empty
`;

for (const format of ['gnu', 'posix', 'ustar', 'oldgnu', 'v7']) {
  const flags = format === 'posix' || format.endsWith('gnu') ? ['--sparse'] : [];
  test(`GNU tar --format=${format} ${flags.join(' ')}`, async (t) => {
    const folder = scratch(t);
    const excluded =
      format === 'v7' ? `rm -rf d/${long} d/link d/fifo` : format === 'ustar' ? `rm -rf d/${long} d/link` : 'true';
    execFileSync('sh', ['-c', `${script}\n${excluded}`], { cwd: folder });
    const tar = execFileSync(
      'tar',
      ['-cf', '-', `--format=${format}`, '--numeric-owner', '--owner=3000000', '--group=7', ...flags, 'd'].filter(
        (flag) => !(flag === '--owner=3000000' && (format === 'ustar' || format === 'v7')),
      ),
      {
        cwd: folder,
        maxBuffer: 64 << 20,
      },
    );
    for (const size of [tar.length, 1000, 512]) {
      const found = await readAll(tar, size);
      const file = found.get('d/file') ?? found.get('d/hard');
      assert.equal(file?.body.toString(), 'hello');
      assert.equal(file?.entry.mode, 0o4751);
      assert.equal(file?.entry.gid, 7);
      const exact = format === 'posix' ? 123456789n : 0n;
      assert.equal(file?.entry.mtime, 981173106_000000000n + exact);
      const links = ['d/file', 'd/hard']
        .map((name) => found.get(name)?.entry)
        .filter((entry) => entry?.type === 'hardlink');
      assert.equal(links.length, 1);
      assert.match(links[0]!.linkName.toString(), /^d\/(file|hard)$/);
      assert.equal(found.get('d/empty')?.entry.size, 0);
      assert.equal(found.get('d/bytes\xff\xfe')?.body.toString(), 'x');
      assert.equal(found.get(Buffer.from('d/ö').toString('latin1'))?.body.toString(), 'ö');
      assert.equal(found.get('d')?.entry.type, 'directory');
      const sparse = found.get('d/sparse')!;
      assert.equal(sparse.entry.size, 5 << 20);
      assert.equal(sparse.body.length, 5 << 20);
      assert.equal(sparse.body.toString('latin1', 0, 6), 'START\0');
      assert.equal(sparse.body.toString('latin1', 1_999_999, 2_000_007), '\0MIDDLE\0');
      if (flags.length > 0) {
        assert.ok(sparse.entry.storedSize < 100_000);
        assert.ok(sparse.entry.extents!.length >= 2);
        assert.equal(found.get(`d/${long}/${long}/f`)?.body.toString(), 'long');
        assert.equal(found.get('d/link')?.entry.linkName.toString(), `../${long}`);
        assert.equal(file?.entry.uid, 3_000_000);
      }
      if (format !== 'v7') assert.equal(found.get('d/fifo')?.entry.type, 'fifo');
    }
  });
}

for (const version of ['0.0', '0.1', '1.0']) {
  test(`PAX sparse format ${version} of GNU tar`, async (t) => {
    const folder = scratch(t);
    execFileSync('sh', ['-c', 'truncate -s 3M s; printf A | dd of=s bs=1 seek=1000000 conv=notrunc status=none'], {
      cwd: folder,
    });
    const tar = execFileSync('tar', ['-cf', '-', '--format=posix', '--sparse', `--sparse-version=${version}`, 's'], {
      cwd: folder,
    });
    const { entry, body } = [...(await readAll(tar)).values()][0]!;
    assert.equal(entry.name.toString(), 's');
    assert.equal(body.length, 3 << 20);
    assert.equal(body.indexOf('A'), 1_000_000);
    assert.equal(body.lastIndexOf('A'), 1_000_000);
    const stored = await collectBytes((await first(tar)).stored(), 1 << 20);
    assert.equal(stored.length, entry.storedSize);
  });
}

/** The first entry, not to be read past. */
async function first(tar: Buffer): Promise<TarEntry> {
  const iterator = readTar(pieces(tar));
  const next = await iterator.next();
  assert.ok(next.done !== true);
  return next.value;
}

test('xattrs keep binary values', async () => {
  const value = Buffer.from([0, 0xc0, 0x0a, 0xff, 0x3d]);
  const header = tarHeader('f', 'file', {
    xattrs: new Map([
      ['security.capability', value],
      ['user.empty', Buffer.alloc(0)],
    ]),
  });
  const found = await readAll(Buffer.concat([encodeTarHeader(header), Buffer.alloc(1024)]));
  assert.deepEqual(found.get('f')?.entry.xattrs.get('security.capability'), value);
  assert.equal(found.get('f')?.entry.xattrs.get('user.empty')?.length, 0);
});

test('an entry left unread is skipped, and bytes behind the end are read', async () => {
  const body = Buffer.alloc(100_000, 'z');
  const tar = Buffer.concat([
    encodeTarHeader(tarHeader('big', 'file', { size: body.length })),
    body,
    Buffer.alloc(352),
    encodeTarHeader(tarHeader('next', 'directory')),
    Buffer.alloc(1024),
    Buffer.from('trailing'),
  ]);
  let read = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces(tar, 700)) {
      read += piece.length;
      yield piece;
    }
  }
  const names: string[] = [];
  for await (const entry of readTar(counted())) names.push(entry.name.toString());
  assert.deepEqual(names, ['big', 'next']);
  assert.equal(read, tar.length);
});

test('an archive may end with the content of its last entry, but not within', async () => {
  const header = encodeTarHeader(tarHeader('f', 'file', { size: 3 }));
  for (const padding of [0, 1, 508, 509]) {
    for (const size of [1, 1000]) {
      const found = await readAll(Buffer.concat([header, Buffer.from('abc'), Buffer.alloc(padding)]), size);
      assert.equal(found.get('f')?.body.toString(), 'abc', `${padding} bytes of padding, ${size} at once`);
    }
  }
  const cut = Buffer.concat([header, Buffer.from('ab')]);
  await assert.rejects(readAll(cut), { kind: 'invalid', message: 'Cannot read archive: unexpected EOF' });
  const unread = async (): Promise<void> => {
    for await (const entry of readTar(pieces(cut))) assert.equal(entry.name.toString(), 'f');
  };
  await assert.rejects(unread(), { message: 'Cannot read archive: unexpected EOF' });
});

test('what goes on behind its end without end is refused', async () => {
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.alloc(1024);
    for (;;) yield Buffer.alloc(1 << 20);
  }
  await assert.rejects(
    (async () => {
      for await (const entry of readTar(endless())) assert.fail(`there is no entry ${entry.name.toString()}`);
    })(),
    { kind: 'invalid', message: /behind its end$/ },
  );
});

test('leaving early closes the source', async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield encodeTarHeader(tarHeader('d', 'directory'));
    } finally {
      closed = true;
    }
  }
  for await (const entry of readTar(source())) if (entry.name.length > 0) break;
  assert.ok(closed);
});

function block(change: (block: Buffer) => void): Buffer {
  const header = encodeTarHeader(tarHeader('f', 'file'));
  change(header);
  writeChecksum(header);
  return header;
}

function withPax(records: [string, string][], flag = 'x'): Buffer {
  const data = formatPax(records.map(([key, value]) => [key, Buffer.from(value)]));
  const header = block((bytes) => {
    bytes.write(flag, 156);
    bytes.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
  });
  return Buffer.concat([header, data, Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

const plain = encodeTarHeader(tarHeader('f', 'file'));
const sparse1: [string, string][] = [
  ['GNU.sparse.major', '1'],
  ['GNU.sparse.minor', '0'],
  ['GNU.sparse.realsize', '1000'],
];
const hostile: [name: string, tar: Buffer][] = [
  ['bad checksum', Buffer.concat([Buffer.from(plain).fill('X', 0, 1), Buffer.alloc(1024)])],
  ['random bytes', Buffer.alloc(4096, 'q')],
  ['negative size', block((bytes) => bytes.fill(0xff, 124, 136))],
  ['size beyond numbers', block((bytes) => bytes.fill(0x7f, 125, 136).writeUInt8(0x80, 124))],
  ['size that is no number', block((bytes) => bytes.write('12x45678901', 124))],
  ['truncated body', Buffer.concat([block((bytes) => bytes.write('00000002000', 124)), Buffer.alloc(100)])],
  ['truncated header', plain.subarray(0, 300)],
  ['extended header of a gigabyte', block((bytes) => bytes.fill('x', 156, 157).write('07777777777', 124))],
  ['long name of a gigabyte', block((bytes) => bytes.fill('L', 156, 157).write('07777777777', 124))],
  [
    'pax record longer than its header',
    Buffer.concat([
      block((bytes) => bytes.fill('x', 156, 157).write('00000000012', 124)),
      Buffer.from('999 a=b\n').subarray(0, 10),
      Buffer.alloc(504),
      plain,
    ]),
  ],
  ['negative pax size', Buffer.concat([withPax([['size', '-5']]), plain])],
  ['NUL in a pax path', Buffer.concat([withPax([['path', 'a\0b']]), plain])],
  ['pax owner beyond 32 bits', Buffer.concat([withPax([['uid', '99999999999']]), plain])],
  [
    'sparse runs that overlap',
    Buffer.concat([
      withPax([
        ['GNU.sparse.size', '100'],
        ['GNU.sparse.map', '0,10,5,10'],
      ]),
      plain,
    ]),
  ],
  [
    'sparse run behind the end',
    Buffer.concat([
      withPax([
        ['GNU.sparse.size', '10'],
        ['GNU.sparse.map', '5,10'],
      ]),
      plain,
    ]),
  ],
  [
    'sparse map with an odd count',
    Buffer.concat([
      withPax([
        ['GNU.sparse.size', '10'],
        ['GNU.sparse.map', '5'],
      ]),
      plain,
    ]),
  ],
  [
    'sparse map without end',
    Buffer.concat([
      withPax(sparse1),
      block((bytes) => bytes.write('00000001000', 124)),
      Buffer.alloc(512, '9'),
      Buffer.alloc(1024),
    ]),
  ],
  [
    'sparse map of one endless number',
    Buffer.concat([
      withPax(sparse1),
      block((bytes) => bytes.write('00100000000', 124)),
      Buffer.alloc(16 << 20, '9'),
      Buffer.alloc(1024),
    ]),
  ],
  [
    'sparse map of a million runs',
    Buffer.concat([
      withPax(sparse1),
      block((bytes) => bytes.write('00000001000', 124)),
      Buffer.from('99999999\n'.padEnd(512, '\0')),
      Buffer.alloc(1024),
    ]),
  ],
];
for (const [name, tar] of hostile) {
  test(`refused: ${name}`, async () => {
    await assert.rejects(readAll(tar), { kind: 'invalid' });
  });
}

test('any bytes give entries or a Fault, quickly', async () => {
  const mutation = fc.array(fc.tuple(fc.nat(2047), fc.nat(255)), { maxLength: 6 });
  const base = Buffer.concat([withPax([['path', 'x'], ...sparse1]), plain, plain, Buffer.alloc(512)]);
  await fc.assert(
    fc.asyncProperty(mutation, fc.boolean(), async (changes, fix) => {
      const tar = Buffer.from(base);
      for (const [at, value] of changes) tar[at % tar.length] = value;
      if (fix) for (let at = 0; at + 512 <= tar.length; at += 512) writeChecksum(tar.subarray(at, at + 512));
      try {
        await readAll(tar, 300);
      } catch (error) {
        assert.equal((error as { kind?: string }).kind, 'invalid', (error as Error).stack);
      }
    }),
    { numRuns: 300 },
  );
});
