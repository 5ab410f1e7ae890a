/** Pulls an image with the user's credentials, showing progress. */
import type { Output } from '../output/stream.ts';
import { showProgress } from '../output/progress.ts';
import type { Session } from '../session.ts';
import { authHeaderFor } from './credentials.ts';
import { familiarRepository, parseImageName, registryOf } from './reference.ts';

export interface PullOptions {
  platform?: string;
  quiet?: boolean;
  all?: boolean;
  /** Where progress goes. */
  out: Output;
}

/** @throws Fault with the registry's or the daemon's refusal. */
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
    },
    auth,
  );
  await showProgress(lines, options.quiet === true ? undefined : options.out);
}
