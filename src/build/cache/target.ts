/** Where a cache is written to: a repository of a registry, or a folder of the client's. */
import type { ClientBlobs } from '../../api/index.ts';
import { type Digest, type Reference, sha256 } from '../../oci/index.ts';
import type { Credentials, Registry } from '../../registry/index.ts';

export interface CacheBlob {
  digest: Digest;
  size: number;
}

export interface CacheTarget {
  has(blob: CacheBlob, signal: AbortSignal): Promise<boolean>;
  /** `open` gives its bytes from there on. */
  write(blob: CacheBlob, open: (start: number) => AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
  /** The last: what it names is there. */
  finish(manifest: Buffer, mediaType: string, signal: AbortSignal): Promise<void>;
}

export function registryTarget(
  registry: Registry,
  reference: Reference,
  credentials: Credentials | undefined,
): CacheTarget {
  return {
    has: ({ digest }, signal) => registry.hasBlob(reference, digest, credentials, signal),
    write: async ({ digest, size }, open, signal) => {
      await registry.upload(reference, { digest, size, open, mountFrom: [] }, credentials, signal);
    },
    finish: async (manifest, mediaType, signal) => {
      await registry.putManifest(reference, manifest, mediaType, credentials, signal);
    },
  };
}

/** The client itself says in its index that the manifest is the cache's. */
export function clientTarget(store: ClientBlobs): CacheTarget {
  return {
    has: async ({ digest, size }, signal) => (await store.size(digest, signal)) === size,
    write: (blob, open, signal) => store.write(blob, open(0), signal),
    finish: async (manifest, _mediaType, signal) => {
      const blob = { digest: sha256(manifest), size: manifest.length };
      if ((await store.size(blob.digest, signal)) === blob.size) return;
      await store.write(blob, once(manifest), signal);
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
