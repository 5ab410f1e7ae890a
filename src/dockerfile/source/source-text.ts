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

  constructor(name: string, source: string | Uint8Array) {
    this.name = name;
    const decoded = typeof source === 'string' ? { text: source, offsets: undefined } : decodeBytes(source);
    this.text = decoded.text;
    this.#offsets = decoded.offsets;
    this.lines = splitLines(this.text);
    this.#lineBytes = lineBytes(this.text, this.lines);
  }

  /** The place of an index into the text. */
  position(index: number): Position {
    const line = this.lineAt(index);
    const before = this.text.slice(line.start, index);
    const offset = this.#offsets?.[index] ?? this.#lineBytes[line.number - 1]! + Buffer.byteLength(before);
    const mark = line.number === 1 && before.startsWith(byteOrderMark) ? 1 : 0;
    return { line: line.number, column: [...before].length - mark + 1, offset };
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

  private lineAt(index: number): Line {
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
