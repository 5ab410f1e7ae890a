/** The configuration of a built image: what the plan says, with the layers and times that solving found. Pure. */
import type { ImageConfig } from '../../oci/index.ts';
import type { PlannedImage } from '../plan/image-fold.ts';
import type { StepId } from '../plan/step.ts';
import type { BuiltRoot } from './root.ts';

/**
 * As old as its youngest layer, so that a build that does nothing anew makes the same image; `now` where no step made any. An instruction
 * without a layer has the time of the layer before it.
 */
export function builtConfig(
  image: PlannedImage,
  root: BuiltRoot,
  roots: ReadonlyMap<StepId, BuiltRoot>,
  now: string,
): ImageConfig {
  const times = image.history.flatMap(({ step }) => (step === undefined ? [] : (roots.get(step)?.createdAt ?? [])));
  const created = latest(times) ?? now;
  let last: string | undefined;
  const history = image.history.map(({ entry, step }) => {
    last = (step === undefined ? undefined : roots.get(step)?.createdAt) ?? entry.created ?? last;
    return { created: last ?? created, ...entry };
  });
  return {
    architecture: image.architecture,
    ...(image.variant === undefined ? {} : { variant: image.variant }),
    os: image.os,
    created,
    ...(image.author === undefined ? {} : { author: image.author }),
    config: image.config as Record<string, unknown>,
    rootfs: { type: 'layers', diff_ids: [...root.diffIds] },
    history,
  };
}

/** Of times as `formatNanos` writes them, whose fractions differ in length. */
function latest(times: readonly string[]): string | undefined {
  return times.toSorted((a, b) => Date.parse(a) - Date.parse(b) || (a < b ? -1 : 1)).at(-1);
}
