/** Blobs by digest: verified as they land, whole or absent, kept while anyone holds them. */
export { type Blob, type Content, type Hold, type Ingest, type IngestOptions, openContent } from './store.ts';
