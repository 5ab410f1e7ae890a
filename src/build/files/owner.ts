/** `--chown` to numbers, with names looked up in the root that is copied to. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { openFlags, openInRoot } from '../../linux/index.ts';
import { errorCode, Fault } from '../../std/index.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** No such file is longer, but a hostile one. */
const fileLimit = 1 << 20;

/**
 * `user[:group]`, each a name or a number. Without a group a name has its own, a number itself.
 * @throws Fault invalid for a name where the root has no names
 */
export function resolveOwner(root: string, text: string): Owner {
  const colon = text.indexOf(':');
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? '' : text.slice(colon + 1);
  const number = numeric(user);
  const owner = number === undefined ? userNamed(root, user) : { uid: number, gid: number };
  return group === '' ? owner : { uid: owner.uid, gid: numeric(group) ?? groupNamed(root, group, owner.gid) };
}

function numeric(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  // The last one means "leave it" to chown(2).
  return value < 0xffff_ffff ? value : undefined;
}

/** As in BuildKit a name that the file has not is root, and a root without the file has no names. */
function userNamed(root: string, name: string): Owner {
  const text = readInside(root, '/etc/passwd');
  if (text === undefined) throw new Fault('invalid', 'invalid user index: -1');
  const [, , uid, gid] = lineOf(text, name) ?? [];
  return { uid: numeric(uid ?? '') ?? 0, gid: numeric(gid ?? '') ?? 0 };
}

function groupNamed(root: string, name: string, otherwise: number): number {
  const text = readInside(root, '/etc/group');
  if (text === undefined) throw new Fault('invalid', 'invalid user index: -1');
  return numeric(lineOf(text, name)?.[2] ?? '') ?? otherwise;
}

function lineOf(text: string, name: string): string[] | undefined {
  if (name === '') return undefined;
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name);
}

/** The text of a regular file; undefined when there is none. */
function readInside(root: string, path: string): string | undefined {
  const directory = openSync(root, openFlags.directory);
  let file: number | undefined;
  try {
    file = openInRoot(directory, path, openFlags.read);
    if (!fstatSync(file).isFile()) return undefined;
    const bytes = Buffer.alloc(fileLimit);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  } finally {
    if (file !== undefined) closeSync(file);
    closeSync(directory);
  }
}
