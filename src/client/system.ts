/** Calls about the daemon as a whole. */
import type { DiskUsage, RegistryAuth, SpaceReport, SystemInfo, SystemVersion, VerifyMessage } from '../api/index.ts';
import type { Caller, FilterValues, QueryValue } from './caller.ts';

/** An event as it comes over the wire. `timeNano` is text: it does not fit a double. */
export interface WireEvent {
  status?: string;
  id?: string;
  from?: string;
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope?: string;
  time: number;
  timeNano: string;
}
export interface LoginResult {
  Status: string;
  IdentityToken?: string;
}

export type SystemCalls = ReturnType<typeof systemCalls>;

export function systemCalls(caller: Caller) {
  return {
    ping: async (signal?: AbortSignal) => (await caller.call('pingHead', { signal })).headers,
    version: () => caller.json<SystemVersion>('version'),
    info: () => caller.json<SystemInfo>('info'),
    diskUsage: (query: Record<string, QueryValue> = {}) =>
      caller.json<DiskUsage & { BuilderSize?: number }>('diskUsage', { query }),
    events: (
      query: { since?: string | undefined; until?: string | undefined },
      filters?: FilterValues,
      signal?: AbortSignal,
    ) => caller.lines<WireEvent>('events', { query, filters, signal }),
    /** Wherry's own; other daemons answer 404. */
    space: () => caller.json<SpaceReport>('space'),
    verify: (options: { quick: boolean; repair: boolean }, signal?: AbortSignal) =>
      caller.lines<VerifyMessage & { error?: string }>(options.repair ? 'verifyRepair' : 'verify', {
        query: { quick: options.quick },
        signal,
      }),
    login: (auth: RegistryAuth) => caller.json<LoginResult>('auth', { json: auth }),
    buildPrune: (query: Record<string, QueryValue>, filters?: FilterValues) =>
      caller.json<{ CachesDeleted: string[] | null; SpaceReclaimed: number }>('buildPrune', { query, filters }),
  };
}
