/** Blobs by digest: verified as they land, whole or absent, kept while anyone holds them. */
export type { BlobProblem } from './check.ts';
export type { Content, StoredFile, Unfinished } from './door.ts';
export type { Blob, Hold, Ingest, IngestOptions } from './ingest.ts';
export { LandingFault } from './landing.ts';
export { openContent } from './store.ts';
