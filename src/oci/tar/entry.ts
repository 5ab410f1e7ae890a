/** What a tar archive holds, as both the reader and the writer see it. Names are bytes: they need not be UTF-8. */

export type TarType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface TarHeader {
  /** As in the archive; a directory's trailing slash is dropped. */
  name: Buffer;
  type: TarType;
  /** Permission bits with setuid, setgid and sticky: 0–07777. */
  mode: number;
  uid: number;
  gid: number;
  userName: Buffer;
  groupName: Buffer;
  /** Bytes of the file's content, holes included; 0 for all but files. */
  size: number;
  /** Nanoseconds since the Unix epoch. */
  mtime: bigint;
  /** Target of a symlink, or name of an earlier entry for a hardlink. */
  linkName: Buffer;
  major: number;
  minor: number;
  xattrs: ReadonlyMap<string, Buffer>;
}

/** A run of stored bytes of a sparse file; all else reads as zeros. */
export interface TarExtent {
  offset: number;
  length: number;
}

export interface TarEntry extends TarHeader {
  /** Where the stored bytes belong in a sparse file, ascending; undefined for a dense one. */
  readonly extents: readonly TarExtent[] | undefined;
  /** Bytes stored in the archive (less than `size` for a sparse file). */
  readonly storedSize: number;
  /** The content, holes as zeros. Read it (or `stored`) before asking for the next entry; what is left is skipped. */
  body(): AsyncIterable<Uint8Array>;
  /** The stored bytes only. */
  stored(): AsyncIterable<Uint8Array>;
  /** All stored bytes if they are in memory already: spares small files a turn. Undefined otherwise; then use `stored`. */
  storedNow(): Buffer | undefined;
}

const none = Buffer.alloc(0);
const noXattrs: ReadonlyMap<string, Buffer> = new Map();

/** A header with everything but name and type at rest. */
export function tarHeader(name: Buffer | string, type: TarType, rest: Partial<TarHeader> = {}): TarHeader {
  return {
    mode: type === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    userName: none,
    groupName: none,
    size: 0,
    mtime: 0n,
    linkName: none,
    major: 0,
    minor: 0,
    xattrs: noXattrs,
    ...rest,
    name: typeof name === 'string' ? Buffer.from(name) : name,
    type,
  };
}
