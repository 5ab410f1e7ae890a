/** Pulls with the user's credentials, as the command line does. */
import type { RegistryAuth } from '../api/index.ts';
import { encodeAuth, authHeaderFor, familiarRepository, parseImageName, registryOf } from '../context/index.ts';
import type { Daemon } from './daemon.ts';
import { type TransferStep, transferSteps } from './progress.ts';

export interface PullOptions {
  platform?: string;
  /** Instead of what the user's `config.json` has for the registry. */
  auth?: RegistryAuth;
  signal?: AbortSignal;
}

export type PullStep = TransferStep;

/** @returns the id of the image. @throws Fault in the words of the registry or the daemon */
export async function* pull(
  { client, user }: Daemon,
  image: string,
  { platform, auth, signal }: PullOptions,
): AsyncGenerator<PullStep, string, void> {
  const name = parseImageName(image);
  const header = auth === undefined ? await authHeaderFor(user, registryOf(name)) : encodeAuth(auth);
  const query = { fromImage: familiarRepository(name), tag: name.digest ?? name.tag ?? 'latest', platform };
  try {
    yield* transferSteps(client.images.pull(query, header, signal));
  } catch (error) {
    // Not what the cut connection says.
    signal?.throwIfAborted();
    throw error;
  }
  return (await client.images.inspect(image)).Id;
}

/** @throws Fault in the words of the registry or the daemon */
export async function* push(
  { client, user }: Daemon,
  image: string,
  { platform, auth, signal }: PullOptions,
): AsyncGenerator<TransferStep, void, void> {
  const name = parseImageName(image);
  const header = auth === undefined ? await authHeaderFor(user, registryOf(name)) : encodeAuth(auth);
  const query = { tag: name.tag ?? 'latest', platform };
  try {
    yield* transferSteps(client.images.push(familiarRepository(name), query, header, signal));
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
