/** Control groups of all three layouts: v1, v2, and v1 with a v2 tree at /sys/fs/cgroup/unified (hybrid). */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { errorCode, Fault } from '../std/index.ts';
import { privileges } from './privileges.ts';

const ROOT = '/sys/fs/cgroup';
const CGROUP2_MAGIC = 0x63677270;

export interface CgroupLayout {
  version: 1 | 2;
  /** Whether we may make groups at all: rootless, only below what was delegated to us (cgroup v2). */
  usable: boolean;
  /** v2: the group that was delegated to us ("/user.slice/…"); absent where all are ours. */
  delegated?: string;
  hybrid: boolean;
  /** Controllers that limits can use ("memory", "cpu", …). */
  controllers: string[];
  /** v1: controller to the mount point of its hierarchy. v2: empty. */
  mounts: ReadonlyMap<string, string>;
}

export function cgroupLayout(): CgroupLayout {
  if (privileges().inUserNamespace) return layoutOfUser();
  if (statfsSync(ROOT).type === CGROUP2_MAGIC) {
    return {
      version: 2,
      usable: true,
      hybrid: false,
      controllers: readFileSync(join(ROOT, 'cgroup.controllers'), 'utf8').trim().split(' '),
      mounts: new Map(),
    };
  }
  const mounts = new Map<string, string>();
  let hybrid = false;
  for (const line of readFileSync('/proc/self/mounts', 'utf8').split('\n')) {
    const [, target, type, options] = line.split(' ');
    if (type === 'cgroup2' && target === join(ROOT, 'unified')) hybrid = true;
    if (type !== 'cgroup' || target === undefined || options === undefined) continue;
    for (const word of options.split(',')) {
      if (existsSync(join(ROOT, word)) || word.startsWith('name=')) mounts.set(word, target);
    }
  }
  return {
    version: 1,
    usable: true,
    hybrid,
    controllers: [...mounts.keys()].filter((name) => !name.startsWith('name=')),
    mounts,
  };
}

/** Of root of a user namespace: what systemd delegated to the user, or nothing. v1 delegates nothing. */
function layoutOfUser(): CgroupLayout {
  // Whatever of it is still to be seen here, the machine's version is told by its mounts.
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const version = mounts.some((line) => line.split(' ')[1] === ROOT && line.split(' ')[2] === 'cgroup2') ? 2 : 1;
  const none: CgroupLayout = { version, usable: false, hybrid: false, controllers: [], mounts: new Map() };
  if (version === 1) return none;
  const delegated = delegatedGroup();
  if (delegated === undefined) return none;
  const controllers = readIfThere(join(ROOT, delegated, 'cgroup.controllers'))
    .trim()
    .split(' ')
    .filter(Boolean);
  return { version, usable: true, hybrid: false, controllers, mounts: new Map(), delegated };
}

/** The leaf of a delegated group that the daemon lives in: a group with children has no processes of its own. */
const leaf = 'wherryd';

/** Our own group, where we may make others and move processes about in it. */
function delegatedGroup(): string | undefined {
  const own = /^0::(.*)$/m.exec(readIfThere('/proc/self/cgroup'))?.[1];
  if (own === undefined || own === '/' || own.startsWith('/..')) return undefined;
  const group = own.endsWith(`/${leaf}`) ? own.slice(0, -leaf.length - 1) : own;
  try {
    for (const file of ['.', 'cgroup.procs', 'cgroup.subtree_control'])
      accessSync(join(ROOT, group, file), constants.W_OK);
    return group;
  } catch {
    return undefined;
  }
}

/**
 * Moves what runs in the delegated group, ourselves among it, to a leaf of it, and hands its controllers on, as far as the kernel lets us.
 * `cgroupLayout` tells afterwards which limits there are.
 */
export function enterLeaf(): void {
  const { delegated } = cgroupLayout();
  if (delegated === undefined) return;
  const group = join(ROOT, delegated);
  mkdirSync(join(group, leaf), { recursive: true });
  // Another process may be started there meanwhile: it is moved in the next round.
  for (let round = 0; round < 3; round++) {
    const pids = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean);
    for (const pid of pids) writeIfAllowed(join(group, leaf, 'cgroup.procs'), pid);
  }
  for (const controller of words(join(group, 'cgroup.controllers')))
    writeIfAllowed(join(group, 'cgroup.subtree_control'), `+${controller}`);
}

/** A process may be gone, or another's to move; a controller may not be handed on while somebody else stays in the group. */
function writeIfAllowed(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    if (!['ESRCH', 'EACCES', 'EPERM', 'EBUSY', 'ENOENT', 'EOPNOTSUPP'].includes(errorCode(error) ?? '')) throw error;
  }
}

function words(file: string): string[] {
  return readIfThere(file).trim().split(' ').filter(Boolean);
}

/** Every folder of the group at `path` ("/wherry/<id>"), one a hierarchy. */
export function cgroupFolders(layout: CgroupLayout, path: string): string[] {
  if (!layout.usable) return [];
  if (layout.version === 2) return [join(ROOT, path)];
  return [...new Set(layout.mounts.values())].map((mount) => join(mount, path));
}

/** The folder that holds a controller's files. */
export function controllerFolder(layout: CgroupLayout, controller: string, path: string): string | undefined {
  if (!layout.usable) return undefined;
  if (layout.version === 2) return join(ROOT, path);
  const mount = layout.mounts.get(controller);
  return mount === undefined ? undefined : join(mount, path);
}

/** Host pids of every process in the group and below. */
export function cgroupPids(layout: CgroupLayout, path: string): number[] {
  const folder = controllerFolder(layout, layout.controllers.includes('pids') ? 'pids' : 'memory', path);
  if (folder === undefined) return [];
  const pids: number[] = [];
  const walk = (directory: string): void => {
    let names;
    try {
      pids.push(...readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number));
      names = readdirSync(directory, { withFileTypes: true });
    } catch (error) {
      if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENODEV') return;
      throw error;
    }
    for (const entry of names) if (entry.isDirectory()) walk(join(directory, entry.name));
  };
  walk(folder);
  return pids;
}

/** Removes the group and its children in every hierarchy. @returns whether nothing of it is left */
export function removeCgroup(layout: CgroupLayout, path: string): boolean {
  let gone = true;
  for (const folder of cgroupFolders(layout, path)) gone = removeFolder(folder) && gone;
  return gone;
}

/** Removes the group where nothing runs below it; leaves the rest. */
export function removeEmptyCgroup(layout: CgroupLayout, path: string): void {
  for (const folder of cgroupFolders(layout, path)) {
    try {
      rmdirSync(folder);
    } catch {
      // Never made, or in use: containers outlive the daemon.
    }
  }
}

function removeFolder(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return true;
    if (code !== 'EBUSY' && code !== 'ENOTEMPTY') throw error;
  }
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeFolder(join(folder, entry.name));
    }
    rmdirSync(folder);
    return true;
  } catch (error) {
    return errorCode(error) === 'ENOENT';
  }
}

/** A process in the middle of a fork, or in the kernel, freezes a little later. */
const FREEZE_MS = 2000;

/** Freezes every process of the group, or none of them. @throws Fault internal when they do not freeze; the file system's error when the group is gone */
export async function freeze(layout: CgroupLayout, path: string): Promise<void> {
  try {
    for (const late = Date.now() + FREEZE_MS; ; ) {
      writeFileSync(freezerFile(layout, path), layout.version === 2 ? '1' : 'FROZEN');
      for (let look = 0; look < 10; look++) {
        if (isFrozen(layout, path)) return;
        await sleep(look);
      }
      if (Date.now() > late) throw new Fault('internal', 'unable to freeze: some processes do not stop');
      // cgroup v1 may stay FREEZING for ever when a process forks meanwhile: it is let go and caught again.
      if (layout.version === 1) thaw(layout, path);
    }
  } catch (error) {
    thaw(layout, path);
    throw error;
  }
}

/** Lets the processes of the group go on. Nothing to do when the group is gone. */
export function thaw(layout: CgroupLayout, path: string): void {
  if (!layout.usable) return;
  try {
    writeFileSync(freezerFile(layout, path), layout.version === 2 ? '0' : 'THAWED');
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOENT' && code !== 'ENODEV') throw error;
  }
}

/** Whether all processes of the group are frozen. */
export function isFrozen(layout: CgroupLayout, path: string): boolean {
  const folder = controllerFolder(layout, 'freezer', path);
  if (folder === undefined) return false;
  if (layout.version === 2) return readKeyed(join(folder, 'cgroup.events'))['frozen'] === 1;
  return readIfThere(join(folder, 'freezer.state')).trim() === 'FROZEN';
}

/** @throws Fault not-implemented where the kernel has no freezer */
function freezerFile(layout: CgroupLayout, path: string): string {
  const folder = controllerFolder(layout, 'freezer', path);
  if (!layout.usable)
    throw new Fault(
      'not-implemented',
      'this rootless daemon has no cgroups, which pause processes: see wherry system doctor',
    );
  if (folder === undefined) {
    throw new Fault('not-implemented', 'the freezer controller is not mounted: containers cannot be paused here');
  }
  return join(folder, layout.version === 2 ? 'cgroup.freeze' : 'freezer.state');
}

/** "key value" lines as an object. */
export function readKeyed(file: string): Record<string, number> {
  const text = readIfThere(file);
  const values: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const space = line.lastIndexOf(' ');
    if (space > 0) values[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return values;
}

/** A file with one number; "max" is undefined, and so is a file that is not there. */
export function readNumber(file: string): number | undefined {
  const text = readIfThere(file).trim();
  if (text === '' || text === 'max') return undefined;
  return Number(text);
}

export function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENODEV' || code === 'EOPNOTSUPP') return '';
    throw error;
  }
}

let warming: Promise<void> | undefined;

/**
 * Moving a process between groups waits for an RCU grace period (about ten milliseconds) unless another move has just been. This
 * does a move that changes nothing, on a thread of the pool, so that the runtime's own a few milliseconds later need not wait.
 */
export function warmCgroups(layout: CgroupLayout): void {
  if (warming !== undefined || !layout.usable) return;
  const file = ownProcsFile(layout);
  if (file === undefined) return;
  warming = writeFile(file, String(process.pid), { flag: 'r+' })
    .catch(() => {})
    .finally(() => {
      warming = undefined;
    });
}

let ownFile: string | undefined;

function ownProcsFile(layout: CgroupLayout): string | undefined {
  if (ownFile !== undefined) return ownFile;
  for (const line of readIfThere('/proc/self/cgroup').split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    const [, controllers = '', path = ''] = match;
    if (layout.version === 2 ? controllers === '' : controllers === 'pids') {
      ownFile = join(controllerFolder(layout, 'pids', path) ?? ROOT, 'cgroup.procs');
      return ownFile;
    }
  }
  return undefined;
}
