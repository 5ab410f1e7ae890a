/** The exec form: a strict JSON array of strings. What is no JSON array is the shell form; what is one of other things is an error. */
import { LexicalProblem } from '../source/problem.ts';
import type { Word } from '../source/range.ts';
import { isSpace } from './characters.ts';
import type { Fragment } from './fragment.ts';

/** @throws LexicalProblem where an item is no string */
export function readJsonForm(rest: Fragment): Word[] | undefined {
  let start = 0;
  while (start < rest.text.length && isSpace(rest.text[start]!)) start++;
  if (rest.text[start] !== '[') return undefined;
  const text = rest.text.slice(start);
  let items: unknown;
  try {
    items = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(items)) return undefined;
  if (!items.every((item): item is string => typeof item === 'string')) {
    const message = 'when using JSON array syntax, arrays must be comprised of strings only';
    throw new LexicalProblem('json-not-strings', message, rest.range);
  }
  const places = [...text.matchAll(/"(?:[^"\\]|\\.)*"/g)];
  return items.map((item, index) => {
    const at = start + places[index]!.index;
    return rest.slice(at, at + places[index]![0].length).word(item.toWellFormed());
  });
}
