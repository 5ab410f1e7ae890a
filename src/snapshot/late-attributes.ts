/**
 * Times and default ACLs of directories, set when nothing more comes into them: making a name changes its directory's time,
 * and a default ACL is inherited. Of an archive with a great many directories only the latest are remembered; the others get
 * their time at once, and once more if something comes into them after all.
 */
import { must, setTimes, setXattrOf } from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import { tolerate } from './attributes.ts';

interface Late {
  mtime: bigint;
  defaultAcl: Buffer | undefined;
  turn: number;
}

const mostRemembered = 50_000;
const mostAclBytes = 4 << 20;

export interface LateTree {
  /** The open directory of a key, its path in latin1. */
  descriptorOf(key: string): number;
  /** From now on every directory that is asked for is opened, and told to `touch`, anew. */
  closeAll(): void;
}

export class LateAttributes {
  readonly #items = new Map<string, Late>();
  /** Directories that were removed, with the turn in which they were: what was said of them before means nothing. */
  readonly #gone = new Map<string, number>();
  readonly #tree: LateTree;
  readonly #most: number;
  #turn = 0;
  #aclBytes = 0;
  #settledSome = false;

  constructor(tree: LateTree, most = mostRemembered) {
    this.#tree = tree;
    this.#most = most;
  }

  set(key: string, mtime: bigint, defaultAcl?: Buffer): void {
    this.#items.delete(key);
    if (defaultAcl !== undefined && (this.#aclBytes += defaultAcl.length) > mostAclBytes)
      throw new Fault('invalid', `Cannot unpack layer: more than ${mostAclBytes} bytes of default ACLs`);
    // A copy: the archive's own buffer is as large as the whole extended header.
    this.#items.set(key, { mtime, defaultAcl: defaultAcl && Buffer.from(defaultAcl), turn: ++this.#turn });
    if (this.#items.size > this.#most) this.#settleOldest();
  }

  /** Something may come into the directory: one that has got its time already is remembered again. */
  touch(key: string, mtime: () => bigint): void {
    if (this.#settledSome && !this.#items.has(key)) this.set(key, mtime());
  }

  /** The directory of that key is removed; `filled` when there was something below. */
  delete(key: string, filled: boolean): void {
    this.#items.delete(key);
    if (filled) this.#gone.set(key, ++this.#turn);
  }

  finish(): void {
    this.#settledSome = false;
    for (const [key, late] of this.#items) this.#settle(key, late);
    this.#items.clear();
  }

  #settleOldest(): void {
    const oldest: [string, Late][] = [];
    for (const each of this.#items) {
      if (each[1].defaultAcl === undefined && each[0] !== '') oldest.push(each);
      if (oldest.length >= this.#most / 2) break;
    }
    // Nothing is made while they are opened for this: it need not be told.
    this.#settledSome = false;
    for (const [key, late] of oldest) this.#settle(key, late);
    for (const [key] of oldest) this.#items.delete(key);
    this.#settledSome = true;
    this.#tree.closeAll();
  }

  #settle(key: string, late: Late): void {
    if (this.#isGone(key, late.turn)) return;
    const descriptor = this.#tree.descriptorOf(key);
    if (late.defaultAcl !== undefined) {
      const set = setXattrOf(descriptor, 'system.posix_acl_default', late.defaultAcl);
      tolerate(set, 'system.posix_acl_default', Buffer.from(key, 'latin1'));
    }
    must('futimens', setTimes(descriptor, late.mtime), key);
  }

  #isGone(key: string, turn: number): boolean {
    if (this.#gone.size === 0) return false;
    for (let end = key.length; end > 0; end = key.lastIndexOf('/', end - 1))
      if ((this.#gone.get(key.slice(0, end)) ?? 0) > turn) return true;
    return false;
  }
}
