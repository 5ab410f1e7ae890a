/**
 * User namespaces with a mapping, and mounts seen through one: mount_setattr(2) with MOUNT_ATTR_IDMAP. What lies on disk keeps its
 * owners; who comes in through the mount has others.
 */
import { closeSync, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../std/index.ts';
import { check, libc, syscallNumber } from './libc.ts';
import { spawnProcess } from './spawn.ts';

/** `size` ids from `container` on are, outside, those from `host` on. */
export interface IdRange {
  container: number;
  host: number;
  size: number;
}

export interface IdMapping {
  uids: readonly IdRange[];
  gids: readonly IdRange[];
}

/** A namespace that lives as long as the process that was made for it, or a mount or descriptor of it. */
export interface UserNamespace extends Disposable {
  /** Of the process inside; also of a new network namespace that belongs to the user namespace, where one was asked for. */
  pid: number;
}

const OPEN_TREE_CLONE = 1;
const AT_RECURSIVE = 0x8000;
const AT_EMPTY_PATH = 0x1000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_IDMAP = 0x10_0000;
const O_CLOEXEC = 0o2000000;
const startMs = 3000;

/** Makes a user namespace of that mapping. @throws Fault unavailable where there are no user namespaces; Node's errors for maps the kernel refuses */
export async function makeUserNamespace(
  mapping: IdMapping,
  options: { network?: boolean } = {},
): Promise<UserNamespace> {
  const own = readlinkSync('/proc/self/ns/user');
  const args = ['--user', ...(options.network === true ? ['--net'] : []), 'sleep', 'infinity'];
  const pid = spawnProcess('/usr/bin/unshare', args, {
    env: { PATH: process.env['PATH'] },
    descriptors: ['null', 'null', 'null'],
  });
  const namespace: UserNamespace = {
    pid,
    [Symbol.dispose]: () => {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It did not come up.
      }
      reap(pid);
    },
  };
  try {
    for (const late = Date.now() + startMs; !isInside(pid, own); await sleep(1)) {
      if (Date.now() > late || isOver(pid)) {
        throw new Fault('unavailable', 'Cannot make a user namespace: see sysctl user.max_user_namespaces');
      }
    }
    writeFileSync(`/proc/${pid}/uid_map`, mapText(mapping.uids));
    writeFileSync(`/proc/${pid}/gid_map`, mapText(mapping.gids));
    return namespace;
  } catch (error) {
    namespace[Symbol.dispose]();
    throw error;
  }
}

/** unshare(1) has both namespaces at once when it has become sleep(1). */
function isInside(pid: number, own: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`) !== own && readlinkSync(`/proc/${pid}/exe`).endsWith('/sleep');
  } catch {
    return false;
  }
}

function isOver(pid: number): boolean {
  return libc('int waitpid(int pid, void *status, int options)')(pid, null, 1) !== 0;
}

function reap(pid: number): void {
  libc('int waitpid(int pid, void *status, int options)')(pid, null, 0);
}

/** As /proc/<pid>/uid_map reads it. */
export function mapText(ranges: readonly IdRange[]): string {
  return ranges.map(({ container, host, size }) => `${container} ${host} ${size}\n`).join('');
}

/** The id outside of what is `id` inside; undefined when the mapping has none. Pure. */
export function hostId(ranges: readonly IdRange[], id: number): number | undefined {
  const range = ranges.find(({ container, size }) => id >= container && id < container + size);
  return range === undefined ? undefined : range.host + (id - range.container);
}

/** Mounts `source` on `target` (both there already, of one kind) as the user namespace at `namespace` sees it. @throws SystemError EINVAL where the file system has no such mounts */
export function mountMapped(options: { source: string; target: string; namespace: string; recursive?: boolean }): void {
  const { source, target, recursive = false } = options;
  const number = (value: number): number => syscallNumber({ x64: value, arm64: value });
  const openTree = libc('long syscall(long number, int folder, const char *path, unsigned int flags)');
  const setAttribute = libc(
    'long syscall(long number, int folder, const char *path, unsigned int flags, const void *attribute, size_t size)',
  );
  const move = libc(
    'long syscall(long number, int from, const char *fromPath, int to, const char *toPath, unsigned int flags)',
  );
  const deep = recursive ? AT_RECURSIVE : 0;
  const namespace = openSync(options.namespace, 'r');
  try {
    const tree = check('open_tree', openTree(number(428), -100, source, OPEN_TREE_CLONE | O_CLOEXEC | deep), source);
    try {
      const attribute = Buffer.alloc(32);
      attribute.writeBigUInt64LE(BigInt(MOUNT_ATTR_IDMAP), 0);
      attribute.writeBigUInt64LE(BigInt(namespace), 24);
      const flags = AT_EMPTY_PATH | deep;
      check('mount_setattr', setAttribute(number(442), tree, '', flags, attribute, attribute.length), source);
      check('move_mount', move(number(429), tree, '', -100, target, MOVE_MOUNT_F_EMPTY_PATH), target);
    } finally {
      closeSync(tree);
    }
  } finally {
    closeSync(namespace);
  }
}

/** The id inside of what is `id` outside; the overflow id (nobody) when the mapping has none. Pure. */
export function insideId(ranges: readonly IdRange[], id: number): number {
  const range = ranges.find(({ host, size }) => id >= host && id < host + size);
  return range === undefined ? OVERFLOW_ID : range.container + (id - range.host);
}

/** /proc/sys/kernel/overflowuid, as good as everywhere. */
const OVERFLOW_ID = 65_534;

/**
 * The same mapping with the outside's root as one id more, which no image uses: the kernel makes an overlay's own files (its work
 * folder, its whiteouts) as the one who mounts it, who must be somebody on its layers, too.
 */
export function withMounter({ uids, gids }: IdMapping): IdMapping {
  const mounter: IdRange = { container: 4_294_967_294, host: 0, size: 1 };
  return { uids: [...uids, mounter], gids: [...gids, mounter] };
}
