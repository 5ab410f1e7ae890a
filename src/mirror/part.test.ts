import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { sha256 } from '../oci/index.ts';
import { SpaceGuard } from '../std/index.ts';
import { Part } from './part.ts';

const blob = { digest: sha256('hello world'), size: 11 };

function place(t: TestContext): { path: string; guard: SpaceGuard } {
  const root = mkdtempSync(join(tmpdir(), 'wherry-part-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return { path: join(root, 'part'), guard: new SpaceGuard(root) };
}

const text = async (part: Part, at: number, most: number): Promise<string> =>
  Buffer.from(await part.read(at, most)).toString();

test('it is read while it grows, and is the blob at its end', async (t) => {
  const { path, guard } = place(t);
  await using part = await Part.open(path, blob, guard);
  await part.write(Buffer.from('hello '));
  assert.equal(await text(part, 0, 100), 'hello ');
  assert.equal(await text(part, 4, 1), 'o');
  assert.equal(await text(part, 6, 10), '');
  await part.write(Buffer.from('world'));
  assert.equal(await text(part, 5, 100), ' world');
  await part.seal();
});

test('another one goes on where the first broke off', async (t) => {
  const { path, guard } = place(t);
  {
    await using first = await Part.open(path, blob, guard);
    await first.write(Buffer.from('hello'));
  }
  await using second = await Part.open(path, blob, guard);
  assert.equal(second.received, 5);
  await second.write(Buffer.from(' world'));
  await second.seal();
  assert.equal(readFileSync(path, 'utf8'), 'hello world');
});

test('what is not the blob, shorter or longer is refused', async (t) => {
  const { path, guard } = place(t);
  {
    await using wrong = await Part.open(path, blob, guard);
    await wrong.write(Buffer.from('hello earth'));
    await assert.rejects(wrong.seal(), { kind: 'invalid', message: /its content is sha256:/ });
    await wrong.discard();
  }
  assert.ok(!existsSync(path));
  await using short = await Part.open(path, blob, guard);
  await short.write(Buffer.from('hello'));
  await assert.rejects(short.write(Buffer.from(' world!')), { kind: 'invalid', message: /more than its 11 bytes/ });
  await assert.rejects(short.seal(), { kind: 'invalid', message: /5 of 11 bytes came/ });
});

test('what a crash left whole need not come again; what is too long does', async (t) => {
  const { path, guard } = place(t);
  writeFileSync(path, 'hello world');
  {
    await using whole = await Part.open(path, blob, guard);
    assert.equal(whole.received, 11);
    await whole.seal();
  }
  writeFileSync(path, 'hello world!');
  await using part = await Part.open(path, blob, guard);
  assert.equal(part.received, 0);
  await part.write(Buffer.from('hello world'));
  await part.seal();
  assert.equal(readFileSync(path, 'utf8'), 'hello world');
});
