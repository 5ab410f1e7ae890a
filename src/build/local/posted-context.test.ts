import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { tarHeader, type TarSource, writeTar } from '../../oci/index.ts';
import { collectBytes } from '../../std/index.ts';
import { PostedContext } from './posted-context.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (owners)';
const live = new AbortController().signal;
const everything = { followPaths: [], excludes: [] };

function file(name: string, content: string, uid = 0): TarSource {
  const body = Buffer.from(content);
  return { header: tarHeader(name, 'file', { size: body.length, uid, gid: uid }), body };
}

function link(name: string, target: string, type: 'symlink' | 'hardlink' = 'symlink'): TarSource {
  return { header: tarHeader(name, type, { linkName: Buffer.from(target) }) };
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

class Fixture implements AsyncDisposable {
  readonly path = mkdtempSync(join(tmpdir(), 'wherry-posted-'));
  readonly folder = join(this.path, 'context');
  context: PostedContext | undefined;

  async post(entries: TarSource[], compress: (tar: Buffer) => Uint8Array = (tar) => tar): Promise<PostedContext> {
    const tar = compress(await collectBytes(writeTar(entries), 1 << 26));
    this.context = new PostedContext({ tar: inPieces(tar), folder: this.folder, signal: live });
    return this.context;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context?.[Symbol.asyncDispose]();
    assert.equal(existsSync(this.folder), false);
    rmSync(this.path, { recursive: true });
  }
}

describe('a posted context', { skip }, () => {
  for (const [name, compress] of [
    ['plain', (tar: Buffer): Uint8Array => tar],
    ['gzip', gzipSync],
    ['zstd', zstdCompressSync],
  ] as const) {
    test(`${name}: unpacked once, for all who ask, and gone at the end`, async () => {
      await using fixture = new Fixture();
      const context = await fixture.post([file('Dockerfile', 'FROM scratch'), file('d/a', '1', 1000)], compress);
      const [one, other] = await Promise.all([context.fetch(everything, live), context.fetch(everything, live)]);
      assert.equal(one.path, other.path);
      assert.ok(one.transferred > 0);
      assert.deepEqual(readdirSync(one.path, { recursive: true, encoding: 'utf8' }).sort(), ['Dockerfile', 'd', 'd/a']);
      assert.equal(statSync(join(one.path, 'd/a')).uid, 0);
      await one[Symbol.asyncDispose]();
      assert.equal(readFileSync(join(other.path, 'd/a'), 'utf8'), '1');
    });
  }

  test('what leads out is refused, or stays inside', async () => {
    await using fixture = new Fixture();
    const outside = join(fixture.path, 'outside');
    mkdirSync(outside);
    const context = await fixture.post([
      link('out', outside),
      file('out/file', 'x'),
      link('up', '../outside'),
      file('up/file', 'x'),
    ]);
    // A link to what is not there inside is no folder: its name is not gone through.
    await assert.rejects(context.fetch(everything, live));
    assert.deepEqual(readdirSync(outside), []);
  });

  test('a name with too many ".." and a hard link to the outside', async () => {
    for (const entry of [file('a/../../outside', 'x'), link('hard', '../../../../etc/passwd', 'hardlink')]) {
      await using fixture = new Fixture();
      const context = await fixture.post([entry]);
      await assert.rejects(context.fetch(everything, live), { kind: 'invalid' });
      assert.equal(existsSync(join(fixture.path, 'outside')), false);
    }
  });

  test('what is no archive', async () => {
    await using fixture = new Fixture();
    fixture.context = new PostedContext({
      tar: inPieces(Buffer.alloc(2000, 'x')),
      folder: fixture.folder,
      signal: live,
    });
    await assert.rejects(fixture.context.fetch(everything, live), { kind: 'invalid' });
  });

  test('never asked for, it is never unpacked', async () => {
    await using fixture = new Fixture();
    await fixture.post([file('a', '1')]);
    assert.equal(existsSync(fixture.folder), false);
  });
});
