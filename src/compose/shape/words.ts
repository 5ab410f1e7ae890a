/** A command in one string, split as a shell would: quotes and backslashes, nothing expanded. */
import { Fault } from '../../std/index.ts';

/** @throws Fault invalid when a quote is not closed */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = '';
  let begun = false;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '\\' && quote !== "'") {
      const next = text[++at];
      if (next === undefined) break;
      word += next;
      begun = true;
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      begun = true;
    } else if (/[\s]/.test(character)) {
      if (begun) words.push(word);
      word = '';
      begun = false;
    } else if (';&|<>'.includes(character)) {
      // A shell would begin something else here: what follows was never given to the program.
      break;
    } else {
      word += character;
      begun = true;
    }
  }
  if (quote !== '') throw new Fault('invalid', `invalid command line string: ${text}`);
  return begun ? [...words, word] : words;
}
