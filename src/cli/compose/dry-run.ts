/** What would be done, a step a line, each with its reason. */
import { type ImageBuild, isChange, type Pull, type Step, verbOf } from '../../compose/index.ts';
import { alignColumns } from '../output/tabwriter.ts';

export interface Foreseen {
  pulls?: readonly Pull[];
  builds?: readonly ImageBuild[];
  steps: readonly Step[];
}

export function dryRunText({ pulls = [], builds = [], steps }: Foreseen): string {
  const images = [
    ...pulls.map(({ image, because }) => ['pull', `Image ${image}`, because]),
    ...builds.map(({ image, because }) => ['build', `Image ${image}`, because]),
  ];
  const changing = steps.filter(isChange);
  const nothing = images.length === 0 && changing.length === 0;
  const lines = [
    ...images,
    ...steps
      .filter((step) => isChange(step) || step.kind === 'wait' || nothing)
      .map((step) => [verbOf(step), step.subject, step.because]),
  ];
  const table = alignColumns(lines.map((cells) => `${cells[0]}\t${cells[1]}\tbecause ${cells[2]!}\n`).join(''), {
    minWidth: 0,
    padding: 2,
  });
  const count = images.length + changing.length;
  const end = nothing
    ? 'Nothing would change.'
    : `${count} ${count === 1 ? 'step' : 'steps'} would be done. This was a dry run: nothing is changed.`;
  return `${table}${end}\n`;
}
