/**
 * The writable snapshots: `w/<id>/{fs,work,merged}` and the symlink `parent`, whose target is the short name of the layer it
 * stands on ("-" for none). A symlink that short lives in its inode, so a crash cannot leave it empty.
 */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { mountMapped, must, setTimesAt, setXattr, unmount } from '../linux/index.ts';
import { errorCode, Fault } from '../std/index.ts';
import { tolerate, xattrsOf } from './attributes.ts';
import type { Through } from './door.ts';
import type { Layers } from './layers.ts';
import { mountLayers } from './mount-layers.ts';
import type { Scratch } from './scratch.ts';

interface Writable {
  id: string;
  parent: string | undefined;
  mounted: boolean;
  /** Its parent is lost: the disk was tampered with. It can be removed; its files stay where they are until then. */
  damaged: boolean;
}

export class Writables {
  readonly #root: string;
  readonly #empty: string;
  readonly #layers: Layers;
  readonly #scratch: Scratch;
  readonly #items = new Map<string, Writable>();

  /** `empty` is an empty directory: overlayfs wants at least one lower. */
  constructor(root: string, empty: string, layers: Layers, scratch: Scratch) {
    this.#root = root;
    this.#empty = empty;
    this.#layers = layers;
    this.#scratch = scratch;
    mkdirSync(root, { recursive: true, mode: 0o711 });
    const mounts = mountPoints();
    for (const id of readdirSync(root)) {
      const name = parentName(join(root, id, 'parent'));
      const layer = name === undefined ? undefined : layers.named(name);
      const damaged = name !== '-' && layer === undefined;
      this.#items.set(id, { id, parent: layer?.chainId, mounted: mounts.has(join(root, id, 'merged')), damaged });
    }
  }

  ids(): string[] {
    return [...this.#items.keys()];
  }

  has(id: string): boolean {
    return this.#items.has(id);
  }

  /** @throws Fault not-found; internal for a damaged one */
  get(id: string): Writable {
    const item = this.#items.get(id);
    if (item === undefined) throw new Fault('not-found', `Cannot find snapshot ${id}: it does not exist`);
    if (item.damaged) throw new Fault('internal', `Cannot use snapshot ${id}: the layer it stands on is missing`);
    return item;
  }

  /** Whether a snapshot stands on this layer. */
  uses(chainId: string): boolean {
    for (const item of this.#items.values()) if (item.parent === chainId) return true;
    return false;
  }

  parent(id: string): string | undefined {
    return this.#items.get(id)?.parent;
  }

  isDamaged(id: string): boolean {
    return this.#items.get(id)?.damaged === true;
  }

  /** Stands it on another layer that holds the same. */
  reparent(id: string, chainId: string | undefined): void {
    const name = chainId === undefined ? '-' : this.#layers.mustGet(chainId).name;
    const fresh = join(this.#root, id, 'parent.new');
    rmSync(fresh, { force: true });
    symlinkSync(name, fresh);
    renameSync(fresh, join(this.#root, id, 'parent'));
    const item = this.#items.get(id);
    if (item !== undefined) this.#items.set(id, { ...item, parent: chainId, damaged: false });
  }

  folder(id: string): string {
    return join(this.#root, id);
  }

  path(id: string, part: 'fs' | 'work' | 'merged'): string {
    return join(this.#root, id, part);
  }

  /** The root directory takes after the parent's, which it replaces in the merged view. */
  prepare(id: string, parent: string | undefined): void {
    if (!/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(id))
      throw new Fault('invalid', `Cannot make snapshot "${id}": not a safe name`);
    if (this.#items.has(id)) throw new Fault('conflict', `Cannot make snapshot ${id}: it exists`);
    const name = parent === undefined ? '-' : this.#layers.mustGet(parent).name;
    const temporary = this.#scratch.take();
    try {
      mkdirSync(temporary, { mode: 0o710 });
      mkdirSync(join(temporary, 'work'), { mode: 0o700 });
      mkdirSync(join(temporary, 'merged'), { mode: 0o700 });
      const files = join(temporary, 'fs');
      mkdirSync(files, { mode: 0o755 });
      const top = this.#layers.stack(parent)[0];
      if (top === undefined) chmodSync(files, 0o755);
      else dressRoot(files, top);
      symlinkSync(name, join(temporary, 'parent'));
      renameSync(temporary, join(this.#root, id));
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw error;
    } finally {
      this.#scratch.release(temporary);
    }
    this.#items.set(id, { id, parent, mounted: false, damaged: false });
  }

  lower(id: string): string[] {
    const stack = this.#layers.stack(this.get(id).parent);
    return stack.length === 0 ? [this.#empty] : stack;
  }

  mount(id: string, through?: Through): string {
    const item = this.get(id);
    const target = this.path(id, 'merged');
    if (!item.mounted) {
      const [upper, work] = [this.path(id, 'fs'), this.path(id, 'work')];
      if (through !== undefined) this.#mountMapped(id, target, through);
      else mountLayers({ lower: this.lower(id), upper, work, target });
      item.mounted = true;
    }
    return target;
  }

  /** Each layer is mounted through the namespace first; the overlay holds those mounts itself from then on. */
  #mountMapped(id: string, target: string, { namespace, group }: Through): void {
    const folder = join(this.#root, id);
    // Nobody passes through a folder whose group the namespace does not know, not even root.
    chownSync(folder, 0, 0);
    using loans = new DisposableStack();
    const holder = this.#scratch.take();
    mkdirSync(holder, { mode: 0o700 });
    loans.defer(() => {
      rmdirSync(holder);
      this.#scratch.release(holder);
    });
    const through = (source: string, name: string): string => {
      const point = join(holder, name);
      mkdirSync(point);
      loans.defer(() => rmdirSync(point));
      mountMapped({ source, target: point, namespace });
      loans.defer(() => unmount(point));
      return point;
    };
    const lower = this.lower(id).map((layer, index) => through(layer, `l${index}`));
    const own = through(folder, 'own');
    const [upper, work] = [join(own, 'fs'), join(own, 'work')];
    mountLayers({ lower, upper, work, target });
    chownSync(folder, 0, group);
  }

  unmount(id: string): void {
    const item = this.#items.get(id);
    if (item === undefined) return;
    unmount(this.path(id, 'merged'));
    item.mounted = false;
  }

  async remove(id: string): Promise<void> {
    if (!this.#items.has(id)) return;
    this.unmount(id);
    const trash = this.#scratch.take();
    try {
      this.#moveTo(id, trash);
    } catch (error) {
      this.#scratch.release(trash);
      throw error;
    }
    this.#items.delete(id);
    await this.#scratch.remove(trash);
  }

  #moveTo(id: string, trash: string): void {
    const path = join(this.#root, id);
    try {
      renameSync(path, trash);
    } catch (error) {
      // Deleted behind our back: there is nothing but to forget.
      if (errorCode(error) === 'ENOENT') return;
      if (errorCode(error) !== 'EBUSY') throw error;
      // Someone mounted over it once more; detach that, too.
      unmount(this.path(id, 'merged'));
      renameSync(path, trash);
    }
  }

  /** Folders of no snapshot. */
  strays(): string[] {
    return readdirSync(this.#root)
      .filter((name) => !this.#items.has(name))
      .map((name) => join(this.#root, name));
  }
}

function dressRoot(files: string, like: string): void {
  const stat = lstatSync(like, { bigint: true });
  chownSync(files, Number(stat.uid), Number(stat.gid));
  chmodSync(files, Number(stat.mode) & 0o7777);
  const path = Buffer.from(files);
  for (const [key, value] of xattrsOf(Buffer.from(like))) tolerate(setXattr(path, key, value), key, path);
  must('utimensat', setTimesAt(-100, path, stat.mtimeNs), files);
}

function parentName(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** Paths of this namespace's mount points. */
export function mountPoints(): Set<string> {
  const points = new Set<string>();
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const field = line.split(' ')[4];
    if (field !== undefined)
      points.add(field.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
  }
  return points;
}
