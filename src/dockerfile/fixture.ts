/** An instruction as fixtures write it: words as `text @line:column-line:column`, without what follows from the rest. */
import type { Instruction } from './instruction/types.ts';
import { formatRange, type Range, type Word } from './source/range.ts';

export function describeInstruction(instruction: Instruction): unknown {
  return describe(instruction);
}

const derived = new Set(['valueFragment', 'contentRange', 'valueRange', 'lines']);

function describe(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(describe);
  if (typeof value !== 'object' || value === null) return value;
  if (isWord(value)) return `${value.text} @${formatRange(value.range)}`;
  const entries = Object.entries(value)
    .filter(([key, one]) => !derived.has(key) && !isEmpty(one))
    .map(([key, one]) => [key, key === 'range' ? formatRange(one as Range) : describe(one)]);
  return Object.fromEntries(entries);
}

function isWord(value: object): value is Word {
  return 'text' in value && 'range' in value && Object.keys(value).length === 2;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}
