/** The pull-through cache, where the settings ask for one; what an earlier one kept is given back where they do not. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Content } from '../content/index.ts';
import { forgetMirror, type Mirror, openMirror } from '../mirror/index.ts';
import { openRegistry, type RegistryOptions } from '../registry/index.ts';
import type { Logger } from '../std/index.ts';
import type { Config } from './config.ts';

/** Must be opened before the first collection of blobs. @throws Fault for a certificate or credentials that cannot be used */
export async function openPullThrough(
  { dataRoot, pullThroughCache: settings }: Config,
  { content, registryOptions, log }: { content: Content; registryOptions: RegistryOptions; log: Logger },
): Promise<Mirror | undefined> {
  const root = join(dataRoot, 'mirror');
  if (settings === undefined) {
    if (existsSync(root)) log.info('the pull-through cache is off: what it kept is given back');
    await forgetMirror(root);
    return undefined;
  }
  return openMirror({
    settings,
    root,
    content,
    // Whoever may ask us must not be led by a registry to what only this machine or its network can reach.
    openRegistry: (mirrorHeaders) => openRegistry({ ...registryOptions, mirrorHeaders, confined: true }),
    log,
  });
}
