/** The distribution protocol: resolve, fetch, push, log in, search. */
export type { Credentials } from './credentials.ts';
export { RegistryFault } from './fault.ts';
export type { RegistrySettings } from './hosts.ts';
export { openRegistry, type Registry, type Resolved } from './open.ts';
export type { SearchResult } from './search.ts';
