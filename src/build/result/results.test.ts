import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Content, openContent } from '../../content/index.ts';
import { type Digest, sha256 } from '../../oci/index.ts';
import { openSnapshots, type Snapshots } from '../../snapshot/index.ts';
import { silentLogger } from '../../std/index.ts';
import { commitLayer } from './commit-layer.ts';
import { Results } from './results.ts';
import { type BuiltRoot, rootChain, scratch } from './root.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (overlayfs)';
const live = new AbortController().signal;
const key = (name: string): Digest => sha256(name);

class Fixture implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-results-'));
  content!: Content;
  snapshots!: Snapshots;
  results!: Results;
  time = 1_700_000_000_000_000_000n;

  /** As a daemon comes up: what nobody owns goes. */
  async open(): Promise<this> {
    this.content = await openContent({ root: join(this.root, 'content') });
    this.snapshots = await openSnapshots({ root: join(this.root, 'snapshots') });
    const { content, snapshots } = this;
    const options = { root: join(this.root, 'build'), content, snapshots, log: silentLogger, now: () => this.time };
    this.results = await Results.open(options);
    await this.snapshots.collect();
    await this.content.collect();
    return this;
  }

  /** A step that writes files on `base`, and whose result is kept under `name`, unless told otherwise. */
  async step(name: string, base: BuiltRoot, files: Record<string, string>, kept = true): Promise<BuiltRoot> {
    await this.snapshots.prepare(name, rootChain(base));
    const path = this.snapshots.mount(name);
    for (const [file, content] of Object.entries(files)) {
      writeFileSync(join(path, file), content);
      utimesSync(join(path, file), 1000, 1000);
    }
    using blobs = this.content.hold();
    using layers = this.snapshots.hold();
    const made = await commitLayer(this, { id: name, base, hold: { blobs, layers }, now: this.time }, live);
    if (kept) await this.results.keep(key(name), made, `RUN ${name}`);
    await this.snapshots.remove(name);
    return made;
  }

  here(): { layers: number; blobs: number } {
    return { layers: this.snapshots.layers().length, blobs: this.content.list().length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.snapshots.writables()) await this.snapshots.remove(id);
    const left = readFileSync('/proc/self/mountinfo', 'utf8').includes(this.root);
    rmSync(this.root, { recursive: true });
    assert.equal(left, false);
  }
}

describe('results of steps', { skip }, () => {
  test('a result is found again, also by the next daemon, and stands on its base', async () => {
    await using fixture = await new Fixture().open();
    const one = await fixture.step('one', scratch, { a: '1' });
    const two = await fixture.step('two', one, { b: '2' });
    assert.equal(two.layers.length, 2);
    assert.deepEqual(await fixture.results.find(key('two')), two);
    await fixture.open();
    assert.deepEqual(await fixture.results.find(key('two')), two);
    assert.equal(await fixture.results.find(key('other')), undefined);
    using view = fixture.snapshots.view(rootChain(two)!);
    assert.equal(readFileSync(join(view.path, 'a'), 'utf8') + readFileSync(join(view.path, 'b'), 'utf8'), '12');
  });

  test('its use is noted', async () => {
    await using fixture = await new Fixture().open();
    await fixture.step('one', scratch, { a: '1' });
    fixture.time += 5_000_000_000n;
    const found = await fixture.results.find(key('one'));
    await fixture.open();
    const [{ usageCount, createdAt, lastUsedAt, description } = assert.fail()] = fixture.results.list();
    assert.deepEqual([usageCount, description], [1, 'RUN one']);
    assert.equal(Date.parse(lastUsedAt) - Date.parse(createdAt), 5000);
    // The result itself is as old as it was.
    assert.equal(found?.createdAt, createdAt);
  });

  test('a step that writes nothing has an empty layer', async () => {
    await using fixture = await new Fixture().open();
    const one = await fixture.step('one', scratch, { a: '1' });
    const two = await fixture.step('two', one, {});
    assert.equal(two.diffIds[1], 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef');
    await fixture.open();
    assert.deepEqual(await fixture.results.find(key('two')), two);
    assert.deepEqual(fixture.here(), { layers: 2, blobs: 0 });
  });

  test('what a step left that was not kept, or that a crash cut short, goes', async () => {
    await using fixture = await new Fixture().open();
    await fixture.step('kept', scratch, { a: '1' });
    await fixture.step('lost', scratch, { b: '2' }, false);
    assert.deepEqual(fixture.here(), { layers: 1, blobs: 0 });
    await fixture.snapshots.prepare('crash', undefined);
    writeFileSync(join(fixture.snapshots.mount('crash'), 'c'), '3');
    // Held by a daemon that is no more.
    const hold = { blobs: fixture.content.hold(), layers: fixture.snapshots.hold() };
    await commitLayer(fixture, { id: 'crash', base: scratch, hold, now: fixture.time }, live);
    assert.deepEqual(fixture.here(), { layers: 2, blobs: 0 });
    await fixture.snapshots.remove('crash');
    await fixture.open();
    assert.deepEqual(fixture.here(), { layers: 1, blobs: 0 });
  });

  test('forgetting deletes what only that record needed', async () => {
    await using fixture = await new Fixture().open();
    const one = await fixture.step('one', scratch, { a: '1' });
    await fixture.step('two', one, { b: '2' });
    await fixture.step('same', one, { b: '2' });
    await fixture.results.forget([key('one')]);
    assert.deepEqual(fixture.here().layers, 2);
    await fixture.results.forget([key('two'), key('none')]);
    assert.equal(await fixture.results.find(key('two')), undefined);
    assert.notEqual(await fixture.results.find(key('same')), undefined);
    await fixture.results.forget([key('same')]);
    assert.deepEqual(fixture.here(), { layers: 0, blobs: 0 });
    assert.deepEqual(fixture.results.list(), []);
  });

  test('a step made again leaves nothing of what it made before', async () => {
    await using fixture = await new Fixture().open();
    const base = await fixture.step('base', scratch, { a: '1' });
    await fixture.step('again', base, { b: 'before' });
    const now = await fixture.step('again', base, { b: 'now' });
    assert.deepEqual(new Set(fixture.snapshots.layers()), new Set([rootChain(base)!, rootChain(now)!]));
    assert.deepEqual((await fixture.results.find(key('again')))!.diffIds, now.diffIds);
  });

  test('a record whose layer is gone is no result', async () => {
    await using fixture = await new Fixture().open();
    await fixture.step('one', scratch, { a: '1' });
    rmSync(join(fixture.root, 'snapshots'), { recursive: true });
    await fixture.open();
    assert.equal(await fixture.results.find(key('one')), undefined);
    assert.deepEqual(fixture.results.list(), []);
  });

  test('a commit that is cancelled leaves nothing', async () => {
    await using fixture = await new Fixture().open();
    await fixture.snapshots.prepare('one', undefined);
    writeFileSync(join(fixture.snapshots.mount('one'), 'a'), Buffer.alloc(8 << 20, 'x'));
    const cancel = new AbortController();
    {
      using blobs = fixture.content.hold();
      using layers = fixture.snapshots.hold();
      const hold = { blobs, layers };
      const committing = commitLayer(fixture, { id: 'one', base: scratch, hold, now: fixture.time }, cancel.signal);
      cancel.abort(new Error('gone'));
      await assert.rejects(committing, /gone/);
    }
    assert.deepEqual(fixture.here(), { layers: 0, blobs: 0 });
  });
});
