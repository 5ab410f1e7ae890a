/** What a client lends to a builder for one build, and what it takes from it. */
import type { RegistryAuth } from '../../api/index.ts';
import type { SshKey } from './ssh/private-key.ts';

export interface Loans {
  /** Folders by the names that the builder asks for: "context", "dockerfile", those of --build-context. */
  folders: ReadonlyMap<string, string>;
  secrets: ReadonlyMap<string, SecretSource>;
  agents: ReadonlyMap<string, AgentSource>;
  /** undefined: anonymous. @throws Fault */
  credentials(host: string): Promise<RegistryAuth | undefined>;
  /** What the builder reads at `uploadUrl`, once. */
  upload: AsyncIterable<Uint8Array> | undefined;
  /** Where the n-th exporter's files go. */
  outputs: readonly (OutputTarget | undefined)[];
  /** Folders of blobs, for caches: by `storeName` of the folder as the cache's attribute says it. */
  stores: ReadonlyMap<string, string>;
}

export type SecretSource = { file: string } | { value: string | undefined };

/** An SSH agent's socket, or private keys for an agent of our own. */
export type AgentSource = { socket: string } | { keys: readonly SshKey[] };

/** A file or folder appears whole or stays as it was; a stream takes bytes as they come. */
export type OutputTarget = { file: string } | { folder: string } | { write: (bytes: Uint8Array) => void };
