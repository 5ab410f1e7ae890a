/**
 * Network namespaces kept as bind-mounted files. setns(2) is per thread: every switch here is undone in the same synchronous
 * block, so no other work of the process ever runs inside. Main thread only.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '../std/index.ts';
import { check, libc } from './libc.ts';
import { mount, mountFlags, unmount } from './mount.ts';

const CLONE_NEWNET = 0x40000000;
const OWN = '/proc/thread-self/ns/net';

/** Makes a namespace, runs `inside` in it, and keeps it as a mount on `path` (a new file). @throws SystemError, or what `inside` throws */
export function createNetworkNamespace<T>(path: string, inside: () => T): T {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const home = openSync(OWN, 'r');
  try {
    writeFileSync(path, '', { flag: 'wx', mode: 0o444 });
    check('unshare', libc('int unshare(int flags)')(CLONE_NEWNET), 'network namespace');
    try {
      const result = inside();
      mount({ source: OWN, target: path, flags: mountFlags.bind });
      return result;
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      enter(home);
    }
  } finally {
    closeSync(home);
  }
}

/** Keeps the namespace of a living process as a mount on `path`. @throws SystemError */
export function adoptNetworkNamespace(path: string, pid: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  writeFileSync(path, '', { mode: 0o444 });
  mount({ source: `/proc/${pid}/ns/net`, target: path, flags: mountFlags.bind });
}

/** Runs a synchronous function inside the namespace at `path`. */
export function runInNetworkNamespace<T>(path: string, inside: () => T): T {
  const home = openSync(OWN, 'r');
  try {
    const target = openSync(path, 'r');
    try {
      check('setns', libc('int setns(int fd, int type)')(target, CLONE_NEWNET), path);
    } finally {
      closeSync(target);
    }
    try {
      return inside();
    } finally {
      enter(home);
    }
  } finally {
    closeSync(home);
  }
}

/** Lets go of the namespace: the kernel takes it down, with its links, once nothing else holds it. Idempotent. */
export function removeNetworkNamespace(path: string): void {
  unmount(path);
  rmSync(path, { force: true });
}

/** Writes a sysctl ("net.ipv4.ip_forward", or with slashes where a link's name has dots) in the current namespace. @throws Node's errors */
export function writeSysctl(name: string, value: string): void {
  writeFileSync(sysctlPath(name), value);
}

export function sysctlPath(name: string): string {
  return `/proc/sys/${name.includes('/') ? name : name.replaceAll('.', '/')}`;
}

function enter(home: number): void {
  if (libc('int setns(int fd, int type)')(home, CLONE_NEWNET) === 0) return;
  // To go on would serve every later request from inside a container.
  throw new Fault('internal', 'Cannot return to the host network namespace');
}
