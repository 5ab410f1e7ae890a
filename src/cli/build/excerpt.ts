/** A place in a Dockerfile with the lines around it, as BuildKit prints it (buildkit, solver/errdefs/source.go). */
import type { SourceRange, SourceText } from '../../buildkit/index.ts';

/** Lines around a place of one line and of several. */
const aroundOne = 4;
const aroundMany = 2;

/** '' when the place is not in the text. */
export function excerpt(
  { filename, text }: Pick<SourceText, 'filename' | 'text'>,
  ranges: readonly SourceRange[],
): string {
  const lines = text.split('\n');
  const first = Math.min(...ranges.map(({ start }) => start.line));
  const last = Math.min(Math.max(...ranges.map(({ end }) => end.line)), lines.length);
  if (ranges.length === 0 || first < 1 || first > lines.length) return '';
  let from = first;
  let to = last;
  for (let left = first === last ? aroundOne : aroundMany; left > 0; left--) {
    if (from > 1) {
      from--;
      left--;
    }
    if (to < lines.length) {
      to++;
      left--;
    }
  }
  const isMarked = (line: number): boolean => ranges.some(({ start, end }) => line >= start.line && line <= end.line);
  const rows = lines
    .slice(from - 1, to)
    .map((line, index) => ` ${String(from + index).padStart(3)} | ${isMarked(from + index) ? '>>>' : '   '} ${line}\n`);
  return `${filename}:${first}\n${rule}${rows.join('')}${rule}`;
}

const rule = `${'-'.repeat(20)}\n`;
