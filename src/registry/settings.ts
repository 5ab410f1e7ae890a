/** How the client behaves, resolved once into a value with nothing left open. */
import { type Logger, silentLogger } from '../std/index.ts';
import { type Clock, systemClock } from './clock.ts';
import type { HostSettings } from './hosts.ts';
import { proxiesOf, type ProxySettings } from './proxies.ts';

export interface RegistryOptions {
  insecureRegistries?: readonly string[];
  mirrors?: readonly string[];
  /** Sent to mirrors with every request, and to nobody else. */
  mirrorHeaders?: Readonly<Record<string, string>>;
  /** Folders in the layout of /etc/docker/certs.d; client certificates of the first are shown first. */
  certificateFolders?: readonly string[];
  /** Those of `env` when not given. */
  proxies?: ProxySettings;
  /** Proxy variables, SSL_CERT_FILE. */
  env?: NodeJS.ProcessEnv;
  /** Tries in a row that bring a transfer no further before it fails (5). */
  transferAttempts?: number;
  /** Connections to one host at once (16). */
  connectionsPerHost?: number;
  /** A larger blob is pushed in pieces of so many bytes (64 MiB: the proxies of large providers take less than 100 MB at once). */
  pieceBytes?: number;
  connectTimeoutMs?: number;
  /** Longest silence of a registry that owes an answer (60 s). */
  silenceTimeoutMs?: number;
  /** Follow no registry, by a redirect or to its token service, to addresses nearer than its own (false). */
  confined?: boolean;
  clock?: Clock;
  log?: Logger;
}

export interface RegistrySettings extends HostSettings {
  certificateFolders: readonly string[];
  proxies: ProxySettings;
  env: NodeJS.ProcessEnv;
  transferAttempts: number;
  connectionsPerHost: number;
  pieceBytes: number;
  connectTimeoutMs: number;
  silenceTimeoutMs: number;
  confined: boolean;
  clock: Clock;
  log: Logger;
}

export function resolveSettings(options: RegistryOptions): RegistrySettings {
  const env = options.env ?? {};
  return {
    insecureRegistries: options.insecureRegistries ?? [],
    mirrors: options.mirrors ?? [],
    mirrorHeaders: options.mirrorHeaders ?? {},
    certificateFolders: options.certificateFolders ?? [],
    proxies: options.proxies ?? proxiesOf(env),
    env,
    transferAttempts: options.transferAttempts ?? 5,
    connectionsPerHost: options.connectionsPerHost ?? 16,
    pieceBytes: options.pieceBytes ?? 64 << 20,
    connectTimeoutMs: options.connectTimeoutMs ?? 30_000,
    silenceTimeoutMs: options.silenceTimeoutMs ?? 60_000,
    confined: options.confined ?? false,
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLogger,
  };
}
