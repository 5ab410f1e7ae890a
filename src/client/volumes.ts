/** The volume calls. */
import type { Volume, VolumeCreateBody } from '../api/index.ts';
import type { Caller, FilterValues } from './caller.ts';

export interface VolumesPruned {
  VolumesDeleted: string[] | null;
  SpaceReclaimed: number;
}

export type VolumeCalls = ReturnType<typeof volumeCalls>;

export function volumeCalls(caller: Caller) {
  return {
    list: (filters?: FilterValues) =>
      caller.json<{ Volumes: Volume[] | null; Warnings: string[] | null }>('volumeList', { filters }),
    create: (body: VolumeCreateBody) => caller.json<Volume>('volumeCreate', { json: body }),
    inspect: (name: string) => caller.json<Volume>('volumeInspect', { name }),
    inspectText: (name: string) => caller.text('volumeInspect', { name }),
    remove: (name: string, force: boolean) => caller.done('volumeRemove', { name, query: { force } }),
    /** Wherry's own; other daemons answer 404. */
    rename: (name: string, to: string) => caller.done('volumeRename', { name, query: { name: to } }),
    trash: () => caller.json<{ Name: string; RemovedAt: string; Size: number }[]>('volumeTrash', {}),
    restore: (name: string) => caller.done('volumeRestore', { name }),
    prune: (filters?: FilterValues) => caller.json<VolumesPruned>('volumePrune', { filters }),
  };
}
