/** Blobs by digest: verified as they land, whole or absent, kept while anyone holds them. */
export type { Blob, Hold, Ingest, IngestOptions } from './ingest.ts';
export { type Content, openContent } from './store.ts';
