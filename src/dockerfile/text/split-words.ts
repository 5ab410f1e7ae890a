/** The two ways an instruction's rest is cut into words before anything is expanded. */
import type { Fragment } from './fragment.ts';
import { isSeparator, isSpace } from './characters.ts';
import type { EscapeToken } from './read-lines.ts';

/** At blanks, whatever the quotes: FROM, COPY, ADD, EXPOSE, VOLUME. */
export function splitAtBlanks(rest: Fragment): Fragment[] {
  const { text } = rest;
  const words: Fragment[] = [];
  let start = 0;
  for (let at = 0; at <= text.length; at++) {
    if (at < text.length && !isSeparator(text[at]!)) continue;
    if (at > start) words.push(rest.slice(start, at));
    start = at + 1;
  }
  return words;
}

/**
 * At spaces outside quotes: ENV, LABEL, ARG. Quotes and escapes stay in the word, to be taken out when it is expanded; an escape token at
 * the very end is dropped.
 */
export function splitQuoted(rest: Fragment, escape: EscapeToken): { fragment: Fragment; text: string }[] {
  const { text } = rest;
  const words: { fragment: Fragment; text: string }[] = [];
  let at = 0;
  while (at < text.length) {
    if (isSpace(text[at]!)) {
      at++;
      continue;
    }
    const end = wordEnd(text, at, escape);
    const isDangling = end.dangling;
    const fragment = rest.slice(at, end.at);
    const word = isDangling ? fragment.text.slice(0, -1) : fragment.text;
    if (word !== '') words.push({ fragment, text: word });
    at = end.at;
  }
  return words;
}

function wordEnd(text: string, start: number, escape: EscapeToken): { at: number; dangling: boolean } {
  let quote = '';
  for (let at = start; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && isSpace(character)) return { at, dangling: false };
    if (character === escape && quote !== "'") {
      if (at + 1 === text.length) return { at: text.length, dangling: true };
      at++;
    } else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
  }
  return { at: text.length, dangling: false };
}
