/** A logical line to keyword, builder flags and the rest. */
import type { Word } from '../source/range.ts';
import { isSeparator, isSpace } from './characters.ts';
import type { Fragment } from './fragment.ts';

/** `--name=value` as written before the arguments, quotes and backslashes taken out. */
export interface Flag {
  /** Without the dashes. */
  readonly name: string;
  /** `undefined` where there is no `=`. */
  readonly value: string | undefined;
  readonly word: Word;
  /** The place of the value, of the whole flag where there is none. */
  readonly valueRange: Word['range'];
  /** The value's place as text of the line, for what has places of its own inside. */
  readonly valueFragment: Fragment;
}

export interface SplitCommand {
  readonly keyword: Fragment;
  readonly flags: readonly Flag[];
  readonly rest: Fragment;
}

export function splitCommand(whole: Fragment): SplitCommand {
  const line = whole.trim();
  const { text } = line;
  let at = 0;
  while (at < text.length && !isSeparator(text[at]!)) at++;
  const keyword = line.slice(0, at);
  while (at < text.length && isSeparator(text[at]!)) at++;
  const flags: Flag[] = [];
  for (;;) {
    while (at < text.length && isSpace(text[at]!)) at++;
    if (!text.startsWith('--', at)) break;
    const word = readFlag(line, at);
    at = word.end;
    if (word.text === '--') break;
    flags.push(toFlag(line, word));
  }
  return { keyword, flags, rest: line.slice(at).trim() };
}

interface FlagWord {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Index in the line of the first `=`. */
  readonly equals: number | undefined;
}

function readFlag(line: Fragment, start: number): FlagWord {
  const { text } = line;
  let quote = '';
  let out = '';
  let equals: number | undefined;
  let at = start;
  for (; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && isSpace(character)) break;
    if (character === '\\') {
      at++;
      if (at < text.length) out += text[at]!;
    } else if (character === quote) quote = '';
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else {
      if (character === '=') equals ??= at;
      out += character;
    }
  }
  return { start, end: Math.min(at, text.length), text: out, equals };
}

function toFlag(line: Fragment, { start, end, text, equals }: FlagWord): Flag {
  const whole = line.slice(start, end);
  const cut = text.indexOf('=');
  const valueFragment = equals === undefined ? whole : line.slice(equals + 1, end);
  return {
    name: text.slice(2, cut < 0 ? undefined : cut),
    value: cut < 0 ? undefined : text.slice(cut + 1),
    word: whole.word(text),
    valueRange: valueFragment.range,
    valueFragment,
  };
}
