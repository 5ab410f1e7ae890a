/** Template text to tokens: text, and inside `{{ }}` the words of an action. `{{-` and `-}}` trim the text beside them. */
import { Fault } from '../../std/index.ts';

export interface Token {
  kind:
    | 'text'
    | 'open'
    | 'close'
    | 'field'
    | 'variable'
    | 'word'
    | 'string'
    | 'number'
    | 'char'
    | 'dot'
    | 'punctuation'
    | 'space';
  text: string;
  /** Offset in the template. */
  at: number;
}

const patterns: readonly [Token['kind'], RegExp][] = [
  ['space', /[ \t\r\n]+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['char', /'(?:[^'\\\n]|\\.)+'/y],
  ['number', /[+-]?(?:0x[\da-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)/y],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['punctuation', /:=|[=|(),]/y],
];

/** The line of an offset, and the column in it counted from nought, as Go says positions. */
export function position(source: string, at: number): string {
  const before = source.slice(0, at).split('\n');
  return `${before.length}:${before.at(-1)!.length}`;
}

export function syntaxFault(source: string, at: number, problem: string): Fault {
  return new Fault('invalid', `template: :${source.slice(0, at).split('\n').length}: ${problem}`);
}

export function lexTemplate(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  while (at < source.length) {
    const open = source.indexOf('{{', at);
    let text = open < 0 ? source.slice(at) : source.slice(at, open);
    if (trimNext) text = text.trimStart();
    if (open < 0) {
      if (text !== '') tokens.push({ kind: 'text', text, at });
      break;
    }
    let inside = open + 2;
    if (/^-[ \t\r\n]/.test(source.slice(inside, inside + 2))) {
      text = text.trimEnd();
      inside++;
    }
    if (text !== '') tokens.push({ kind: 'text', text, at });
    const comment = /[ \t\r\n]*\/\*[^]*?\*\/([ \t\r\n]*)(-?)\}\}/y;
    comment.lastIndex = inside;
    const commented = comment.exec(source);
    if (commented !== null) {
      at = comment.lastIndex;
      trimNext = commented[2] === '-';
      continue;
    }
    tokens.push({ kind: 'open', text: '{{', at: open });
    at = lexAction(source, inside, open, tokens);
    trimNext = source[at - 3] === '-';
    tokens.push({ kind: 'close', text: '}}', at: at - 2 });
  }
  return tokens;
}

/** @returns the offset after `}}`. */
function lexAction(source: string, from: number, open: number, tokens: Token[]): number {
  let at = from;
  for (;;) {
    if (source.startsWith('}}', at)) return at + 2;
    if (/[ \t\r\n]-\}\}/y.test(source.slice(at, at + 4))) return at + 4;
    if (at >= source.length) throw syntaxFault(source, open, 'unclosed action');
    const match = matchToken(source, at);
    if (match === undefined) {
      if (source[at] === '"') throw syntaxFault(source, at, 'unterminated quoted string');
      throw syntaxFault(source, at, `unexpected ${JSON.stringify(source[at])} in command`);
    }
    tokens.push(match);
    at += match.text.length;
  }
}

function matchToken(source: string, at: number): Token | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) {
      // " -}}" closes: the space belongs to it.
      if (kind === 'space' && source.startsWith('-}}', at + match[0].length)) {
        if (match[0].length === 1) return undefined;
        return { kind, text: match[0].slice(0, -1), at };
      }
      return { kind, text: match[0], at };
    }
  }
  return undefined;
}
