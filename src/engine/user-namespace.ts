/**
 * Rootless: the daemon is root of a user namespace that has a mount and a network namespace of its own. What it finds mounted is the
 * machine's; this makes of it what the rooms count on.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { cgroupLayout, enterLeaf, mount, mountFlags, unmount } from '../linux/index.ts';
import { errorCode } from '../std/index.ts';

/** What our own mount of sysfs is called, so that the next daemon in the same namespace knows it. */
const ours = 'wherry-sys';

/**
 * Mounts /sys anew: it then tells of our own network namespace, and of no cgroups v1, of which none can be ours (crun refuses a machine
 * with hybrid ones). Once for a namespace. Where the kernel refuses, all goes on with the machine's.
 */
export function furnishUserNamespace(): void {
  if (!isFurnished()) mountAnew();
  enterLeaf();
}

function mountAnew(): void {
  // Of v2 nothing need be hidden: what is not ours refuses us. It is moved onto the new /sys.
  const { version } = cgroupLayout();
  const cgroups = '/sys/fs/cgroup';
  const aside = version === 2 ? mkdtempSync(join(tmpdir(), 'wherry-cgroup-')) : undefined;
  try {
    if (aside !== undefined) mount({ source: cgroups, target: aside, flags: mountFlags.bind | mountFlags.rec });
    try {
      mount({
        source: ours,
        target: '/sys',
        type: 'sysfs',
        flags: mountFlags.nosuid | mountFlags.nodev | mountFlags.noexec,
      });
    } catch (error) {
      // A sandbox that shows only a part of sysfs lets nobody mount it.
      if (errorCode(error) !== 'EPERM') throw error;
      if (aside !== undefined) return;
    }
    if (aside === undefined) hideCgroups(cgroups);
    else mount({ source: aside, target: cgroups, flags: mountFlags.bind | mountFlags.rec });
  } finally {
    if (aside !== undefined) {
      unmount(aside);
      rmdirSync(aside);
    }
  }
}

/**
 * The runtimes look here for the kind of cgroups that there are. crun is content with nothing; runc looks where the machine's hierarchies
 * (v1) are mounted, and takes it that it may not write there, not that they are missing.
 */
function hideCgroups(target: string): void {
  const names = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, point = '', type] = line.split(' ');
      return type === 'cgroup' && dirname(point) === target ? [basename(point)] : [];
    });
  const flags = mountFlags.nosuid | mountFlags.nodev | mountFlags.noexec;
  mount({ source: ours, target, type: 'tmpfs', flags, data: 'mode=755' });
  for (const name of names) mkdirSync(join(target, name), { recursive: true });
  mount({ source: ours, target, flags: flags | mountFlags.remount | mountFlags.rdonly });
}

function isFurnished(): boolean {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .some((line) => line.startsWith(`${ours} `));
}
