/** An entry whose content is still in the stream: read once, in order, before the next entry. */
import { paddingOf } from './block.ts';
import type { TarEntry, TarExtent, TarHeader, TarType } from './entry.ts';
import type { ByteSource } from './source.ts';

const zeros = Buffer.alloc(64 * 1024);

export class StoredEntry implements TarEntry {
  name: Buffer;
  type: TarType;
  mode: number;
  uid: number;
  gid: number;
  userName: Buffer;
  groupName: Buffer;
  size: number;
  mtime: bigint;
  linkName: Buffer;
  major: number;
  minor: number;
  xattrs: ReadonlyMap<string, Buffer>;
  readonly extents: readonly TarExtent[] | undefined;
  readonly storedSize: number;
  readonly visible: boolean;
  readonly #source: ByteSource;
  #left: number;

  constructor(
    source: ByteSource,
    header: TarHeader,
    stored: number,
    extents: TarExtent[] | undefined,
    visible: boolean,
  ) {
    this.name = header.name;
    this.type = header.type;
    this.mode = header.mode;
    this.uid = header.uid;
    this.gid = header.gid;
    this.userName = header.userName;
    this.groupName = header.groupName;
    this.size = header.size;
    this.mtime = header.mtime;
    this.linkName = header.linkName;
    this.major = header.major;
    this.minor = header.minor;
    this.xattrs = header.xattrs;
    this.extents = extents;
    this.storedSize = stored;
    this.visible = visible;
    this.#source = source;
    this.#left = stored;
  }

  storedNow(): Buffer | undefined {
    if (this.#left !== this.storedSize || this.#source.buffered < this.#left) return undefined;
    this.#left = 0;
    return this.#source.take(this.storedSize);
  }

  async *stored(): AsyncGenerator<Uint8Array, void, void> {
    while (this.#left > 0) {
      const piece = await this.#source.some(this.#left);
      this.#left -= piece.length;
      yield piece;
    }
  }

  async *body(): AsyncGenerator<Uint8Array, void, void> {
    if (this.extents === undefined) {
      yield* this.stored();
      return;
    }
    let at = 0;
    for (const extent of this.extents) {
      yield* hole(extent.offset - at);
      for (let left = extent.length; left > 0; ) {
        const piece = await this.#source.some(left);
        left -= piece.length;
        this.#left -= piece.length;
        yield piece;
      }
      at = extent.offset + extent.length;
    }
    yield* hole(this.size - at);
  }

  /** Skips what was not read, and the padding, of which an archive that ends here may have none (`docker build -f -` sends such). */
  async finish(): Promise<void> {
    const left = this.#left;
    const padding = paddingOf(this.storedSize);
    this.#left = 0;
    if (this.#source.buffered >= left + padding) this.#source.take(left + padding);
    else {
      await this.#source.skip(left);
      await this.#source.skipUpTo(padding);
    }
  }
}

function* hole(length: number): Generator<Uint8Array, void, void> {
  for (let left = length; left > 0; left -= zeros.length) yield left < zeros.length ? zeros.subarray(0, left) : zeros;
}
