/** Here documents: `<<NAME` and `<<-NAME` in RUN, COPY and ADD, also behind ONBUILD; their bodies follow the instruction's lines. */
import { expand } from '../expand/expand.ts';
import type { Range, Word } from '../source/range.ts';
import type { SourceText } from '../source/source-text.ts';
import type { Fragment } from './fragment.ts';

export interface HeredocMark {
  /** The line that ends it. */
  readonly name: string;
  /** No part of the name was quoted: variables in the body stand for their values, where the instruction expands them. */
  readonly expands: boolean;
  /** `<<-`: leading tabs are dropped from each line, the last included. */
  readonly stripsTabs: boolean;
  readonly fileDescriptor: number;
}

export interface Heredoc extends HeredocMark {
  /** The mark in the instruction's line. */
  readonly word: Word;
  /** As written, line endings and tabs included. */
  readonly content: string;
  readonly contentRange: Range;
  /** From the first line of the body to the end of the line that ends it. */
  readonly range: Range;
}

const nothing = { get: (): undefined => undefined };

/** `undefined` where the word is no heredoc mark, or cannot be read as one. */
export function parseHeredocMark(word: string): HeredocMark | undefined {
  const match = /^(\d*)<<(-?)([^<]+)$/.exec(word);
  if (match === null) return undefined;
  try {
    const [bare, more] = expand(match[3]!, nothing, { keepUnset: true }).words;
    const [raw] = expand(match[3]!, nothing, { keepUnset: true, rawQuotes: true }).words;
    if (bare === undefined || raw === undefined || more !== undefined) return undefined;
    return {
      name: bare.text,
      expands: countQuotes(bare.text) === countQuotes(raw.text),
      stripsTabs: match[2] === '-',
      fileDescriptor: Number(match[1]),
    };
  } catch {
    return undefined;
  }
}

/** The marks of a logical line, in order. A line whose quotes do not close has none. */
export function findHeredocMarks(whole: Fragment): { mark: HeredocMark; word: Word }[] {
  if (!whole.text.includes('<<')) return [];
  try {
    const { words } = expand(whole.text, nothing, { keepUnset: true, rawQuotes: true, rawEscapes: true });
    return words.flatMap(({ text, start, end }) => {
      const mark = parseHeredocMark(text);
      return mark === undefined ? [] : [{ mark, word: whole.slice(start, end).word(text) }];
    });
  } catch {
    return [];
  }
}

/** The body that begins on line `first`; `undefined` where no line ends it. `next` is the number of the line after. */
export function readHeredocBody(
  source: SourceText,
  first: number,
  mark: HeredocMark,
): { content: string; contentRange: Range; range: Range; next: number } | undefined {
  const start = source.lines[first - 1]?.start ?? source.text.length;
  for (let number = first; number <= source.lines.length; number++) {
    const line = source.lines[number - 1]!;
    const text = source.text.slice(line.start, line.end);
    if ((mark.stripsTabs ? text.replace(/^\t+/, '') : text) !== mark.name) continue;
    return {
      content: source.text.slice(start, line.start),
      contentRange: source.range(start, line.start),
      range: source.range(start, line.end),
      next: line.number + 1,
    };
  }
  return undefined;
}

/** The body as `<<-` has it: no tabs at the beginning of any line. */
export function stripTabs(content: string): string {
  return content.replaceAll(/(^|\n)\t+/g, '$1');
}

function countQuotes(text: string): number {
  return text.split(/['"]/).length - 1;
}
