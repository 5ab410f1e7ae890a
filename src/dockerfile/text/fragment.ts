/**
 * A piece of an instruction's logical line that knows where each of its characters stands in the file. The logical line is what is left
 * when continuations, and the comments and blank lines inside them, are taken out.
 */
import type { Range, Word } from '../source/range.ts';
import type { SourceText } from '../source/source-text.ts';
import { isSpace } from './characters.ts';

/** A stretch of the logical line that stands in the file as it is. */
export interface Stretch {
  /** Index into the logical line. */
  readonly at: number;
  /** Index into the file's text. */
  readonly from: number;
  readonly length: number;
}

export class LogicalLine {
  readonly source: SourceText;
  readonly text: string;
  readonly #stretches: readonly Stretch[];

  constructor(source: SourceText, stretches: readonly Stretch[]) {
    this.source = source;
    // Empty ones hold no character, but a line of nothing must still stand somewhere.
    const filled = stretches.filter(({ length }) => length > 0);
    this.#stretches = filled.length > 0 ? filled : stretches;
    this.text = stretches.map(({ from, length }) => source.text.slice(from, from + length)).join('');
  }

  whole(): Fragment {
    return new Fragment(this, 0, this.text.length);
  }

  range(start: number, end: number): Range {
    const from = this.#index(start);
    return this.source.range(from, end > start ? this.#index(end - 1) + 1 : from);
  }

  #index(at: number): number {
    let low = 0;
    let high = this.#stretches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#stretches[middle]!.at <= at) low = middle;
      else high = middle - 1;
    }
    const found = this.#stretches[low]!;
    return found.from + Math.min(at - found.at, found.length);
  }
}

export class Fragment {
  readonly line: LogicalLine;
  readonly start: number;
  readonly end: number;

  constructor(line: LogicalLine, start: number, end: number) {
    this.line = line;
    this.start = start;
    this.end = end;
  }

  get text(): string {
    return this.line.text.slice(this.start, this.end);
  }

  get range(): Range {
    return this.line.range(this.start, this.end);
  }

  /** Indexes count from this fragment's own beginning. */
  slice(from: number, to = this.end - this.start): Fragment {
    return new Fragment(this.line, this.start + from, Math.min(this.start + to, this.end));
  }

  trim(): Fragment {
    let { start, end } = this;
    while (start < end && isSpace(this.line.text[start]!)) start++;
    while (end > start && isSpace(this.line.text[end - 1]!)) end--;
    return new Fragment(this.line, start, end);
  }

  /** This place, with the text it stands for where that differs. */
  word(text = this.text): Word {
    return { text, range: this.range };
  }
}
