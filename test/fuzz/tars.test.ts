/** Archives: entries or a fault, in bounded time and memory; what we write GNU tar reads as the same, and what it writes we do. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { readTar as readClientTar } from '../../src/client/index.ts';
import { readTar, tarHeader, type TarSource, writeTar } from '../../src/oci/index.ts';
import { collectBytes } from '../../src/std/index.ts';
import { fuzzed, orFaultLater, property } from '../support/fuzz.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-fuzz-'));
after(() => rmSync(folder, { recursive: true, force: true }));

interface Read {
  name: string;
  type: string;
  link: string;
  mode: number;
  mtime: bigint;
  body: string;
}

const mostBytes = 8 << 20;

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer, size: number): Promise<Read[]> {
  const entries: Read[] = [];
  for await (const entry of readTar(inPieces(bytes, size))) {
    const chunks: Uint8Array[] = [];
    let length = 0;
    // Sparse files may say that they are as long as they like: who reads them has a limit.
    for await (const chunk of entry.size > mostBytes ? entry.stored() : entry.body()) {
      length += chunk.length;
      chunks.push(chunk);
    }
    assert.ok(length <= mostBytes);
    if (entry.type === 'file' && entry.size <= mostBytes) assert.equal(length, entry.size);
    const { name, type, linkName, mode, mtime } = entry;
    entries.push({
      name: name.toString('latin1'),
      type,
      link: linkName.toString('latin1'),
      mode,
      mtime,
      body: Buffer.concat(chunks).toString('latin1'),
    });
  }
  return entries;
}

/** An archive of all kinds, in one of GNU tar's formats. */
function gnuTar(format: string): Buffer {
  const source = join(folder, `source-${format}`);
  const long = `${'d'.repeat(90)}/${format === 'v7' ? '' : 'e'.repeat(90)}`;
  for (const [name, body] of [
    ['a', 'hello'],
    ['b/c', 'x'.repeat(1500)],
    [`${long}f`, 'long'],
  ] as const) {
    mkdirSync(dirname(join(source, name)), { recursive: true });
    writeFileSync(join(source, name), body);
  }
  symlinkSync('a', join(source, 'l'));
  spawnSync('truncate', ['-s', '200K', join(source, 'sparse')]);
  writeFileSync(join(source, 'sparse'), 'end', { flag: 'a' });
  const more = format === 'gnu' || format === 'pax' ? ['--sparse'] : [];
  const { stdout, status, stderr } = spawnSync(
    'tar',
    ['-c', `--format=${format}`, '--sort=name', '--mtime=@1700000000.5', ...more, '-C', source, '.'],
    { maxBuffer: 1 << 26 },
  );
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

const archives = Object.fromEntries(
  ['v7', 'ustar', 'oldgnu', 'gnu', 'pax', 'posix'].map((format) => [format, gnuTar(format)]),
);

for (const [format, bytes] of Object.entries(archives)) {
  test(`what GNU tar wrote as ${format} is read as it is`, async () => {
    const entries = await read(bytes, 700);
    const names = spawnSync('tar', ['-t'], { input: bytes })
      .stdout.toString()
      .trim()
      .split('\n')
      .map((name) => name.replace(/\/$/, ''));
    assert.deepEqual(
      entries.map(({ name }) => name),
      names,
    );
    const source = join(folder, `source-${format}`);
    for (const { name, type, link, body } of entries) {
      const stats = lstatSync(join(source, name));
      assert.equal(type, stats.isSymbolicLink() ? 'symlink' : stats.isDirectory() ? 'directory' : 'file');
      if (type === 'symlink') assert.equal(link, readlinkSync(join(source, name)));
      if (type === 'file') assert.equal(body, readFileSync(join(source, name), 'latin1'), name);
    }
    assert.deepEqual(await read(bytes, 1 << 20), entries);
  });
}

const own = await collectBytes(
  writeTar([
    { header: tarHeader('d', 'directory') },
    {
      header: tarHeader('d/é', 'file', {
        size: 5,
        mtime: 1_700_000_000_123_456_789n,
        xattrs: new Map([['user.a', Buffer.from('b\0c')]]),
      }),
      body: Buffer.from('hello'),
    },
    { header: tarHeader('d/h', 'hardlink', { linkName: Buffer.from('d/é') }) },
    { header: tarHeader('n'.repeat(300), 'symlink', { linkName: Buffer.from('t'.repeat(200)) }) },
    { header: tarHeader('dev', 'character', { major: 1, minor: 3 }) },
  ]),
  1 << 20,
);

/** Half of the inputs are made to look right, or nothing would get past the checksums. */
function repaired(bytes: Buffer): Buffer {
  if (bytes.length % 2 === 1) return bytes;
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (!/^(ustar|\0)/.test(block.toString('latin1', 257, 262)) || block[0] === 0) continue;
    block.fill(32, 148, 156);
    block.write(
      `${block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
      'latin1',
    );
  }
  return bytes;
}

fuzzed('archives', {
  corpus: [own, ...Object.values(archives)],
  words: [
    '\0'.repeat(512),
    '77777777777\0',
    '\x80\0\0\0\0\0\0\x7f',
    '30 GNU.sparse.major=1\n',
    '22 GNU.sparse.minor=0\n',
    '19 path=../../x\0\n',
    '9 size=9\n',
    'x',
    'g',
    'L',
    'K',
    'S',
    '1',
    '2',
  ],
  longest: 1 << 19,
  check: async (bytes) => {
    const input = repaired(bytes);
    const whole = await orFaultLater(() => read(input, input.length + 1));
    assert.deepEqual(await orFaultLater(() => read(input, 333)), whole, 'in pieces');
    for (const { type } of whole ?? []) assert.match(type, /^(file|hardlink|symlink|character|block|directory|fifo)$/);
    await orFaultLater(async () => {
      for await (const entry of readClientTar(inPieces(input, 1000))) void entry;
    });
  },
});

const segment = fc
  .string({ unit: fc.constantFrom(...Array.from('abcZ09._- é')), minLength: 1, maxLength: 40 })
  .filter((name) => !/^\.{1,2}$/.test(name));
const path = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join('/'));
const file = fc.record({
  name: path,
  body: fc.uint8Array({ maxLength: 1500 }),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  mtime: fc.bigInt({ min: 0n, max: 2n ** 62n }),
});

property(
  'what is written is read as it was, and GNU tar sees the same names and contents',
  fc.uniqueArray(file, { selector: ({ name }) => name, minLength: 1, maxLength: 5 }),
  async (files) => {
    const sources = files.map(
      ({ name, body, mode, mtime }): TarSource => ({
        header: tarHeader(name, 'file', { size: body.length, mode, mtime }),
        body,
      }),
    );
    const bytes = await collectBytes(writeTar(sources), 1 << 24);
    const entries = await read(bytes, 511);
    assert.deepEqual(
      entries,
      files.map(({ name, body, mode, mtime }) => ({
        name: Buffer.from(name).toString('latin1'),
        type: 'file',
        link: '',
        mode,
        mtime,
        body: Buffer.from(body).toString('latin1'),
      })),
    );
    const listed = spawnSync('tar', ['-t', '--quoting-style=literal', '-P'], { input: bytes });
    assert.equal(listed.status, 0, listed.stderr.toString());
    assert.equal(listed.stdout.toString(), `${files.map(({ name }) => name).join('\n')}\n`);
    const contents = spawnSync('tar', ['-x', '-O', '-P'], { input: bytes });
    assert.ok(contents.stdout.equals(Buffer.concat(files.map(({ body }) => body))));
  },
  { runs: 40 },
);
