/** What every part of the SDK works with: the client, the user's configuration, and where the daemon's published ports are. */
import type { Client } from '../client/index.ts';
import type { Configured } from '../context/index.ts';

export interface Daemon {
  readonly client: Client;
  readonly user: Configured;
  /** The host that published ports are reached at. */
  readonly host: string;
  /** Whether it runs on this machine, as far as its address tells. */
  readonly isLocal: boolean;
}

export function daemonOf(client: Client, user: Configured): Daemon {
  const { endpoint } = client;
  const host = endpoint.kind === 'unix' ? '127.0.0.1' : endpoint.host;
  const isLocal = endpoint.kind === 'unix' || host === 'localhost' || host === '::1' || host.startsWith('127.');
  return { client, user, host: isLocal ? '127.0.0.1' : host, isLocal };
}
