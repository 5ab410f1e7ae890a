/** How `system doctor` tells what it found. */
import { printable } from '../output/printable.ts';
import { wrapText } from '../output/wrap-text.ts';
import type { Result, State } from './check.ts';

const colours: Record<State, string> = { ok: '\u001B[32m', warn: '\u001B[33m', fail: '\u001B[31m' };
const plain = '\u001B[0m';

export interface Look {
  /** Columns of the terminal; undefined wraps nothing. */
  columns: number | undefined;
  colour: boolean;
}

/** A line each, its continuations and how to mend it below what was found; the sum at the end. */
export function reportText(results: readonly Result[], { columns, colour }: Look): string {
  const ids = Math.max(0, ...results.map(({ id }) => id.length));
  const titles = Math.max(0, ...results.map(({ title }) => title.length));
  const gap = 2;
  const indent = 4 + gap + ids + gap + titles + gap;
  const width = columns === undefined ? Number.POSITIVE_INFINITY : Math.max(20, columns - indent);
  const lines = results.flatMap(({ id, title, state, ...texts }) => {
    const found = printable(texts.found);
    const mend = texts.mend === undefined ? undefined : printable(texts.mend);
    const mark = state.padEnd(4);
    const head = `${colour ? `${colours[state]}${mark}${plain}` : mark}  ${id.padEnd(ids)}  ${title.padEnd(titles)}  `;
    const [first = '', ...rest] = wrapText(found, width);
    const told = [`${head}${first}`, ...rest.map((line) => `${' '.repeat(indent)}${line}`)];
    if (mend === undefined) return told;
    // Commands stay whole, to be copied: one that does not fit begins further left, and then the terminal wraps it.
    return [...told, `${' '.repeat(mend.length + 2 > width ? 6 : indent)}→ ${mend}`];
  });
  return `${lines.map((line) => line.trimEnd()).join('\n')}\n${sumText(results)}\n`;
}

function sumText(results: readonly Result[]): string {
  const count = (state: State): number => results.filter((each) => each.state === state).length;
  const many = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
  return `${count('ok')} ok, ${many(count('warn'), 'warning')}, ${many(count('fail'), 'failure')}`;
}

export function jsonReport(results: readonly Result[]): string {
  const Checks = results.map(({ id, title, state, found, mend }) => ({
    Id: id,
    Title: title,
    State: state,
    Found: found,
    ...(mend === undefined ? {} : { Mend: mend }),
  }));
  return `${JSON.stringify({ Checks })}\n`;
}
