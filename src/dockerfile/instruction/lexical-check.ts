/** What is wrong with an instruction before anybody asks what it means. ONBUILD is checked through to the instruction it keeps. */
import { LexicalProblem } from '../source/problem.ts';
import { goQuote } from '../text/characters.ts';
import type { Fragment } from '../text/fragment.ts';
import { readJsonForm } from '../text/json-form.ts';
import type { EscapeToken } from '../text/read-lines.ts';
import { splitCommand } from '../text/split-command.ts';
import { splitQuoted } from '../text/split-words.ts';

const maybeJson = new Set(['ADD', 'CMD', 'COPY', 'ENTRYPOINT', 'RUN', 'SHELL', 'VOLUME']);
const withHeredocs = new Set(['ADD', 'COPY', 'RUN']);

/** @throws LexicalProblem */
export function checkLexically(keyword: string, rest: Fragment, escape: EscapeToken): void {
  const name = keyword.toUpperCase();
  if (maybeJson.has(name)) readJsonForm(rest);
  else if (name === 'ENV' || name === 'LABEL') checkPairs(rest, name, escape);
  else if (name === 'HEALTHCHECK') readJsonForm(rest.slice(/^\S*\s*/.exec(rest.text)![0].length));
  else if (name === 'ONBUILD' && rest.text !== '') {
    const kept = splitCommand(rest);
    // One that keeps another one is refused later, however long the chain.
    if (kept.keyword.text.toUpperCase() !== 'ONBUILD') checkLexically(kept.keyword.text, kept.rest, escape);
  }
}

/** Whether bodies of heredocs may follow: RUN, COPY and ADD, also behind one ONBUILD, but not in the JSON form. */
export function takesHeredocs(keyword: string, rest: Fragment): boolean {
  const kept = keyword.toUpperCase() === 'ONBUILD' && rest.text !== '' ? splitCommand(rest) : undefined;
  const name = kept?.keyword.text ?? keyword;
  return withHeredocs.has(name.toUpperCase()) && readJsonForm(kept?.rest ?? rest) === undefined;
}

function checkPairs(rest: Fragment, name: 'ENV' | 'LABEL', escape: EscapeToken): void {
  const words = splitQuoted(rest, escape);
  const [first] = words;
  if (first === undefined) return;
  if (!first.text.includes('=')) {
    if (/[\t\v\f\r ]/.test(rest.text)) return;
    throw new LexicalProblem('missing-argument', `${name} must have two arguments`, rest.range);
  }
  const wrong = words.find(({ text }) => !text.includes('='));
  if (wrong === undefined) return;
  const message = `Syntax error - can't find = in ${goQuote(wrong.text)}. Must be of the form: name=value`;
  throw new LexicalProblem('missing-equals', message, wrong.fragment.range);
}
