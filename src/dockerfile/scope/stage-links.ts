/** Which stage a name means. */
import type { Stage } from '../parse.ts';

/** The stage a FROM's image names: the last one of that name before it. Stage names are in lower case, and this is not made so. */
export function baseStage(stages: readonly Stage[], index: number, image: string): Stage | undefined {
  return stages.slice(0, index).findLast(({ name }) => name === image);
}

/** The stage a `--from` or a mount's `from` names, in any case: the last one of that name in the file, or by its number. */
export function stageByName(stages: readonly Stage[], name: string): Stage | undefined {
  return stages.findLast((stage) => stage.name === name.toLowerCase());
}

/** A `--from` that is a number, as Go's `strconv.Atoi` reads it. */
export function stageNumber(from: string): number | undefined {
  return /^[-+]?\d+$/.test(from) ? Number(from) : undefined;
}
