/** The configuration of a built image: what the plan says, with the layers and times that solving found. Pure. */
import type { ImageConfig } from '../../oci/index.ts';
import type { PlannedImage } from '../plan/image-fold.ts';
import type { StepId } from '../plan/step.ts';
import type { BuiltRoot } from './root.ts';

/**
 * Times as BuildKit gives them (exporter/containerimage, normalizeLayersAndHistory): a layer's is when its step ended, which a rebuild from
 * the cache leaves as it is; the instructions before the first new layer have that one's time, others that of the layer before them; the
 * image is as old as its last instruction. What stands on nothing and has no layer has no time.
 */
export function builtConfig(image: PlannedImage, root: BuiltRoot, roots: ReadonlyMap<StepId, BuiltRoot>): ImageConfig {
  const known = image.history.map(({ entry, step }) =>
    step === undefined ? entry.created : (entry.created ?? roots.get(step)?.createdAt),
  );
  const times = filledIn(known);
  const history = image.history.map(({ entry }, index) => {
    const created = times[index];
    return created === undefined ? entry : { created, ...entry };
  });
  const created = times.at(-1);
  return {
    architecture: image.architecture,
    ...(image.variant === undefined ? {} : { variant: image.variant }),
    os: image.os,
    ...(created === undefined ? {} : { created }),
    ...(image.author === undefined ? {} : { author: image.author }),
    config: image.config as Record<string, unknown>,
    rootfs: { type: 'layers', diff_ids: [...root.diffIds] },
    history,
  };
}

function filledIn(times: readonly (string | undefined)[]): (string | undefined)[] {
  const firstGap = times.indexOf(undefined);
  if (firstGap < 0) return [...times];
  const afterGap = times.slice(firstGap).find((time) => time !== undefined);
  let last = afterGap ?? times.findLast((time) => time !== undefined);
  return times.map((time, index) => {
    if (time !== undefined && index > firstGap) last = time;
    return time ?? last;
  });
}
