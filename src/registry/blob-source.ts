/** Where a blob of a repository can be had: from its mirrors, the registry, and last the addresses its descriptor names. */
import type { Digest, Reference } from '../oci/index.ts';
import { faultKind } from '../std/index.ts';
import type { BlobSource } from './blob.ts';
import type { Credentials } from './credentials.ts';
import type { Base } from './hosts.ts';
import type { Sessions } from './sessions.ts';
import type { HttpResponse, Transport } from './transport.ts';

export interface WantedBlob {
  reference: Reference;
  descriptor: { digest: Digest; size: number; urls?: string[] };
  credentials: Credentials | undefined;
  /** Ask mirrors, too. */
  mirrors: boolean;
}

/** Of the addresses in a descriptor so many are tried: whoever wrote it decides whom we call. */
const urlLimit = 4;

export function blobSource(
  { sessions, transport }: { sessions: Sessions; transport: Transport },
  { reference, descriptor, credentials, mirrors }: WantedBlob,
  signal: AbortSignal,
): BlobSource {
  let base: Base | undefined;
  return {
    open: async <T>(headers: Record<string, string>, accept: (response: HttpResponse) => Promise<T>): Promise<T> => {
      try {
        return await sessions.pull(
          reference.domain,
          { credentials, mirrors },
          async (session) => {
            const url = session.url(`/v2/${reference.path}/blobs/${descriptor.digest}`);
            const scope = `repository:${reference.path}:pull`;
            const response = await session.send({ method: 'GET', url, headers, scope, signal });
            const accepted = await accept(response);
            ({ base } = session);
            return accepted;
          },
          signal,
        );
      } catch (error) {
        signal.throwIfAborted();
        if (faultKind(error) !== 'not-found') throw error;
        base = undefined;
        for (const url of foreignUrls(descriptor.urls)) {
          try {
            return await accept(
              await transport.send({ method: 'GET', url, headers, trust: { url, verify: true }, signal }),
            );
          } catch {
            signal.throwIfAborted();
          }
        }
        throw error;
      }
    },
    broke: (error) => {
      if (base !== undefined) sessions.broke(base, error);
    },
  };
}

/** A layer that registries may not distribute (image-spec "Non-Distributable Layers") names where it lies. */
function foreignUrls(urls: string[] | undefined): string[] {
  return (urls ?? []).filter((url) => /^https?:\/\//i.test(url) && URL.canParse(url)).slice(0, urlLimit);
}
