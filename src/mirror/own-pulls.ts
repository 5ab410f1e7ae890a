/** This machine's own pulls and the cache: they take part in its transfers, and what anybody may have of theirs is offered to others. */
import { type Reference, referenceName } from '../oci/index.ts';
import type { Credentials, Registry, Resolved } from '../registry/index.ts';
import { type Logger, messageOf } from '../std/index.ts';
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
      // Who wants the registry's own bytes was sent wrong ones before.
      const joined = mirrors ? transfers.join(blob, start, signal) : undefined;
      if (joined === undefined) return registry.blob(reference, blob, fetch, signal);
      return joinedOr(joined, start, signal, (at) => registry.blob(reference, blob, { ...fetch, start: at }, signal));
    },
  };
}

/** Goes on by itself where the transfer of others breaks. */
async function* joinedOr(
  joined: AsyncIterable<Uint8Array>,
  start: number,
  signal: AbortSignal,
  alone: (at: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let at = start;
  try {
    for await (const piece of joined) {
      at += piece.length;
      yield piece;
    }
    return;
  } catch {
    signal.throwIfAborted();
  }
  yield* alone(at);
}

function isAnonymous(credentials: Credentials | undefined): boolean {
  const { username, password, identitytoken, registrytoken, auth } = credentials ?? {};
  return [username, password, identitytoken, registrytoken, auth].every((each) => each === undefined || each === '');
}
