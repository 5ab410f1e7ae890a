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
 * @throws Fault invalid for a name that is not there
 */
export function resolveOwner(root: string, text: string): Owner {
  const colon = text.indexOf(':');
  const user = colon < 0 ? text : text.slice(0, colon);
  const group = colon < 0 ? '' : text.slice(colon + 1);
  const number = numeric(user);
  const owner = number === undefined ? userNamed(root, user) : { uid: number, gid: number };
  return group === '' ? owner : { uid: owner.uid, gid: numeric(group) ?? groupNamed(root, group) };
}

function numeric(text: string): number | undefined {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  // The last one means "leave it" to chown(2).
  return value < 0xffff_ffff ? value : undefined;
}

function userNamed(root: string, name: string): Owner {
  const [, , uid, gid] = lineOf(readInside(root, '/etc/passwd'), name) ?? [];
  const owner = { uid: numeric(uid ?? ''), gid: numeric(gid ?? '') };
  if (owner.uid === undefined || owner.gid === undefined)
    throw new Fault(
      'invalid',
      `unable to convert uid/gid chown string to host mapping: can't find uid for user ${name}: no such user: ${name}`,
    );
  return { uid: owner.uid, gid: owner.gid };
}

function groupNamed(root: string, name: string): number {
  const gid = numeric(lineOf(readInside(root, '/etc/group'), name)?.[2] ?? '');
  if (gid === undefined)
    throw new Fault(
      'invalid',
      `unable to convert uid/gid chown string to host mapping: can't find gid for group ${name}: no such group: ${name}`,
    );
  return gid;
}

function lineOf(text: string, name: string): string[] | undefined {
  if (name === '') return undefined;
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name);
}

/** The text of a regular file; "" when there is none. */
function readInside(root: string, path: string): string {
  const directory = openSync(root, openFlags.directory);
  let file: number | undefined;
  try {
    file = openInRoot(directory, path, openFlags.read);
    if (!fstatSync(file).isFile()) return '';
    const bytes = Buffer.alloc(fileLimit);
    return bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, 0));
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(errorCode(error) ?? '')) return '';
    throw error;
  } finally {
    if (file !== undefined) closeSync(file);
    closeSync(directory);
  }
}
