/** Filesystems made of layers, on overlayfs: unpack a layer, stand a writable snapshot on it, tell what changed. */
export type { ChangedField, FileState, FileType, TreeDifference } from './compare.ts';
export type { Difference } from './compare-layer.ts';
export type { Snapshots, Through } from './door.ts';
export type { LayerHold } from './owners.ts';
export { overlayDriver } from './mount-layers.ts';
export { openSnapshots } from './open.ts';
export type { StackFiles } from './stack-files.ts';
