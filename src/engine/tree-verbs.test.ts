import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { entry, tar } from '../../test/support/images.ts';
import { getXattr, listXattrs, setXattr } from '../linux/index.ts';
import { treeVerbs } from './tree-verbs.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (owners, nodes, xattrs)';

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'wherry-verbs-'));

  at(name: string): string {
    return join(this.path, name);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

type Stat = Parameters<typeof treeVerbs.makeNode>[1];

const stat: Stat = {
  mode: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  size: 0,
  modified: 0n,
  linkName: '',
  path: '',
  uid: 0,
  gid: 0,
  xattrs: new Map<string, Buffer>(),
};

describe('what BuildKit’s wire does to trees', { skip }, () => {
  test('times, to the nanosecond, of links themselves', () => {
    using folder = new Folder();
    writeFileSync(folder.at('file'), '');
    symlinkSync('file', folder.at('link'));
    treeVerbs.setModified(folder.at('file'), 1_700_000_000_123_456_789n);
    treeVerbs.setModified(folder.at('link'), 5_000_000_007n);
    assert.equal(lstatSync(folder.at('file'), { bigint: true }).mtimeNs, 1_700_000_000_123_456_789n);
    assert.equal(lstatSync(folder.at('link'), { bigint: true }).mtimeNs, 5_000_000_007n);
    assert.throws(() => treeVerbs.setModified(folder.at('nosuch'), 0n), { code: 'ENOENT' });
  });

  test('xattrs: these and no others; what overlayfs would obey is nobody’s', () => {
    using folder = new Folder();
    mkdirSync(folder.at('d'));
    const at = Buffer.from(folder.at('d'));
    setXattr(at, 'user.old', Buffer.from('1'));
    setXattr(at, 'trusted.ours', Buffer.from('1'));
    const binary = Buffer.from([0, 255, 10]);
    treeVerbs.setXattrs(
      folder.at('d'),
      new Map([
        ['user.new', binary],
        ['trusted.overlay.opaque', Buffer.from('y')],
        ['user.overlay.opaque', Buffer.from('y')],
        ['security.selinux', Buffer.from('x')],
      ]),
    );
    assert.deepEqual(
      listXattrs(at)
        .filter((name) => name !== 'security.selinux')
        .sort(),
      ['trusted.ours', 'user.new'],
    );
    assert.deepEqual(getXattr(at, 'user.new'), binary);
    treeVerbs.setXattrs(folder.at('d'), new Map());
    assert.equal(getXattr(at, 'user.new'), undefined);
    // A link has none of user.*, whatever the client says.
    symlinkSync('/etc/passwd', folder.at('link'));
    treeVerbs.setXattrs(folder.at('link'), new Map([['user.x', binary]]));
    assert.deepEqual(listXattrs(Buffer.from('/etc/passwd')).includes('user.x'), false);
  });

  test('pipes and devices', () => {
    using folder = new Folder();
    const goPipe = 1 << 25;
    const goCharacterDevice = (1 << 26) | (1 << 21);
    treeVerbs.makeNode(folder.at('pipe'), { ...stat, mode: goPipe | 0o640 });
    assert.ok(lstatSync(folder.at('pipe')).isFIFO());
    const device = { ...stat, mode: goCharacterDevice | 0o600, deviceMajor: 1, deviceMinor: 3 };
    treeVerbs.makeNode(folder.at('null'), device);
    const made = lstatSync(folder.at('null'));
    assert.ok(made.isCharacterDevice());
    assert.equal(made.rdev, lstatSync('/dev/null').rdev);
  });

  test('an archive, compressed; a broken one', async () => {
    using folder = new Folder();
    const bytes = gzipSync(await tar([entry('d/file', 'file', { body: 'content', uid: 1000 })]));
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, 10);
      yield bytes.subarray(10);
    };
    await treeVerbs.unpackArchive(pieces(), folder.at('tree'), new AbortController().signal);
    assert.equal(readFileSync(folder.at('tree/d/file'), 'utf8'), 'content');
    assert.equal(lstatSync(folder.at('tree/d/file')).uid, 0);
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1024, 'x');
    };
    await assert.rejects(treeVerbs.unpackArchive(broken(), folder.at('other'), new AbortController().signal), {
      kind: 'invalid',
    });
    assert.equal(existsSync(folder.at('other/x')), false);
  });
});
