/** This machine's own pulls and the cache: they take part in its transfers, and what anybody may have of theirs is offered to others. */
import type { Blob } from '../content/index.ts';
import { type Reference, referenceName } from '../oci/index.ts';
import { BlobChanged, type Credentials, type Registry, type Resolved } from '../registry/index.ts';
import { faultKind, type Logger, messageOf } from '../std/index.ts';
import type { Manifests } from './manifests.ts';
import type { Transfers } from './transfers.ts';

export interface OwnPullsOptions {
  upstreams: ReadonlySet<string>;
  manifests: Manifests;
  transfers: Transfers;
  log: Logger;
}

/** The registry as it is, except for blobs that are on their way here already, and for names that were found without credentials. */
export function throughCache(registry: Registry, options: OwnPullsOptions): Registry {
  const { upstreams, manifests, transfers, log } = options;
  const learn = async (reference: Reference, resolved: Resolved): Promise<void> => {
    try {
      await manifests.learn(reference, resolved);
    } catch (error) {
      log.debug('a pulled manifest is not offered to others', {
        image: referenceName(reference),
        error: messageOf(error),
      });
    }
  };
  return {
    ...registry,
    resolve: async (reference, credentials, signal) => {
      const resolved = await registry.resolve(reference, credentials, signal);
      if (upstreams.has(reference.domain) && isAnonymous(credentials)) await learn(reference, resolved);
      return resolved;
    },
    blob: (reference, blob, fetch, signal) => {
      const { start = 0, mirrors = true } = fetch;
      const alone = (at: number): AsyncIterable<Uint8Array> =>
        registry.blob(reference, blob, { ...fetch, start: at }, signal);
      // Who will have nothing of mirrors was sent wrong bytes before, and wants the registry's own.
      const distrusts = !mirrors && registry.hasMirrors(reference);
      const joined = distrusts ? undefined : transfers.join(blob, start, signal);
      return joined === undefined ? alone(start) : joinedOr(joined, { blob, start, alone }, signal);
    },
  };
}

/** Goes on alone where the transfer of others breaks. @throws BlobChanged when what came of it is not the blob's */
async function* joinedOr(
  joined: AsyncIterable<Uint8Array>,
  { blob, start, alone }: { blob: Blob; start: number; alone: (at: number) => AsyncIterable<Uint8Array> },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  let at = start;
  try {
    for await (const piece of joined) {
      at += piece.length;
      yield piece;
    }
    return;
  } catch (error) {
    signal.throwIfAborted();
    if (at > start && faultKind(error) === 'invalid') throw new BlobChanged(blob.digest);
  }
  yield* alone(at);
}

function isAnonymous(credentials: Credentials | undefined): boolean {
  const { username, password, identitytoken, registrytoken, auth } = credentials ?? {};
  return [username, password, identitytoken, registrytoken, auth].every((each) => each === undefined || each === '');
}
