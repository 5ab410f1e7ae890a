/** A Dockerfile's text, its lines, and where each character stands in its bytes. */
import { decodeBytes } from './decode.ts';
import type { Position, Range } from './range.ts';

/** One line: where it begins and where its text ends (before `\n`, and the `\r`s before that), as indexes into the text. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly start: number;
  /** After the last character that is not part of the line's ending. */
  readonly end: number;
  /** After the `\n`, or the end of the text. */
  readonly next: number;
}

const byteOrderMark = '\ufeff';

export class SourceText {
  /** As errors name it: `Dockerfile`. */
  readonly name: string;
  readonly text: string;
  readonly lines: readonly Line[];
  readonly #offsets: Uint32Array | undefined;
  readonly #lineBytes: readonly number[];
  readonly #marks: readonly Mark[];

  constructor(name: string, source: string | Uint8Array) {
    this.name = name;
    const decoded = typeof source === 'string' ? { text: source, offsets: undefined } : decodeBytes(source);
    this.text = decoded.text;
    this.#offsets = decoded.offsets;
    this.lines = splitLines(this.text);
    this.#lineBytes = lineBytes(this.text, this.lines);
    this.#marks = placeMarks(this.text, this.lines, this.#lineBytes);
  }

  /** The place of an index into the text. */
  position(index: number): Position {
    const line = this.#lineAt(index);
    const mark = this.#marks[Math.floor(index / stride)]!;
    const from =
      mark.index >= line.start ? mark : { index: line.start, column: 1, offset: this.#lineBytes[line.number - 1]! };
    const between = this.text.slice(from.index, index);
    const column = from.column + countCharacters(between, from.index);
    return { line: line.number, column, offset: this.#offsets?.[index] ?? from.offset + Buffer.byteLength(between) };
  }

  range(start: number, end: number): Range {
    return { start: this.position(start), end: this.position(Math.max(start, end)) };
  }

  /** A whole line without its ending. */
  lineRange(number: number): Range {
    const line = this.lines[number - 1] ?? this.lines.at(-1)!;
    return this.range(line.start, line.end);
  }

  lineText(number: number): string {
    const line = this.lines[number - 1];
    if (line === undefined) return '';
    const text = this.text.slice(line.start, line.end);
    return number === 1 && text.startsWith(byteOrderMark) ? text.slice(1) : text;
  }

  #lineAt(index: number): Line {
    let low = 0;
    let high = this.lines.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.lines[middle]!.start <= index) low = middle;
      else high = middle - 1;
    }
    return this.lines[low]!;
  }
}

/** A byte-order mark stands in no column. */
function countCharacters(text: string, at: number): number {
  let count = at === 0 && text.startsWith(byteOrderMark) ? -1 : 0;
  for (const _ of text) count++;
  return count;
}

/** A place every `stride` units of text, so that on a very long line nothing is counted from its beginning. */
interface Mark {
  readonly index: number;
  readonly column: number;
  readonly offset: number;
}

const stride = 512;

function placeMarks(text: string, lines: readonly Line[], bytes: readonly number[]): Mark[] {
  const marks: Mark[] = [];
  let current = 0;
  let last: Mark = { index: 0, column: 1, offset: 0 };
  for (let at = 0; at <= text.length; at += stride) {
    // Never between the halves of a character.
    const index = at > 0 && /[\ud800-\udbff]/.test(text[at - 1]!) ? at - 1 : at;
    while (lines[current + 1] !== undefined && lines[current + 1]!.start <= index) current++;
    const { start } = lines[current]!;
    const from = last.index >= start ? last : { index: start, column: 1, offset: bytes[current]! };
    const between = text.slice(from.index, index);
    const column = from.column + countCharacters(between, from.index);
    last = { index, column, offset: from.offset + Buffer.byteLength(between) };
    marks.push(last);
  }
  return marks;
}

/** There is always one line, and no empty one after a last `\n`. */
function splitLines(text: string): Line[] {
  const lines: Line[] = [];
  let start = 0;
  do {
    const newline = text.indexOf('\n', start);
    const next = newline < 0 ? text.length : newline + 1;
    let end = newline < 0 ? text.length : newline;
    while (end > start && text[end - 1] === '\r') end--;
    lines.push({ number: lines.length + 1, start, end, next });
    start = next;
  } while (start < text.length);
  return lines;
}

function lineBytes(text: string, lines: readonly Line[]): number[] {
  let offset = 0;
  return lines.map((line) => {
    const before = offset;
    offset += Buffer.byteLength(text.slice(line.start, line.next));
    return before;
  });
}
