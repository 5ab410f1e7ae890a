/** Names for content: pull, push, tag, load, save, import, commit, remove. */
export { applyChanges } from './apply-changes.ts';
export { decompress } from './decompress.ts';
export type { BuildBase, Image, ImageEvent, ImageHolding, ImageStore, ImageStoreOptions, ImageUse } from './door.ts';
export { openImages } from './open.ts';
export { progressStream } from './progress.ts';
