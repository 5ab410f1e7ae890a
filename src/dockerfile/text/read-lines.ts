/** Physical lines to the logical line of one instruction: continuations joined, comments and blank lines inside them dropped. */
import type { Line, SourceText } from '../source/source-text.ts';
import { isSpace } from './characters.ts';
import { LogicalLine, type Stretch } from './fragment.ts';

export type EscapeToken = '\\' | '`';

export interface ReadLine {
  readonly line: LogicalLine;
  /** Numbers, from 1, both included. */
  readonly first: number;
  readonly last: number;
  /** Whether a blank line stood inside a continuation. */
  readonly hasEmptyContinuation: boolean;
}

/** Where a line's text begins when leading space is not its own, and a byte-order mark is none of it. */
export function textStart(source: SourceText, line: Line): number {
  let start = line.start;
  if (line.number === 1 && source.text[start] === '\ufeff') start++;
  while (start < line.end && isSpace(source.text[start]!)) start++;
  return start;
}

/** The instruction that begins on line `first`, which is neither blank nor a comment. */
export function readInstructionLine(source: SourceText, first: number, escape: EscapeToken): ReadLine {
  const stretches: Stretch[] = [];
  let length = 0;
  let last = first;
  let hasEmptyContinuation = false;
  const take = (start: number, end: number): boolean => {
    const mark = continuationAt(source.text, start, end, escape);
    const stop = mark ?? end;
    stretches.push({ at: length, from: start, length: stop - start });
    length += stop - start;
    return mark !== undefined;
  };
  const opening = source.lines[first - 1]!;
  let more = take(textStart(source, opening), opening.end);
  while (more && last < source.lines.length) {
    const line = source.lines[last]!;
    last++;
    const start = textStart(source, line);
    if (source.text[start] === '#' && start < line.end) continue;
    if (start === line.end) hasEmptyContinuation = true;
    else more = take(line.start, line.end);
  }
  return { line: new LogicalLine(source, stretches), first, last, hasEmptyContinuation };
}

/** The index of the escape token that continues this line; it must be the last but for blanks, and not be escaped itself. */
function continuationAt(text: string, start: number, end: number, escape: EscapeToken): number | undefined {
  let at = end - 1;
  while (at >= start && (text[at] === ' ' || text[at] === '\t')) at--;
  if (at < start || text[at] !== escape) return undefined;
  return at > start && text[at - 1] === escape ? undefined : at;
}
