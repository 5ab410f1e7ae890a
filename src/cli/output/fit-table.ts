/** Tables that fit the terminal: some columns give way, and what does not fit ends in an ellipsis. */
import type { Output } from './stream.ts';
import { ellipsis } from './short.ts';

const gap = 3;
const narrowest = 8;

/** Columns to fit into; undefined where nobody looks: then nothing is cut. */
export function tableWidth(out: Output): number | undefined {
  return out.isTerminal ? out.columns : undefined;
}

/** @param flexible the columns that may be cut, by index: the widest gives way first, none below eight characters. */
export function fitTable(
  rows: readonly (readonly string[])[],
  width: number | undefined,
  flexible: readonly number[],
): string {
  const columns = Math.max(...rows.map((row) => row.length));
  const lengths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => Array.from(row[column] ?? '').length)),
  );
  const total = lengths.reduce((sum, length) => sum + length, gap * (columns - 1));
  if (width !== undefined) shrink(lengths, flexible, total - width);
  return rows.map((row) => `${line(row, lengths)}\n`).join('');
}

/** Takes `excess` characters away, each from the column that is widest then. */
function shrink(lengths: number[], flexible: readonly number[], excess: number): void {
  for (let left = excess; left > 0; left--) {
    const widest = flexible.reduce((a, b) => (lengths[b]! > lengths[a]! ? b : a));
    if (lengths[widest]! <= narrowest) return;
    lengths[widest]! -= 1;
  }
}

function line(row: readonly string[], lengths: readonly number[]): string {
  return row
    .map((cell, column) => {
      const text = ellipsis(cell, lengths[column]!);
      return column === row.length - 1 ? text : text + ' '.repeat(lengths[column]! - Array.from(text).length + gap);
    })
    .join('')
    .trimEnd();
}
