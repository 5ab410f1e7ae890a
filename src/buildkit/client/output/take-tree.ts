/**
 * A tree that a builder made (`--output type=local`): received whole into a folder beside, then moved into place, entry by entry where there was
 * something before. What is in the way gives way; other files stay. Nothing of the user's is walked through if it is a link.
 */
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode, Fault, messageOf } from '../../../std/index.ts';
import { type PacketCall, receiveTree, TreeIndex, type TreeVerbs } from '../../session/receive-tree.ts';
import { isCharacterDevice, isNamedPipe } from '../../session/tree-stat.ts';
import type { Landings } from './landing.ts';

/** @throws Fault */
export async function takeTree(call: PacketCall, folder: string, landings: Landings): Promise<void> {
  const target = orFault(folder, () => targetOf(folder));
  const staging = orFault(folder, () => stagingFor(target));
  landings.add({
    land: () => orFault(folder, () => land(staging, target)),
    discard: () => rmSync(staging, { recursive: true, force: true }),
  });
  await receiveTree(call, { folder: staging, index: new TreeIndex(), verbs });
}

function orFault<T>(folder: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Fault('invalid', `Cannot write ${folder}: ${messageOf(error)}`, { cause: error });
  }
}

/** The user may name a link to a folder. */
function targetOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    const parent = dirname(folder);
    mkdirSync(parent, { recursive: true });
    return join(realpathSync(parent), basename(folder));
  }
}

function stagingFor(target: string): string {
  const name = `.${basename(target)}.partial-`;
  const existing = lstatSync(target, { throwIfNoEntry: false });
  try {
    return mkdtempSync(join(dirname(target), name));
  } catch (error) {
    // A mount point, or a folder whose parent is not ours.
    if (existing === undefined) throw error;
    return mkdtempSync(join(target, '.partial-'));
  }
}

function land(staging: string, target: string): void {
  const existing = lstatSync(target, { throwIfNoEntry: false });
  if (existing === undefined) {
    chmodSync(staging, 0o777 & ~process.umask());
    renameSync(staging, target);
  } else merge(staging, target);
}

/** Moves what is in a folder into another on the same file system. */
function merge(from: string, to: string): void {
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    const existing = lstatSync(target, { throwIfNoEntry: false });
    if (entry.isDirectory() && existing?.isDirectory() === true) {
      const stats = lstatSync(source);
      merge(source, target);
      settle(target, stats);
      continue;
    }
    if (existing?.isDirectory() === true || (entry.isDirectory() && existing !== undefined)) {
      rmSync(target, { recursive: true, force: true });
    }
    renameSync(source, target);
  }
}

function settle(folder: string, { mode, atimeMs, mtimeMs }: Stats): void {
  chmodSync(folder, mode & 0o7777);
  lutimesSync(folder, atimeMs / 1000, mtimeMs / 1000);
}

const verbs: TreeVerbs = {
  setModified(path, nanoseconds) {
    const seconds = Number(nanoseconds) / 1e9;
    lutimesSync(path, seconds, seconds);
  },
  // Only root may set most of them, and files taken out belong to who takes them.
  setXattrs() {},
  makeNode(path, stat) {
    const device = [isCharacterDevice(stat) ? 'c' : 'b', String(stat.deviceMajor), String(stat.deviceMinor)];
    const kind = isNamedPipe(stat) ? ['p'] : device;
    // Few builds leave devices, and few clients need to load what runs programs.
    const { spawnSync } = process.getBuiltinModule('node:child_process');
    const { status, stderr } = spawnSync('mknod', ['--', path, ...kind], { encoding: 'utf8' });
    if (status !== 0) throw new Fault('forbidden', `Cannot make device ${path}: ${stderr.trim()}`);
  },
  unpackArchive() {
    return Promise.reject(new Fault('not-implemented', 'Cannot unpack an archive here'));
  },
};
