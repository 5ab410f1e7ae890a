/** Pulls an image with the user's credentials, showing progress. */
import { Fault, humanDuration } from '../../std/index.ts';
import { AdvisedFault } from '../advised-fault.ts';
import type { Output } from '../output/stream.ts';
import { showProgress } from '../output/progress.ts';
import type { Session } from '../session.ts';
import { authHeaderFor, familiarRepository, parseImageName, registryOf, withTag } from '../../context/index.ts';

export interface PullOptions {
  platform?: string;
  quiet?: boolean;
  all?: boolean;
  /** Make it here if the registry cannot be reached (Wherry only). */
  bootstrap?: boolean;
  /** Where progress goes. */
  out: Output;
  /** How the image that is here can be used when the pull fails (`use it with 'wherry run IMAGE'`). */
  otherwise?: string;
}

/** Reproducible builds date from 1970 or 1980, which tells a person nothing. */
const longestAgeMs = 20 * 365 * 24 * 3600 * 1000;

/** @throws Fault with the registry's or the daemon's refusal, and what is here all the same */
export async function pullImage(session: Session, image: string, options: PullOptions): Promise<void> {
  const client = await session.client();
  const name = parseImageName(image);
  const auth = await authHeaderFor(session, registryOf(name));
  const tag = options.all === true ? undefined : (name.digest ?? name.tag ?? 'latest');
  const platform = options.platform === '' ? undefined : options.platform;
  const lines = client.images.pull(
    {
      fromImage: familiarRepository(name),
      ...(tag === undefined ? {} : { tag }),
      ...(platform === undefined ? {} : { platform }),
      ...(options.bootstrap === true ? { bootstrap: true } : {}),
    },
    auth,
  );
  try {
    await showProgress(lines, options.quiet === true ? undefined : options.out);
  } catch (error) {
    if (options.all === true || platform !== undefined) throw error;
    throw await withWhatIsHere(session, image, error, options.otherwise);
  }
}

/** A registry that cannot be reached, or refuses, takes nothing away from what was fetched before. */
async function withWhatIsHere(
  session: Session,
  image: string,
  error: unknown,
  otherwise: string | undefined,
): Promise<unknown> {
  if (!(error instanceof Fault)) return error;
  const client = await session.client();
  const here = await client.images.inspect(image).catch(() => undefined);
  if (here === undefined) return error;
  const name = withTag(image);
  const age = session.now() - Date.parse(here.Created ?? '');
  const made = age > 0 && age < longestAgeMs ? `, made ${humanDuration(age).toLowerCase()} ago,` : '';
  return new AdvisedFault(
    error,
    `The image ${name}${made} is still here: ${otherwise ?? `use it with 'wherry run ${name}'`}.`,
  );
}
