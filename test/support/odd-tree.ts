/** A tree with everything that a layer must keep, made with system calls so that nothing is rounded on the way. Needs root. */
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { makeNodeAt, must, setTimesAt, setXattr } from '../../src/linux/index.ts';

const AT_FDCWD = -100;
const second = 1_000_000_000n;

/** security.capability of a program that may bind low ports: revision 2, effective, cap_net_bind_service permitted. */
export const netBindCapability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

export interface OddTreeOptions {
  /**
   * Only what Docker and podman keep, too. Not: names of attributes with "%" or "=", attributes without a value, times before 1970
   * and after 2262, capabilities of a file with several names, default access lists (they let what is unpacked inherit them), attributes of
   * symlinks (dockerd 28 gives them to the target).
   * Default false.
   */
  portable?: boolean;
  /** Devices and pipes with several names, which GNU tar archives one by one. Default true. */
  linkedNodes?: boolean;
  /** Default true. */
  fractions?: boolean;
}

/** Fills the empty directory `root`. */
export function makeOddTree(root: string, options: OddTreeOptions = {}): void {
  const tree = new Tree(root);
  const { portable = false, linkedNodes = true, fractions = true } = options;
  chmodSync(root, 0o751);
  modes(tree);
  owners(tree);
  names(tree);
  links(tree, portable);
  extendedAttributes(tree, portable);
  holes(tree);
  nodes(tree, linkedNodes);
  times(tree, fractions, portable);
}

function modes(tree: Tree): void {
  for (const mode of [0o000, 0o400, 0o644, 0o777, 0o1644, 0o2755, 0o4755, 0o6755, 0o7777]) {
    tree.file(`modes/file-${mode.toString(8)}`, 'x', mode);
    tree.directory(`modes/directory-${mode.toString(8)}`, mode);
  }
  tree.directory('modes/directory-1777/empty', 0o700);
}

function owners(tree: Tree): void {
  for (const id of [1, 65534, 2 ** 21 - 1, 2 ** 21, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2]) {
    tree.file(`owners/file-${id}`, String(id));
    tree.directory(`owners/directory-${id}`);
    tree.symlink(`owners/symlink-${id}`, `file-${id}`);
    for (const kind of ['file', 'directory', 'symlink']) lchownSync(tree.path(`owners/${kind}-${id}`), id, id - 1);
  }
  tree.file('owners/setuid', 'x', 0o755);
  lchownSync(tree.path('owners/setuid'), 2 ** 31 + 5, 0);
  chmodSync(tree.path('owners/setuid'), 0o4755);
}

function names(tree: Tree): void {
  const long = 'n'.repeat(255);
  for (const name of [
    'ö and 日本',
    'line\nbreak',
    'tab\tquote"back\\slash',
    '-rf',
    ' ',
    '~',
    '*',
    'PaxHeaders.0',
    'x'.repeat(100),
    'x'.repeat(101),
    long,
  ]) {
    tree.file(Buffer.from(`names/${name}`), name);
  }
  tree.file(Buffer.from('names/bytes-\xff\xfe\x80', 'latin1'), 'bytes');
  tree.directory(Buffer.from('names/directory-\xff', 'latin1'));
  tree.file(Buffer.from('names/directory-\xff/\xe9t\xe9', 'latin1'), 'inside');
  tree.file(`names/${'d'.repeat(120)}/${'e'.repeat(120)}/${'f'.repeat(60)}`, 'a path of 300 bytes');
  tree.directory(`names/${'d'.repeat(120)}/${'e'.repeat(119)}/${'g'.repeat(100)}`);
  tree.file(`names/${'h'.repeat(154)}/${'i'.repeat(100)}`, 'fits the prefix of ustar to the byte');
}

function links(tree: Tree, portable: boolean): void {
  tree.file('links/one', 'three names', 0o4755);
  if (!portable) tree.xattr('links/one', 'security.capability', netBindCapability);
  tree.link('links/one', 'links/two');
  tree.link('links/one', 'a/far/away');
  tree.file(`links/${'l'.repeat(110)}`, 'long name');
  tree.link(`links/${'l'.repeat(110)}`, `links/${'m'.repeat(120)}`);
  tree.file(Buffer.from('links/byte-\xff', 'latin1'), 'bytes');
  tree.link(Buffer.from('links/byte-\xff', 'latin1'), Buffer.from('links/other-\xff', 'latin1'));
  tree.file('links/empty', '');
  tree.link('links/empty', 'links/empty-too');
  tree.symlink('links/absolute', '/etc/passwd');
  tree.symlink('links/nowhere', 'no/such/thing');
  tree.symlink('links/up', '../../../../../etc/passwd');
  tree.symlink('links/long', 't/'.repeat(150));
  tree.symlink('links/longest', 't'.repeat(4000));
  tree.symlink('links/bytes', Buffer.from('\xff\xfe/\x80', 'latin1'));
  tree.link('links/nowhere', 'links/hard-symlink');
}

function extendedAttributes(tree: Tree, portable: boolean): void {
  const binary = Buffer.from([0, 1, 10, 61, 255, 0, 32]);
  tree.file('xattrs/file', 'x');
  tree.directory('xattrs/directory');
  for (const path of ['xattrs/file', 'xattrs/directory']) {
    tree.xattr(path, 'user.binary', binary);
    tree.xattr(path, 'user.text', Buffer.from('with\nline breaks\n'));
    if (!portable) {
      tree.xattr(path, 'user.empty', Buffer.alloc(0));
      tree.xattr(path, 'user.100%', Buffer.from('percent'));
      tree.xattr(path, 'user.a=b', Buffer.from('=c='));
    }
    tree.xattr(path, 'trusted.root', binary);
    tree.xattr(path, 'user.large', Buffer.alloc(1500, 7));
  }
  tree.file('xattrs/capable', 'x', 0o755);
  tree.xattr('xattrs/capable', 'security.capability', netBindCapability);
  tree.file('xattrs/access', 'x', 0o640);
  tree.xattr('xattrs/access', 'system.posix_acl_access', acl(0o6, 0o4, 0));
  tree.directory('xattrs/inherited', 0o750);
  tree.file('xattrs/inherited/before', 'made before the default list', 0o600);
  tree.directory('xattrs/inherited/below');
  if (!portable) tree.xattr('xattrs/inherited', 'system.posix_acl_default', acl(0o7, 0o5, 0));
  makeNode(tree, 'xattrs/device', 0o020600, { major: 1, minor: 5 });
  tree.xattr('xattrs/device', 'trusted.device', binary);
  tree.symlink('xattrs/symlink', 'file');
  if (!portable) tree.xattr('xattrs/symlink', 'trusted.symlink', binary);
}

/** A POSIX access list: owner, user 1000, group, mask, others. */
function acl(owner: number, user: number, others: number): Buffer {
  const none = 0xffffffff;
  const entries: [tag: number, permissions: number, id: number][] = [
    [1, owner, none],
    [2, user, 1000],
    [4, user, none],
    [16, 7, none],
    [32, others, none],
  ];
  const list = Buffer.alloc(4 + entries.length * 8);
  list.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id]] of entries.entries()) {
    list.writeUInt16LE(tag, 4 + index * 8);
    list.writeUInt16LE(permissions, 6 + index * 8);
    list.writeUInt32LE(id, 8 + index * 8);
  }
  return list;
}

function holes(tree: Tree): void {
  const mib = 1 << 20;
  tree.sparse('sparse/front', mib, [[mib - 10, 'last bytes']]);
  tree.sparse('sparse/back', mib, [[0, 'first bytes']]);
  tree.sparse('sparse/middle', 2 * mib, [
    [0, 'start'],
    [mib / 2 + 17, 'odd place'],
    [mib, 'x'.repeat(100_000)],
    [2 * mib - 1, '!'],
  ]);
  tree.sparse('sparse/nothing', 2 * mib, []);
  tree.sparse(
    'sparse/many',
    3 * mib,
    Array.from({ length: 24 }, (_, index) => [index * 131_072, `run ${index}`]),
  );
  tree.file('sparse/dense', 'y'.repeat(300_000));
}

function nodes(tree: Tree, linked: boolean): void {
  tree.directory('nodes');
  makeNode(tree, 'nodes/null', 0o020666, { major: 1, minor: 3 });
  makeNode(tree, 'nodes/loop', 0o060640, { major: 7, minor: 0 });
  makeNode(tree, 'nodes/large', 0o060600, { major: 300, minor: 70_000 });
  makeNode(tree, 'nodes/largest', 0o020600, { major: 4095, minor: 0xfffff });
  makeNode(tree, 'nodes/zero-major', 0o020600, { major: 0, minor: 1 });
  makeNode(tree, 'nodes/pipe', 0o010622, { major: 0, minor: 0 });
  if (!linked) return;
  tree.link('nodes/pipe', 'nodes/pipe-too');
  tree.link('nodes/large', 'nodes/large-too');
}

function makeNode(tree: Tree, name: string, mode: number, device: { major: number; minor: number }): void {
  must('mknodat', makeNodeAt(AT_FDCWD, tree.path(name), mode, device), name);
  chmodSync(tree.path(name), mode & 0o7777);
}

/** Of everything, deepest first; some of them chosen to be hard. */
function times(tree: Tree, fractions: boolean, portable: boolean): void {
  const fraction = (nanos: bigint): bigint => (fractions ? nanos : 0n);
  const far: [name: string, at: bigint][] = [
    ['times/2300', 10_413_792_000n * second],
    ['times/before', -1n * second - fraction(500_000_000n)],
    ['times/just-before', fractions ? -1n : -second],
    ['times/1902', -2_140_000_000n * second + fraction(999_999_999n)],
  ];
  const files: [name: string, at: bigint][] = [
    ['times/now', 1_795_000_000n * second + fraction(123_456_789n)],
    ['times/one-nano', 1n * second + fraction(1n)],
    ['times/epoch', 0n],
    ...(portable ? [] : far),
  ];
  const others: [name: string, at: bigint][] = [
    ['times/directory', 86_400n * (portable ? 1n : -1n) * second + fraction(1n)],
    ['times/symlink', 86_400n * second + fraction(999_999_999n)],
  ];
  tree.directory('times/directory');
  tree.symlink('times/symlink', 'now');
  for (const [name] of files) tree.file(name, 'x');
  let counter = 0n;
  const set = (path: Buffer): void => {
    const stat = lstatSync(path, { bigint: true });
    if (stat.isDirectory()) {
      for (const child of readdirSync(path, { encoding: 'buffer' }))
        set(Buffer.concat([path, Buffer.from('/'), child]));
    }
    // The same for every name of an inode.
    const at = 1_500_000_000n * second + (stat.isDirectory() ? ++counter : stat.ino % 1000n) * second;
    must('utimensat', setTimesAt(AT_FDCWD, path, at + fraction(stat.mode * 7919n)), path);
  };
  set(Buffer.from(tree.root));
  for (const [name, at] of [...files, ...others]) must('utimensat', setTimesAt(AT_FDCWD, tree.path(name), at), name);
}

class Tree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  path(name: string | Buffer): Buffer {
    return Buffer.concat([Buffer.from(`${this.root}/`), Buffer.from(name)]);
  }

  #parent(name: string | Buffer): void {
    const path = this.path(name);
    mkdirSync(path.subarray(0, path.lastIndexOf(47)), { recursive: true, mode: 0o755 });
  }

  directory(name: string | Buffer, mode = 0o755): void {
    this.#parent(name);
    mkdirSync(this.path(name), { recursive: true });
    chmodSync(this.path(name), mode);
  }

  file(name: string | Buffer, content: string, mode = 0o644): void {
    this.#parent(name);
    writeFileSync(this.path(name), content);
    chmodSync(this.path(name), mode);
  }

  symlink(name: string, target: string | Buffer): void {
    this.#parent(name);
    symlinkSync(target, this.path(name));
  }

  link(from: string | Buffer, to: string | Buffer): void {
    this.#parent(to);
    linkSync(this.path(from), this.path(to));
  }

  xattr(name: string, key: string, value: Buffer): void {
    must(`setxattr ${key}`, setXattr(this.path(name), key, value), name);
  }

  sparse(name: string, size: number, runs: (readonly [offset: number, text: string])[]): void {
    this.#parent(name);
    const descriptor = openSync(this.path(name), 'w', 0o644);
    try {
      for (const [offset, text] of runs) writeSync(descriptor, Buffer.from(text), 0, Buffer.byteLength(text), offset);
      ftruncateSync(descriptor, size);
    } finally {
      closeSync(descriptor);
    }
  }
}
