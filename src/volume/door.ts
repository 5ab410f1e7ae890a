/** What the container room and the engine may ask of volumes. */
import type { Filters, Problem, PruneReport, Volume, VolumeCreateBody } from '../api/index.ts';

export interface VolumeEvent {
  action: 'create' | 'mount' | 'unmount' | 'destroy' | 'rename' | 'prune';
  id: string;
  attributes: Record<string, string>;
}

export interface Volumes {
  list(filters: Filters): Promise<{ Volumes: Volume[]; Warnings: string[] | null }>;
  /** @throws Fault not-found `get n: no such volume` */
  inspect(name: string): Promise<Volume>;
  exists(name: string): boolean;
  /** Idempotent by name; "" makes a 64-hex anonymous one. @throws Fault invalid, conflict (same name, other driver or options) */
  create(body: VolumeCreateBody, options?: { anonymous?: boolean }): Promise<Volume>;
  isAnonymous(name: string): boolean;
  /** Moves to the trash. @throws Fault not-found (unless force), conflict `remove v: volume is in use - [id]` */
  remove(name: string, options: { force: boolean }): Promise<void>;
  /** @throws Fault conflict when `to` exists or a container uses it */
  rename(name: string, to: string): Promise<Volume>;
  prune(filters: Filters, options: { anonymousOnly: boolean }): Promise<PruneReport>;
  /**
   * The folder to mount for a container, its device mounted first where the options say so (nfs, tmpfs, bind). Counted per
   * container. `attributes` (destination, propagation, read/write) go into the event.
   */
  mount(name: string, containerId: string, attributes?: Record<string, string>): Promise<string>;
  unmount(name: string, containerId: string): Promise<void>;
  /**
   * Copies `source` (a folder in an image's root, already resolved safely) into the volume if it is empty, with owner, mode,
   * times, xattrs and links, and takes over the folder's own owner and mode. All or nothing: a crash leaves it empty.
   */
  populate(name: string, source: string): Promise<void>;
  /** Resolves `subpath` inside the volume without leaving it. @throws Fault invalid when it does not exist */
  subpath(name: string, subpath: string): Promise<string>;
  /** Bytes on disk. */
  usage(name: string): Promise<number>;
  /** What the trash holds, newest first. */
  trash(): Promise<{ name: string; removedAt: string; path: string; size: number }[]>;
  restoreFromTrash(name: string): Promise<Volume>;
  /** What is wrong with the folders of volumes and of the trash. */
  check(): AsyncIterable<Problem>;
  close(): Promise<void>;
}

export interface VolumesOptions {
  root: string;
  /** Containers (running or not) that use the volume. */
  uses: (name: string) => string[];
  /** How long removed volumes stay in the trash; 0 removes at once. */
  trashMs: number;
  emit: (event: VolumeEvent) => void;
}
