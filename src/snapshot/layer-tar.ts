/** The changes of an upper directory as an OCI layer tar. Equal content makes equal bytes: sorted, no names of owners. */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, read, readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { tarHeader, type TarHeader, type TarSource, writeTar } from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { deviceOf, xattrsOf } from './attributes.ts';
import { walkChanges } from './changes.ts';
import { joinPath, type LowerDirectory } from './lower.ts';
import { opaqueName, whiteoutPrefix } from './whiteout.ts';

const turnMs = 10;
const pieceSize = 256 * 1024;
const readAsync = promisify(read);

export async function* layerTar(
  upper: Buffer,
  lower: LowerDirectory,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  yield* writeTar(layerEntries(upper, lower, signal));
}

async function* layerEntries(
  upper: Buffer,
  lower: LowerDirectory,
  signal?: AbortSignal,
): AsyncGenerator<TarSource, void, void> {
  const links = new Map<bigint, Buffer>();
  const rootEntry = changedRoot(upper, lower);
  if (rootEntry !== undefined) yield { header: rootEntry };
  let turn = performance.now();
  for (const change of walkChanges(upper, lower)) {
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      turn = performance.now();
    }
    if (change.kind === 'deleted') {
      yield { header: whiteoutHeader(beside(change.path, whiteoutPrefix)) };
      continue;
    }
    if (change.kind === 'opaque') {
      yield { header: whiteoutHeader(joinPath(change.path, opaqueName)) };
      continue;
    }
    const header = headerOf(change.path, change.source, change.stat);
    if (header === undefined) continue;
    if (header.type !== 'directory' && change.stat.nlink > 1n) {
      const first = links.get(change.stat.ino);
      if (first !== undefined) {
        yield { header: { ...header, type: 'hardlink', linkName: first, size: 0, xattrs: new Map() } };
        continue;
      }
      links.set(change.stat.ino, change.path);
    }
    if (header.type === 'file' && header.size > 0) {
      yield { header, body: fileBytes(change.source, header.size) };
    } else yield { header };
  }
}

/** The root's own entry, when its owner, mode or xattrs differ from the parent's root. */
function changedRoot(upper: Buffer, lower: LowerDirectory): TarHeader | undefined {
  const stat = lstatSync(upper, { bigint: true });
  const below = lower[0] === undefined ? undefined : lstatSync(lower[0], { bigint: true });
  const header = headerOf(Buffer.from('.'), upper, stat)!;
  if (below !== undefined && below.mode === stat.mode && below.uid === stat.uid && below.gid === stat.gid) {
    const theirs = portableXattrs(lower[0]!);
    if (
      theirs.size === header.xattrs.size &&
      [...theirs].every(([key, value]) => header.xattrs.get(key)?.equals(value))
    ) {
      return undefined;
    }
  }
  if (below === undefined && (Number(stat.mode) & 0o7777) === 0o755 && stat.uid === 0n && stat.gid === 0n)
    return undefined;
  return header;
}

function beside(path: Buffer, prefix: Buffer): Buffer {
  const slash = path.lastIndexOf(47);
  return Buffer.concat([path.subarray(0, slash + 1), prefix, path.subarray(slash + 1)]);
}

function whiteoutHeader(name: Buffer): TarHeader {
  return tarHeader(name, 'file', { mode: 0 });
}

/** Undefined for a socket, which no archive can hold. */
function headerOf(name: Buffer, source: Buffer, stat: BigIntStats): TarHeader | undefined {
  const common: Partial<TarHeader> = {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
    xattrs: portableXattrs(source),
  };
  if (stat.isFile()) return tarHeader(name, 'file', { ...common, size: Number(stat.size) });
  if (stat.isDirectory()) return tarHeader(name, 'directory', common);
  if (stat.isSymbolicLink()) {
    return tarHeader(name, 'symlink', {
      ...common,
      mode: 0o777,
      linkName: readlinkSync(source, { encoding: 'buffer' }),
    });
  }
  if (stat.isFIFO()) return tarHeader(name, 'fifo', common);
  if (stat.isCharacterDevice()) return tarHeader(name, 'character', { ...common, ...deviceOf(stat.rdev) });
  if (stat.isBlockDevice()) return tarHeader(name, 'block', { ...common, ...deviceOf(stat.rdev) });
  return undefined;
}

/** The host's own labels stay on the host. */
function portableXattrs(path: Buffer): Map<string, Buffer> {
  const xattrs = xattrsOf(path);
  xattrs.delete('security.selinux');
  return xattrs;
}

/** Exactly `size` bytes, though a container may be writing the file: cut, or filled with zeros. */
async function* fileBytes(path: Buffer, size: number): AsyncGenerator<Uint8Array, void, void> {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!fstatSync(descriptor).isFile()) throw new Fault('conflict', `Cannot read ${path.toString()}: it is changing`);
    for (let left = size; left > 0; ) {
      const piece = Buffer.allocUnsafe(Math.min(left, pieceSize));
      const { bytesRead } = await readAsync(descriptor, piece, 0, piece.length, null);
      const bytes = bytesRead === 0 ? piece.fill(0) : piece.subarray(0, bytesRead);
      yield bytes;
      left -= bytes.length;
    }
  } finally {
    closeSync(descriptor);
  }
}
