/** Where a cache is read from: a repository of a registry, or a folder of the client's. Every byte is checked against its digest. */
import type { ClientBlobs } from '../../api/index.ts';
import {
  type Descriptor,
  type Digest,
  Digester,
  digestAlgorithm,
  manifestLimit,
  parseObject,
  type Reference,
  sha256,
  withDigest,
} from '../../oci/index.ts';
import type { Credentials, Registry } from '../../registry/index.ts';
import { collectBytes, Fault } from '../../std/index.ts';

export interface CacheOrigin {
  /** The manifest or index of that digest; undefined: the cache's own. @throws Fault */
  manifest(digest: Digest | undefined, signal: AbortSignal): Promise<{ bytes: Buffer; mediaType: string }>;
  /** @throws Fault invalid where the bytes are not those of the digest, or not as many */
  blob(blob: Descriptor, signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export function registryOrigin(
  registry: Registry,
  reference: Reference,
  credentials: Credentials | undefined,
): CacheOrigin {
  return {
    manifest: async (digest, signal) => {
      const wanted = digest === undefined ? reference : withDigest(reference, digest);
      const { descriptor, bytes } = await registry.resolve(wanted, credentials, signal);
      return { bytes, mediaType: descriptor.mediaType };
    },
    // Not from where its descriptor says: that would have the daemon ask any address.
    blob: ({ digest, size }, signal) =>
      verified(registry.blob(reference, { digest, size }, { credentials }, signal), { digest, size }),
  };
}

export function clientOrigin(store: ClientBlobs, own: Digest): CacheOrigin {
  return {
    manifest: async (digest, signal) => {
      const wanted = digest ?? own;
      const bytes = await collectBytes(store.read(wanted, signal), manifestLimit);
      if (digestAlgorithm(wanted) !== 'sha256' || sha256(bytes) !== wanted) throw notWhat(wanted);
      const { mediaType } = parseObject(bytes, 'manifest');
      return { bytes, mediaType: typeof mediaType === 'string' ? mediaType : '' };
    },
    blob: (blob, signal) => verified(store.read(blob.digest, signal), blob),
  };
}

async function* verified(
  bytes: AsyncIterable<Uint8Array>,
  { digest, size }: { digest: Digest; size: number },
): AsyncGenerator<Uint8Array, void, void> {
  const digester = new Digester(digestAlgorithm(digest));
  let passed = 0;
  for await (const chunk of bytes) {
    passed += chunk.length;
    if (passed > size) throw notWhat(digest);
    digester.update(chunk);
    yield chunk;
  }
  if (passed !== size || digester.digest() !== digest) throw notWhat(digest);
}

function notWhat(digest: Digest): Fault {
  return new Fault('invalid', `the bytes of ${digest} are others than its digest says`);
}
