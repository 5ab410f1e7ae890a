/** What steps left that a daemon did not see end. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { unmount } from '../linux/index.ts';
import { errorCode } from '../std/index.ts';
import { type StepContext, stepDirectory } from './step.ts';

/** Ends what still runs of them, and clears the rest; call before the first step. Their sandboxes go when networks are restored. */
export async function clearSteps(context: Pick<StepContext, 'settings' | 'runtime'>): Promise<void> {
  for (const id of names(stepDirectory(context, ''))) {
    const bundle = stepDirectory(context, id);
    const cgroup = cgroupOf(bundle, context.settings.cgroups.usable);
    if (cgroup !== undefined) await context.runtime('').delete(id, cgroup);
    for (const index of names(join(bundle, 'mounts'))) unmount(join(bundle, 'mounts', index));
    unmount(join(bundle, 'mounts'));
    rmSync(bundle, { recursive: true, force: true });
  }
}

/** undefined: it died before it had a configuration, and nothing ran. "": there are no cgroups. */
function cgroupOf(bundle: string, usable: boolean): string | undefined {
  try {
    const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as { linux: { cgroupsPath?: string } };
    return usable ? spec.linux.cgroupsPath : '';
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
