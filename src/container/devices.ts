/** Host devices that a container gets: named ones, folders of them, or (privileged) all. */
import { readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { HostConfig } from '../api/index.ts';
import { errorCode, Fault } from '../std/index.ts';
import type { SpecDevice } from './spec.ts';

/** Folders of /dev that a container has its own of. */
const own = new Set([
  '/dev/pts',
  '/dev/shm',
  '/dev/mqueue',
  '/dev/fd',
  '/dev/.lxc',
  '/dev/.lxd-mounts',
  '/dev/.udev',
  '/dev/console',
  '/dev/ptmx',
]);

/** @throws Fault invalid when a device is missing */
export function containerDevices(host: HostConfig): SpecDevice[] {
  const devices = new Map<string, SpecDevice>();
  if (host.Privileged) {
    walk('/dev', '/dev', 'rwm', devices);
    return [...devices.values()];
  }
  for (const mapping of host.Devices ?? []) {
    const access = mapping.CgroupPermissions || 'rwm';
    if (!/^[rwm]{1,3}$/.test(access)) throw new Fault('invalid', `invalid device mode: ${access}`);
    const target = mapping.PathInContainer || mapping.PathOnHost;
    let stat;
    try {
      stat = statSync(mapping.PathOnHost);
    } catch (error) {
      throw new Fault(
        'invalid',
        `error gathering device information while adding custom device "${mapping.PathOnHost}": no such file or directory`,
        { cause: error },
      );
    }
    if (stat.isDirectory()) walk(mapping.PathOnHost, target, access, devices);
    else if (stat.isCharacterDevice() || stat.isBlockDevice())
      devices.set(target, device(stat, mapping.PathOnHost, target, access));
    else
      throw new Fault(
        'invalid',
        `error gathering device information while adding custom device "${mapping.PathOnHost}": not a device node`,
      );
  }
  return [...devices.values()];
}

function walk(folder: string, target: string, access: string, devices: Map<string, SpecDevice>): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    const inside = join(target, entry.name);
    if (own.has(path)) continue;
    if (entry.isDirectory()) {
      walk(path, inside, access, devices);
      continue;
    }
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) continue;
    try {
      devices.set(inside, device(statSync(path), path, inside, access));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  }
}

/** A block device's numbers. @throws Fault invalid */
export function blockDevice(path: string): { major: number; minor: number } {
  try {
    const stat = statSync(path);
    if (stat.isBlockDevice()) return deviceNumbers(stat.rdev);
  } catch (error) {
    throw new Fault('invalid', `Cannot limit ${path}: no such device`, { cause: error });
  }
  throw new Fault('invalid', `Cannot limit ${path}: not a block device`);
}

/** glibc's makedev layout, which st_rdev has. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const value = BigInt(rdev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & ~0xfffn);
  const minor = (value & 0xffn) | ((value >> 12n) & ~0xffn);
  return { major: Number(major & 0xffffffffn), minor: Number(minor & 0xffffffffn) };
}

function device(stat: Stats, source: string, path: string, access: string): SpecDevice {
  return {
    path,
    source,
    type: stat.isBlockDevice() ? 'b' : 'c',
    ...deviceNumbers(stat.rdev),
    fileMode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    access,
  };
}
