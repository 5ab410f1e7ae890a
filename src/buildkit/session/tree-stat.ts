/** What the other side says about a file (fsutil.types.Stat): Go's os.FileMode read, and paths that stay inside. */
import { Fault } from '../../std/index.ts';
import type { stat } from '../message/session.ts';
import type { Message } from '../protobuf/field.ts';

export type TreeStat = Message<typeof stat>;

export type EntryKind = 'file' | 'folder' | 'link' | 'node' | 'socket';

/** As Linux has them (limits.h): PATH_MAX with its end, NAME_MAX. */
const maxPathBytes = 4095;
const maxNameBytes = 255;

/** Bits of Go's os.FileMode (pkg.go.dev/io/fs#FileMode). */
const goMode = {
  directory: 1 << 31,
  link: 1 << 27,
  device: 1 << 26,
  pipe: 1 << 25,
  characters: 1 << 21,
  socket: 1 << 24,
  setuid: 1 << 23,
  setgid: 1 << 22,
  sticky: 1 << 20,
} as const;

export function entryKind({ mode }: TreeStat): EntryKind {
  if ((mode & goMode.directory) !== 0) return 'folder';
  if ((mode & goMode.link) !== 0) return 'link';
  if ((mode & goMode.socket) !== 0) return 'socket';
  return (mode & (goMode.device | goMode.pipe)) !== 0 ? 'node' : 'file';
}

export function isNamedPipe({ mode }: TreeStat): boolean {
  return (mode & goMode.pipe) !== 0;
}

export function isCharacterDevice({ mode }: TreeStat): boolean {
  return (mode & goMode.characters) !== 0;
}

/** Kinds of files in st_mode (inode(7)). */
export const unixKind = { mask: 0o170000, folder: 0o040000, file: 0o100000, link: 0o120000 } as const;

const goKinds: Readonly<Record<number, number>> = {
  [unixKind.file]: 0,
  [unixKind.folder]: 2 ** 31,
  [unixKind.link]: goMode.link,
  0o010000: goMode.pipe,
  0o020000: goMode.device + goMode.characters,
  0o060000: goMode.device,
};

/** What Go would say of a st_mode; undefined for a socket, which is nothing without who listens. */
export function goModeOf(unix: number): number | undefined {
  const kind = goKinds[unix & unixKind.mask];
  if (kind === undefined) return undefined;
  // Added, not or-ed: the bit of a directory is the sign of a 32-bit integer.
  const permissions = kind + (unix & 0o777);
  if ((unix & 0o7000) === 0) return permissions;
  const bit = (mask: number, go: number): number => ((unix & mask) === 0 ? 0 : go);
  return permissions + bit(0o4000, goMode.setuid) + bit(0o2000, goMode.setgid) + bit(0o1000, goMode.sticky);
}

/** The mode as chmod(2) takes it. */
export function unixMode({ mode }: TreeStat): number {
  const bit = (go: number, unix: number): number => ((mode & go) === 0 ? 0 : unix);
  return (mode & 0o777) | bit(goMode.setuid, 0o4000) | bit(goMode.setgid, 0o2000) | bit(goMode.sticky, 0o1000);
}

/** A relative path without "." and ".."; so that `join` cannot leave the tree. @throws Fault invalid */
export function checkPath(path: string): string {
  const bad =
    /(?:^|\/)\.{0,2}(?:\/|$)/.test(path) ||
    path.includes('\0') ||
    // Three bytes are the most that a UTF-16 unit takes.
    (path.length * 3 > maxNameBytes &&
      (Buffer.byteLength(path) > maxPathBytes ||
        path.split('/').some((name) => Buffer.byteLength(name) > maxNameBytes)));
  if (bad) throw new Fault('invalid', `Cannot receive files: bad path ${JSON.stringify(path.slice(0, 200))}`);
  return path;
}

/** Where a symbolic link leads is its own affair, but it must lead somewhere. @throws Fault invalid */
export function checkLinkTarget({ path, linkName }: TreeStat): string {
  if (linkName === '' || linkName.includes('\0') || Buffer.byteLength(linkName) > maxPathBytes) {
    throw new Fault('invalid', `Cannot receive files: bad target of link ${JSON.stringify(path)}`);
  }
  return linkName;
}
