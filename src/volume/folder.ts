/**
 * A volume on disk: `volumes/<name>/` with `volume.json` and `_data`. The folder's name is the volume's name, so that making,
 * renaming and removing a volume is one rename(2): a crash leaves it before or after.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Volume } from '../api/index.ts';
import {
  ensureDirectory,
  Fault,
  readFileIfExists,
  sweepHalfWritten,
  syncDirectory,
  writeFileAtomic,
} from '../std/index.ts';
import { mountsAt } from './mount-table.ts';

export interface VolumeRecord {
  /** RFC 3339. */
  createdAt: string;
  labels: Record<string, string> | null;
  options: Record<string, string> | null;
  /** Containers for which a device is mounted; of no meaning when nothing is mounted. */
  mountedFor: string[];
}

export const DATA = '_data';
export const RECORD = 'volume.json';

export async function makeFolder(volumes: string, name: string, record: VolumeRecord): Promise<void> {
  const fresh = join(volumes, `.new-${randomBytes(6).toString('hex')}`);
  try {
    await mkdir(join(fresh, DATA), { recursive: true, mode: 0o755 });
    await writeRecord(fresh, record);
    await rename(fresh, join(volumes, name));
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(volumes);
}

export function writeRecord(folder: string, record: VolumeRecord, options?: { durable?: boolean }): Promise<void> {
  return writeFileAtomic(join(folder, RECORD), JSON.stringify(record), options);
}

/** Every volume there is; what a crash left half made is removed. A folder without a record (another engine's) is adopted. */
export async function readFolders(volumes: string): Promise<Map<string, VolumeRecord>> {
  await ensureDirectory(volumes, 0o701);
  const found = new Map<string, VolumeRecord>();
  for (const entry of await readdir(volumes, { withFileTypes: true })) {
    const folder = join(volumes, entry.name);
    if (entry.name.startsWith('.new-')) await rm(folder, { recursive: true, force: true });
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    await sweepHalfWritten(join(folder, RECORD));
    const record = await readRecord(folder);
    // A mount does not outlive the machine; who it was for means nothing then.
    if (record.mountedFor.length > 0 && mountsAt(join(folder, DATA)).length === 0) record.mountedFor = [];
    found.set(entry.name, record);
  }
  return found;
}

export async function readRecord(folder: string): Promise<VolumeRecord> {
  const bytes = await readFileIfExists(join(folder, RECORD));
  if (bytes !== undefined) {
    try {
      return JSON.parse(bytes.toString()) as VolumeRecord;
    } catch {
      // Power failed in a first write: the data is what counts.
    }
  }
  const { birthtime } = await stat(folder);
  return { createdAt: `${birthtime.toISOString().slice(0, 19)}Z`, labels: null, options: null, mountedFor: [] };
}

/** Deletes a folder of ours. Never through a mount: what is mounted there is somebody's data. @throws Fault conflict */
export async function deleteFolder(folder: string): Promise<void> {
  const mounted = mountsAt(folder);
  if (mounted.length > 0) {
    throw new Fault('conflict', `Cannot delete ${folder}: ${mounted.join(', ')} is still mounted; unmount it first`);
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

export function showVolume(volumes: string, name: string, record: VolumeRecord): Volume {
  return {
    CreatedAt: record.createdAt,
    Driver: 'local',
    Labels: record.labels,
    Mountpoint: join(volumes, name, DATA),
    Name: name,
    Options: record.options,
    Scope: 'local',
  };
}
