/** `cp`: files out of and into a container as tar streams, without ever following a link out of its root. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, read, readdirSync, readlinkSync } from 'node:fs';
import { basename, posix } from 'node:path';
import { promisify } from 'node:util';
import type { Bytes, PathStat } from '../api/index.ts';
import {
  descriptorPath,
  type IdMapping,
  insideId,
  openFlags,
  openInRoot,
  readLinkAt,
  xattrsOfDescriptor,
} from '../linux/index.ts';
import { goFileMode, readTar, tarHeader, type TarHeader, type TarSource, writeTar } from '../oci/index.ts';
import { errorCode, Fault, formatNanos } from '../std/index.ts';
import { TreeWriter } from './archive-writer.ts';
import { openContainerRoot, type ContainerRoot } from './container-root.ts';
import type { Context, Live } from './context.ts';
import { containerEvent } from './event.ts';
import { find } from './find.ts';
import { readInRoot } from './rootfs.ts';
import { resolveUser } from './user.ts';

const PIECE = 256 << 10;
const readAsync = promisify(read);

/** "/dir/." and "/dir/" mean what they point to; otherwise a link is itself. */
function follows(path: string): boolean {
  return path.endsWith('/') || path.endsWith('/.');
}

function missing(ref: string, path: string, error: unknown): Fault {
  const code = errorCode(error);
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new Fault('not-found', `Could not find the file ${path} in container ${ref}`, { cause: error });
  if (code === 'ENAMETOOLONG') return new Fault('invalid', 'Cannot read a path with so long a name', { cause: error });
  if (code === 'ELOOP')
    return new Fault('invalid', `Cannot read ${path}: too many levels of symbolic links`, { cause: error });
  return new Fault('internal', `Cannot read ${path}: ${(error as Error).message}`, { cause: error });
}

/** Opens the path as named (O_PATH). @throws Fault not-found */
function openNamed(root: ContainerRoot, ref: string, path: string): number {
  const absolute = posix.join('/', path);
  try {
    return openInRoot(
      root.fd,
      absolute,
      follows(path) ? openFlags.path | constants.O_DIRECTORY : openFlags.pathNoFollow,
    );
  } catch (error) {
    throw missing(ref, path, error);
  }
}

function describe(root: ContainerRoot, fd: number, path: string): PathStat {
  const stat = fstatSync(fd, { bigint: true });
  const name = path.endsWith('/.') ? '.' : basename(posix.join('/', path)) || '/';
  return {
    name,
    size: Number(stat.size),
    mode: goFileMode(Number(stat.mode)),
    mtime: formatNanos(stat.mtimeNs),
    linkTarget: stat.isSymbolicLink() ? linkTarget(root, path) : '',
  };
}

/** Where a link leads, as an absolute path inside the container. */
function linkTarget(root: ContainerRoot, path: string): string {
  const absolute = posix.join('/', path);
  try {
    const fd = openInRoot(root.fd, absolute, openFlags.path);
    try {
      const shown = readlinkSync(descriptorPath(fd));
      return root.prefix !== '' && shown.startsWith(root.prefix) ? shown.slice(root.prefix.length) || '/' : shown;
    } finally {
      closeSync(fd);
    }
  } catch {
    const fd = openInRoot(root.fd, posix.dirname(absolute), openFlags.path);
    try {
      return posix.resolve(posix.dirname(absolute), readlinkSync(`${descriptorPath(fd)}/${basename(absolute)}`));
    } finally {
      closeSync(fd);
    }
  }
}

export async function statInContainer(context: Context, ref: string, path: string): Promise<PathStat> {
  await using root = await openContainerRoot(context, find(context, ref));
  const fd = openNamed(root, ref, path);
  try {
    return describe(root, fd, path);
  } finally {
    closeSync(fd);
  }
}

export async function readFromContainer(
  context: Context,
  ref: string,
  path: string,
  signal: AbortSignal,
): Promise<{ stat: PathStat; tar: Bytes }> {
  const live = find(context, ref);
  const root = await openContainerRoot(context, live);
  let stat: PathStat;
  try {
    const fd = openNamed(root, ref, path);
    try {
      stat = describe(root, fd, path);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    await root[Symbol.asyncDispose]();
    throw error;
  }
  containerEvent(context, live.record, 'archive-path', { path });
  async function* bytes(): AsyncGenerator<Uint8Array> {
    try {
      yield* writeTar(
        treeEntries(
          root.fd,
          posix.join('/', path),
          Buffer.from(stat.name === '/' ? '.' : stat.name),
          follows(path),
          signal,
          root.mapping,
        ),
      );
    } finally {
      await root[Symbol.asyncDispose]();
    }
  }
  return { stat, tar: bytes() };
}

/** Every entry at and under `path`, named under `as`, in sorted order. */
export async function* treeEntries(
  root: number,
  path: string | Buffer,
  as: Buffer,
  follow: boolean,
  signal: AbortSignal,
  mapping: IdMapping | undefined,
): AsyncGenerator<TarSource, void, void> {
  const links = new Map<string, Buffer>();
  const start = Buffer.from(path);
  let turn = performance.now();
  async function* walk(at: Buffer, name: Buffer, followThis: boolean): AsyncGenerator<TarSource, void, void> {
    signal.throwIfAborted();
    if (performance.now() - turn > 10) {
      await new Promise(setImmediate);
      turn = performance.now();
    }
    let fd: number;
    try {
      fd = openInRoot(root, at, followThis ? openFlags.path : openFlags.pathNoFollow);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      const stat = fstatSync(fd, { bigint: true });
      const seen = headerOf(fd, name, stat);
      if (seen === undefined) return;
      const header = mapping === undefined ? seen : inside(seen, mapping);
      const key = `${stat.dev}:${stat.ino}`;
      if (!stat.isDirectory() && stat.nlink > 1n) {
        const first = links.get(key);
        if (first !== undefined) {
          yield { header: { ...header, type: 'hardlink', linkName: first, size: 0, xattrs: new Map() } };
          return;
        }
        links.set(key, name);
      }
      if (header.type === 'file' && header.size > 0) yield { header, body: fileBytes(root, at, header.size) };
      else yield { header };
      if (!stat.isDirectory()) return;
      for (const child of readdirSync(descriptorPath(fd), { encoding: 'buffer' }).sort((a, b) => a.compare(b))) {
        yield* walk(Buffer.concat([at, slash, child]), Buffer.concat([name, slash, child]), false);
      }
    } finally {
      closeSync(fd);
    }
  }
  yield* walk(start, as, follow);
}

const slash = Buffer.from('/');

/** With the owner that the container sees. */
function inside(header: TarHeader, { uids, gids }: IdMapping): TarHeader {
  return { ...header, uid: insideId(uids, header.uid), gid: insideId(gids, header.gid) };
}

function headerOf(fd: number, name: Buffer, stat: BigIntStats): TarHeader | undefined {
  const common = {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: stat.mtimeNs,
  };
  if (stat.isFile()) return tarHeader(name, 'file', { ...common, size: Number(stat.size), xattrs: xattrsOf(fd) });
  if (stat.isDirectory()) return tarHeader(name, 'directory', { ...common, xattrs: xattrsOf(fd) });
  if (stat.isSymbolicLink())
    return tarHeader(name, 'symlink', {
      ...common,
      mode: 0o777,
      linkName: readLinkAt(fd, Buffer.alloc(0)) ?? Buffer.alloc(0),
    });
  if (stat.isFIFO()) return tarHeader(name, 'fifo', common);
  const device = {
    major: Number(((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & 0xfffff000n)),
    minor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xffffff00n)),
  };
  if (stat.isCharacterDevice()) return tarHeader(name, 'character', { ...common, ...device });
  if (stat.isBlockDevice()) return tarHeader(name, 'block', { ...common, ...device });
  return undefined;
}

function xattrsOf(fd: number): Map<string, Buffer> {
  const xattrs = xattrsOfDescriptor(fd);
  for (const key of xattrs.keys()) if (key.startsWith('trusted.') || key === 'security.selinux') xattrs.delete(key);
  return xattrs;
}

async function* fileBytes(root: number, path: Buffer, size: number): AsyncGenerator<Uint8Array, void, void> {
  const fd = openInRoot(root, path, openFlags.read | constants.O_NOFOLLOW);
  try {
    for (let left = size; left > 0; ) {
      const piece = Buffer.allocUnsafe(Math.min(left, PIECE));
      const { bytesRead } = await readAsync(fd, piece, 0, piece.length, null);
      // The process may be writing: exactly `size` bytes go out, cut or filled with zeros.
      const bytes = bytesRead === 0 ? piece.fill(0) : piece.subarray(0, bytesRead);
      yield bytes;
      left -= bytes.length;
    }
  } finally {
    closeSync(fd);
  }
}

/** @throws Fault not-found, invalid (not a folder), forbidden (read-only) */
export async function writeToContainer(
  context: Context,
  ref: string,
  path: string,
  tar: Bytes,
  options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
): Promise<void> {
  const absolute = posix.join('/', path);
  const live = find(context, ref);
  const { record } = live;
  const mounts = record.mounts.filter(
    (mount) => absolute === mount.destination || absolute.startsWith(`${mount.destination}/`),
  );
  const innermost = mounts.sort((a, b) => b.destination.length - a.destination.length)[0];
  if (innermost?.readOnly) throw new Fault('forbidden', 'mounted volume is marked read-only');
  if (innermost === undefined && record.hostConfig.ReadonlyRootfs)
    throw new Fault('forbidden', 'container rootfs is marked read-only');
  await using root = await openContainerRoot(context, live);
  let target: number;
  try {
    target = openInRoot(root.fd, absolute, openFlags.path);
  } catch (error) {
    throw missing(ref, path, error);
  }
  try {
    if (!fstatSync(target).isDirectory()) throw new Fault('invalid', 'extraction point is not a directory');
  } finally {
    closeSync(target);
  }
  const user = resolveUser(
    record.config.User ?? '',
    [],
    readInRoot(root.fd, '/etc/passwd') ?? '',
    readInRoot(root.fd, '/etc/group') ?? '',
  );
  const writer = new TreeWriter(root.fd, Buffer.from(absolute), {
    noOverwriteDirNonDir: options.noOverwriteDirNonDir,
    // As in Docker: a container of no user in particular takes owners as they are in the archive.
    owner: options.copyUidGid && (record.config.User ?? '') !== '' ? user : undefined,
    mapping: root.mapping,
  });
  try {
    for await (const entry of readTar(tar)) await writer.write(entry);
    writer.finish();
  } finally {
    writer.close();
  }
  containerEvent(context, record, 'extract-to-dir', { path });
}

/** `export`: the whole root, one flat tar; mounts show as empty folders. */
export function exportContainer(context: Context, live: Live, signal: AbortSignal): Bytes {
  containerEvent(context, live.record, 'export');
  async function* bytes(): AsyncGenerator<Uint8Array> {
    const merged = context.snapshots.mount(live.record.id);
    const fd = openSync(merged, openFlags.directory);
    try {
      const entries = treeEntries(fd, '/', Buffer.from('.'), true, signal, live.run?.idMapping);
      async function* withoutRoot(): AsyncGenerator<TarSource> {
        for await (const entry of entries) {
          const name = entry.header.name.subarray(2);
          if (name.length === 0) continue;
          const linkName = entry.header.type === 'hardlink' ? entry.header.linkName.subarray(2) : entry.header.linkName;
          yield { ...entry, header: { ...entry.header, name, linkName } };
        }
      }
      yield* writeTar(withoutRoot());
    } finally {
      closeSync(fd);
      if (live.run === undefined && !live.starting) context.snapshots.unmount(live.record.id);
    }
  }
  return bytes();
}
