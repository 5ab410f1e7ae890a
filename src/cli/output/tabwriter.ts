/** Go's text/tabwriter for space padding: a column is as wide as its widest cell among neighbouring lines that have it. */
export interface TabRules {
  minWidth: number;
  padding: number;
}

/** The rules of Docker's lists. */
export const listRules: TabRules = { minWidth: 10, padding: 3 };

/** @param text lines whose cells end in tabs; what follows the last tab is not part of a column. */
export function alignColumns(text: string, rules: TabRules = listRules): string {
  const lines = text.split('\n').map((line) => line.split('\t'));
  const widths: number[][] = lines.map(() => []);
  const deepest = Math.max(...lines.map((cells) => cells.length - 1));
  for (let column = 0; column < deepest; column++) {
    for (let start = 0; start < lines.length; ) {
      let end = start;
      let width = rules.minWidth;
      while (end < lines.length && lines[end]!.length - 1 > column) {
        width = Math.max(width, widthOf(lines[end]![column]!) + rules.padding);
        end++;
      }
      for (let line = start; line < end; line++) widths[line]![column] = width;
      start = Math.max(end, start + 1);
    }
  }
  return lines
    .map((cells, line) =>
      cells
        .map((cell, column) =>
          column === cells.length - 1 ? cell : cell + ' '.repeat(Math.max(0, widths[line]![column]! - widthOf(cell))),
        )
        .join(''),
    )
    .join('\n');
}

/** Code points, as Go counts a cell. */
function widthOf(text: string): number {
  return Array.from(text).length;
}
