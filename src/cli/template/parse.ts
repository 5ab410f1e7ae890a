/** Tokens to a tree, as Go's text/template has it: actions, if, range, with, variables, pipelines. */
import { lexTemplate, syntaxFault, type Token } from './lex.ts';

export type Operand =
  | { kind: 'literal'; value: string | number | boolean | null }
  | { kind: 'dot' }
  | { kind: 'field'; name: string }
  | { kind: 'variable'; name: string }
  | { kind: 'function'; name: string }
  | { kind: 'pipeline'; pipeline: Pipeline };

/** An operand and the fields taken from it: `$x.A.B`, `(index . 0).C`. */
export interface Term {
  operand: Operand;
  fields: string[];
  at: number;
  /** As written, for messages. */
  source: string;
}

export interface Pipeline {
  declares: string[];
  assigns: boolean;
  commands: Term[][];
}

export type Node =
  | { kind: 'text'; text: string }
  | { kind: 'action'; pipeline: Pipeline }
  | { kind: 'if' | 'with' | 'range'; pipeline: Pipeline; body: Node[]; otherwise: Node[] }
  | { kind: 'break' }
  | { kind: 'continue' };

/** @throws Fault invalid with Go's text for what does not parse. */
export function parseTemplate(source: string, isFunction: (name: string) => boolean): Node[] {
  const tokens = lexTemplate(source);
  let next = 0;

  const fail = (at: number, problem: string): never => {
    throw syntaxFault(source, at, problem);
  };
  const peek = (): Token => tokens[next] ?? { kind: 'close', text: '', at: source.length };
  const take = (): Token => tokens[next++] ?? fail(source.length, 'unexpected EOF');
  const skipSpace = (): void => {
    while (peek().kind === 'space' && next < tokens.length) next++;
  };
  const is = (kind: Token['kind'], text?: string): boolean =>
    next < tokens.length && peek().kind === kind && (text === undefined || peek().text === text);

  const [nodes, end] = parseList(false);
  if (end !== undefined) fail(end.at, `unexpected {{${end.text}}}`);
  return nodes;

  /** Nodes up to `end`, `else` or the end of text; the keyword that stopped it. */
  function parseList(nested: boolean): [Node[], Token | undefined] {
    const list: Node[] = [];
    while (next < tokens.length) {
      const token = take();
      if (token.kind === 'text') {
        list.push({ kind: 'text', text: token.text });
        continue;
      }
      skipSpace();
      const word = is('word') ? peek() : undefined;
      if (word?.text === 'end' || word?.text === 'else') {
        take();
        if (word.text === 'end') close();
        return [list, word];
      }
      if (word?.text === 'if' || word?.text === 'with' || word?.text === 'range') {
        take();
        list.push(parseBlock(word.text));
      } else if (word?.text === 'break' || word?.text === 'continue') {
        take();
        close();
        list.push({ kind: word.text });
      } else {
        list.push({ kind: 'action', pipeline: parsePipeline(word?.at ?? token.at, 'command') });
        close();
      }
    }
    if (nested) fail(source.length, 'unexpected EOF');
    return [list, undefined];
  }

  function parseBlock(kind: 'if' | 'with' | 'range'): Node {
    const pipeline = parsePipeline(peek().at, kind);
    close();
    const [body, stop] = parseList(true);
    if (stop?.text !== 'else') return { kind, pipeline, body, otherwise: [] };
    skipSpace();
    if (is('word', 'if') || (is('word', 'with') && kind === 'with')) {
      const nested = take().text as 'if' | 'with';
      return { kind, pipeline, body, otherwise: [parseBlock(nested)] };
    }
    close();
    const [otherwise, last] = parseList(true);
    if (last?.text === 'else') fail(last.at, 'expected end; found {{else}}');
    return { kind, pipeline, body, otherwise };
  }

  function close(): void {
    skipSpace();
    const token = take();
    if (token.kind !== 'close') fail(token.at, `unexpected <${token.text}> in end clause`);
  }

  function parsePipeline(at: number, context: string): Pipeline {
    const { declares, assigns } = parseDeclarations(context);
    const commands: Term[][] = [];
    for (;;) {
      const terms: Term[] = [];
      for (skipSpace(); !is('close') && !is('punctuation', '|') && !is('punctuation', ')'); skipSpace())
        terms.push(parseTerm());
      if (terms.length === 0)
        fail(at, commands.length === 0 ? `missing value for ${context}` : 'missing value for command');
      const [head] = terms;
      if (commands.length > 0 && head?.operand.kind === 'literal') {
        fail(head.at, `non executable command in pipeline stage ${commands.length + 1}`);
      }
      commands.push(terms);
      if (!is('punctuation', '|')) return { declares, assigns, commands };
      take();
    }
  }

  function parseDeclarations(context: string): { declares: string[]; assigns: boolean } {
    const start = next;
    skipSpace();
    const names: string[] = [];
    while (is('variable')) {
      names.push(take().text);
      skipSpace();
      if (is('punctuation', ':=') || is('punctuation', '=')) return { declares: names, assigns: take().text === '=' };
      if (!is('punctuation', ',') || context !== 'range') break;
      take();
      skipSpace();
    }
    next = start;
    return { declares: [], assigns: false };
  }

  function parseTerm(): Term {
    const first = peek();
    const operand = parseOperand(take());
    const fields: string[] = [];
    while (is('field')) fields.push(take().text.slice(1));
    const last = tokens[next - 1]!;
    return { operand, fields, at: first.at, source: source.slice(first.at, last.at + last.text.length) };
  }

  function parseOperand(token: Token): Operand {
    switch (token.kind) {
      case 'field':
        return { kind: 'field', name: token.text.slice(1) };
      case 'dot':
        return { kind: 'dot' };
      case 'variable':
        return { kind: 'variable', name: token.text };
      case 'string':
        return { kind: 'literal', value: unquote(token.text) };
      case 'char':
        return { kind: 'literal', value: unquote(`"${token.text.slice(1, -1)}"`).codePointAt(0) ?? 0 };
      case 'number':
        return { kind: 'literal', value: Number(token.text) };
      case 'word':
        if (token.text === 'true' || token.text === 'false') return { kind: 'literal', value: token.text === 'true' };
        if (token.text === 'nil') return { kind: 'literal', value: null };
        if (!isFunction(token.text)) fail(token.at, `function "${token.text}" not defined`);
        return { kind: 'function', name: token.text };
      case 'punctuation':
        if (token.text === '(') {
          const pipeline = parsePipeline(token.at, 'parenthesized pipeline');
          if (!is('punctuation', ')')) fail(peek().at, 'unclosed left paren');
          take();
          return { kind: 'pipeline', pipeline };
        }
        return fail(token.at, `unexpected ${JSON.stringify(token.text)} in operand`);
      default:
        return fail(token.at, `unexpected <${token.text}> in operand`);
    }
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };

/** A Go string literal's value. */
export function unquote(text: string): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text
    .slice(1, -1)
    .replace(/\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|([0-7]{3})|(.))/g, (_, unicode, hex, octal, other) => {
      if (unicode !== undefined || hex !== undefined)
        return String.fromCharCode(Number.parseInt(String(unicode ?? hex), 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(String(octal), 8));
      return escapes[String(other)] ?? String(other);
    });
}
