/** The distribution protocol: resolve, fetch, push, log in, search. */
export { BlobChanged } from './blob.ts';
export type { Clock } from './clock.ts';
export type { Credentials } from './credentials.ts';
export { isPassing, RegistryFault } from './fault.ts';
export type { Resolved } from './manifest.ts';
export { type BlobOptions, openRegistry, type Registry } from './open.ts';
export { proxiesOf, type ProxySettings } from './proxies.ts';
export type { SearchResult } from './search.ts';
export type { RegistryOptions } from './settings.ts';
export type { TagPage } from './tags.ts';
export type { HttpResponse } from './transport.ts';
export { isUnreachable, TransportFault } from './transport-fault.ts';
export type { AheadUpload } from './upload-ahead.ts';
export type { UploadOutcome } from './upload.ts';
