/** Which stage a name means. */
import type { Stage } from '../parse.ts';

/**
 * For each stage the one its FROM names, if any: the last one of that name before it. Stage names are in lower case, and what FROM says is
 * not made so.
 */
export function baseStages(stages: readonly Stage[], imageOf: (stage: Stage) => string | undefined): Map<Stage, Stage> {
  const bases = new Map<Stage, Stage>();
  const named = new Map<string, Stage>();
  for (const stage of stages) {
    const image = imageOf(stage);
    const base = image === undefined ? undefined : named.get(image);
    if (base !== undefined) bases.set(stage, base);
    if (stage.name !== undefined) named.set(stage.name, stage);
  }
  return bases;
}

/** The stages a `--from` or a mount's `from` can name, which it does in any case: the last one of each name in the file. */
export function stagesByName(stages: readonly Stage[]): Map<string, Stage> {
  return new Map(stages.flatMap((stage) => (stage.name === undefined ? [] : [[stage.name, stage] as const])));
}

/** A `--from` that is a number, as Go's `strconv.Atoi` reads it. */
export function stageNumber(from: string): number | undefined {
  return /^[-+]?\d+$/.test(from) ? Number(from) : undefined;
}
