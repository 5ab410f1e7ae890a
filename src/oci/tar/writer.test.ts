/** The writer against the reader (property) and against GNU tar. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectBytes } from '../../std/index.ts';
import { type TarHeader, tarHeader } from './entry.ts';
import { formatPax, formatPaxTime, parsePax, parsePaxTime } from './pax.ts';
import { readTar } from './reader.ts';
import { type TarSource, writeTar } from './writer.ts';

const archive = (entries: TarSource[]): Promise<Buffer> => collectBytes(writeTar(entries), 64 << 20);

async function* pieces(data: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

const name = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 ? 1 : byte))))
  .filter((bytes) => bytes.at(-1) !== 47);
const xattrs = fc.dictionary(
  fc.stringMatching(/^user\.[a-z]{1,10}$/),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  { maxKeys: 3 },
);
const header: fc.Arbitrary<TarHeader> = fc
  .record({
    name,
    type: fc.constantFrom('file', 'directory', 'symlink', 'hardlink', 'character', 'block', 'fifo'),
    mode: fc.nat(0o7777),
    uid: fc.nat(0xffffffff),
    gid: fc.nat(0xffffffff),
    mtime: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 20n }),
    linkName: name,
    major: fc.nat(4095),
    minor: fc.nat(0o7777777),
    xattrs,
  })
  .map((value) => {
    const link = value.type === 'symlink' || value.type === 'hardlink';
    const device = value.type === 'character' || value.type === 'block';
    return tarHeader(value.name, value.type, {
      ...value,
      linkName: link ? value.linkName : Buffer.alloc(0),
      major: device ? value.major : 0,
      minor: device ? value.minor : 0,
      xattrs: new Map(Object.entries(value.xattrs)),
    });
  });

test('what is written is read back, whatever the names and numbers', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(header, fc.uint8Array({ maxLength: 1500 })), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 5000 }),
      async (list, chunk) => {
        const sources = list.map(
          ([each, body]): TarSource =>
            each.type === 'file' ? { header: { ...each, size: body.length }, body } : { header: each },
        );
        const tar = await archive(sources);
        assert.equal(tar.length % 512, 0);
        let index = 0;
        for await (const entry of readTar(pieces(tar, chunk))) {
          const { header: wanted, body } = sources[index++]!;
          assert.deepEqual(entry.name, wanted.name);
          for (const key of ['type', 'mode', 'uid', 'gid', 'size', 'mtime', 'major', 'minor'] as const) {
            assert.equal(entry[key], wanted[key], key);
          }
          assert.deepEqual(entry.linkName, wanted.linkName);
          assert.deepEqual(new Map(entry.xattrs), wanted.xattrs);
          const content = await collectBytes(entry.body(), 1 << 20);
          assert.ok(content.equals((body as Uint8Array | undefined) ?? Buffer.alloc(0)));
        }
        assert.equal(index, sources.length);
      },
    ),
    { numRuns: 150 },
  );
});

test('equal entries make equal bytes', async () => {
  const make = (): TarSource => ({
    header: tarHeader('f', 'file', {
      size: 1,
      xattrs: new Map([
        ['user.b', Buffer.from('1')],
        ['user.a', Buffer.from('2')],
      ]),
    }),
    body: Buffer.from('x'),
  });
  assert.deepEqual(await archive([make()]), await archive([make()]));
});

test('a body of another length than announced is refused', async () => {
  await assert.rejects(
    archive([{ header: tarHeader('f', 'file', { size: 2 }), body: Buffer.from('x') }]),
    /expected 2 bytes, got 1/,
  );
});

test('large bodies pass through in order', async () => {
  const big = Buffer.alloc(3_000_000, 'abc');
  async function* body(): AsyncGenerator<Uint8Array> {
    yield big.subarray(0, 10);
    yield big.subarray(10, 1_000_000);
    yield big.subarray(1_000_000);
  }
  const tar = await archive([
    { header: tarHeader('a', 'directory') },
    { header: tarHeader('big', 'file', { size: big.length }), body: body() },
  ]);
  for await (const entry of readTar(pieces(tar, 65536))) {
    if (entry.name.toString() === 'big') assert.ok((await collectBytes(entry.body(), 1 << 23)).equals(big));
  }
});

test('GNU tar extracts what is written', async (t) => {
  if (process.getuid?.() !== 0) return t.skip('needs root (owners)');
  const folder = mkdtempSync(join(tmpdir(), 'wherry-tar-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const longName = `${'d'.repeat(130)}/${'f'.repeat(140)}`;
  const value = Buffer.from('ok');
  const mtime = 1_234_567_890_123_456_789n;
  const tar = await archive([
    { header: tarHeader('d'.repeat(130), 'directory', { mode: 0o2750, mtime }) },
    {
      header: tarHeader(longName, 'file', { size: 2, uid: 3_000_000, gid: 5_000_000, mode: 0o4755, mtime }),
      body: value,
    },
    { header: tarHeader('hard', 'hardlink', { linkName: Buffer.from(longName) }) },
    { header: tarHeader('soft', 'symlink', { linkName: Buffer.from('x'.repeat(150)), mtime }) },
    { header: tarHeader(Buffer.from('n\xff', 'latin1'), 'file', { size: 2 }), body: value },
    { header: tarHeader('ö', 'file', { size: 2 }), body: value },
    { header: tarHeader('fifo', 'fifo') },
    { header: tarHeader('dev', 'character', { major: 1, minor: 3 }) },
  ]);
  writeFileSync(join(folder, 'a.tar'), tar);
  execFileSync('tar', ['-xpf', 'a.tar', '--numeric-owner', '--same-owner', '--delay-directory-restore'], {
    cwd: folder,
    // GNU tar grumbles about hdrcharset, which it does not need.
    stdio: 'ignore',
  });
  const stat = lstatSync(join(folder, longName), { bigint: true });
  assert.equal(stat.mtimeNs, mtime);
  assert.equal(stat.uid, 3_000_000n);
  assert.equal(stat.gid, 5_000_000n);
  assert.equal(Number(stat.mode) & 0o7777, 0o4755);
  assert.equal(stat.nlink, 2n);
  assert.equal(lstatSync(join(folder, 'd'.repeat(130))).mode & 0o7777, 0o2750);
  assert.equal(readlinkSync(join(folder, 'soft')), 'x'.repeat(150));
  assert.equal(readFileSync(Buffer.concat([Buffer.from(`${folder}/n`), Buffer.of(255)])).toString(), 'ok');
  assert.equal(readFileSync(join(folder, 'ö')).toString(), 'ok');
  assert.ok(lstatSync(join(folder, 'fifo')).isFIFO());
  assert.equal(lstatSync(join(folder, 'dev')).rdev, 0x103);
});

test('pax records count themselves, also where the count grows a digit', () => {
  for (const length of [1, 5, 6, 7, 90, 91, 92, 93, 94, 95, 985, 986, 987, 988, 989, 990]) {
    const value = Buffer.alloc(length, 'v');
    assert.deepEqual(parsePax(formatPax([['k', value]])), [['k', value]], String(length));
  }
});

test('pax times keep nanoseconds, before the epoch too', () => {
  for (const nanos of [0n, 1n, -1n, -1_500_000_000n, 1_700_000_000_123_456_789n]) {
    assert.equal(parsePaxTime(Buffer.from(formatPaxTime(nanos))), nanos);
  }
});
