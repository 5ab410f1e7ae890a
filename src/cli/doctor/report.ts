/** What `system doctor` prints: a line a check, what mends it below, and the sum. Pure. */
import { displayWidth } from '../output/display-width.ts';
import { printable } from '../output/printable.ts';
import type { State } from './check.ts';
import { type Result, tally } from './examine.ts';

const words: Readonly<Record<State, { text: string; color: string }>> = {
  ok: { text: 'ok', color: '32' },
  warn: { text: 'warn', color: '33' },
  fail: { text: 'FAIL', color: '31' },
  skip: { text: '-', color: '2' },
};
const gap = '  ';
const narrowest = 20;

/** @param columns of the terminal; undefined breaks no line. */
export function reportText(
  results: readonly Result[],
  { columns, isColored }: { columns: number | undefined; isColored: boolean },
): string {
  const wide = Math.max('CHECK'.length, ...results.map(({ id }) => displayWidth(id)));
  const indent = ' '.repeat(4 + gap.length + wide + gap.length);
  const room = columns === undefined ? Number.POSITIVE_INFINITY : Math.max(narrowest, columns - indent.length);
  const paint = (state: State, text: string): string =>
    isColored ? `\x1b[${words[state].color}m${text}\x1b[0m` : text;
  const pad = (text: string, width: number): string => text + ' '.repeat(Math.max(0, width - displayWidth(text)));
  const lines = [`${pad('', 4)}${gap}${pad('CHECK', wide)}${gap}FOUND`];
  for (const { state, id, found, mend } of results) {
    const [first = '', ...rest] = wrapped(printable(found), room);
    lines.push(`${paint(state, pad(words[state].text, 4))}${gap}${pad(id, wide)}${gap}${first}`);
    lines.push(...rest.map((line) => `${indent}${line}`));
    // Whole, even if the terminal breaks them: they are there to be copied.
    lines.push(...mend.map((command) => `${' '.repeat(4)}${gap}${paint(state, '→')} ${printable(command)}`));
  }
  return `${lines.join('\n')}\n\n${sumText(results)}\n`;
}

function sumText(results: readonly Result[]): string {
  const { ok, warnings, failures, skipped } = tally(results);
  const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
  const unseen = skipped === 0 ? '' : ` (${skipped} not checked)`;
  return `${ok} ok, ${plural(warnings, 'warning')}, ${plural(failures, 'failure')}${unseen}`;
}

/** At spaces; a word that is longer than the room is left whole. */
function wrapped(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
