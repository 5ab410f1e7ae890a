/** One daemon, by nouns. Speaks to any Docker daemon; connections are kept and do not hold the process alive. */
import { buildCalls } from './builds.ts';
import { Caller } from './caller.ts';
import { callsOf } from './calls.ts';
import { containerCalls } from './containers.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import { execCalls } from './execs.ts';
import { imageCalls } from './images.ts';
import { networkCalls } from './networks.ts';
import { systemCalls } from './system.ts';
import { Transport } from './transport.ts';
import { volumeCalls } from './volumes.ts';

export interface ClientOptions {
  endpoint: Endpoint | string;
  /** Pins the API version ("1.41") instead of negotiating it. */
  version?: string | undefined;
  headers?: Record<string, string>;
}

export type Client = ReturnType<typeof createClient>;

export function createClient({ endpoint, version, headers = {} }: ClientOptions) {
  const resolved = typeof endpoint === 'string' ? parseEndpoint(endpoint) : endpoint;
  const transport = new Transport(resolved);
  const caller = new Caller(transport, version, headers);
  return {
    endpoint: resolved,
    caller,
    /** Any call of the endpoint table, by its key. */
    call: callsOf(caller),
    /** A bare connection, for relaying. */
    raw: () => transport.raw(),
    apiVersion: () => caller.version(),
    builds: buildCalls(caller),
    containers: containerCalls(caller),
    execs: execCalls(caller),
    images: imageCalls(caller),
    networks: networkCalls(caller),
    volumes: volumeCalls(caller),
    system: systemCalls(caller),
    close: () => transport.close(),
  };
}
