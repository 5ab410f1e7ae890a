import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { diskFull, explainDiskError, isDiskFull } from './disk-fault.ts';
import { Fault, messageOf } from './fault.ts';
import { freeSpace, SpaceGuard } from './space-guard.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (mounts a small file system)';

/** A file system of its own, gone with the test. */
function smallDisk(t: TestContext, options: string): string {
  const root = mkdtempSync(join(tmpdir(), 'wherry-disk-'));
  const path = join(root, 'disk');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path]);
  t.after(() => {
    execFileSync('umount', [path]);
    rmSync(root, { recursive: true });
  });
  return path;
}

test('a full disk is known through wrappings and told with what to type', { skip }, (t) => {
  const disk = smallDisk(t, 'size=64k');
  let error: unknown;
  try {
    writeFileSync(join(disk, 'f'), Buffer.alloc(1 << 20));
  } catch (caught) {
    error = caught;
  }
  assert.ok(isDiskFull(error) && isDiskFull(new Fault('internal', 'x', { cause: error })));
  assert.equal(
    messageOf(explainDiskError(error)),
    'write: no space left on device (see what takes it: wherry system df; free what nothing uses: wherry system prune)',
  );
  const wrapped = explainDiskError(new Fault('invalid', 'Cannot tag x', { cause: error }));
  assert.match(messageOf(wrapped), /^Cannot tag x: no space left on device \(/);
  assert.equal(explainDiskError(wrapped), wrapped);
});

test('a read-only disk has another advice, other errors none', { skip }, (t) => {
  const disk = smallDisk(t, 'ro');
  assert.throws(
    () => {
      try {
        writeFileSync(join(disk, 'f'), 'x');
      } catch (error) {
        throw explainDiskError(error);
      }
    },
    { message: new RegExp(`^open ${disk}/f: read-only file system \\(the kernel .* dmesg`) },
  );
  const other = new Error('other');
  assert.equal(explainDiskError(other), other);
  assert.ok(!isDiskFull(other) && !isDiskFull(undefined));
});

test('the guard refuses before the disk is full, by bytes and by inodes', { skip }, (t) => {
  const disk = smallDisk(t, 'size=8m,nr_inodes=1000');
  const guard = new SpaceGuard(disk);
  const chunk = Buffer.alloc(64 * 1024);
  const fill = (): void => {
    for (let index = 0; index < 1000; index++) {
      guard.spend(chunk.length);
      writeFileSync(join(disk, `f${index}`), chunk);
    }
  };
  assert.throws(fill, (error) => isDiskFull(error) && /are kept for records and containers/.test(messageOf(error)));
  const { available, total } = freeSpace(disk);
  assert.ok(available > 0 && available < total / 10, `${available} of ${total} are left`);

  const files = smallDisk(t, 'size=8m,nr_inodes=1000');
  const inodes = new SpaceGuard(files);
  const make = (): void => {
    for (let index = 0; index < 2000; index++) {
      inodes.spend(0, 1);
      writeFileSync(join(files, `f${index}`), '');
    }
  };
  assert.throws(make, (error) => isDiskFull(error) && /inodes are free/.test(messageOf(error)));
  assert.ok(freeSpace(files).freeInodes > 0);
  assert.ok(isDiskFull(diskFull('write /x', 'y')));
});
