/** Parser directives: `# key=value` on the very first lines, before any comment, blank line or instruction. */
import type { Range } from '../source/range.ts';
import type { SourceText } from '../source/source-text.ts';
import { isSpace } from './characters.ts';
import { type EscapeToken, textStart } from './read-lines.ts';

export interface Directive {
  readonly name: 'syntax' | 'escape' | 'check';
  readonly value: string;
  readonly range: Range;
  readonly valueRange: Range;
  readonly line: number;
}

/** A directive that stands where directives may, and is wrong. */
export interface DirectiveProblem {
  readonly code: 'duplicate-directive' | 'bad-escape';
  readonly message: string;
  readonly range: Range;
}

export interface Directives {
  readonly all: readonly Directive[];
  readonly escape: EscapeToken;
  /** The frontend the file asks for, to its first blank: `docker/dockerfile:1`. */
  readonly syntax: Directive | undefined;
  readonly check: Directive | undefined;
  readonly problems: readonly DirectiveProblem[];
}

export function readDirectives(source: SourceText): Directives {
  const problems: DirectiveProblem[] = [];
  const plain = scan(source, { comment: '#', first: 1, indented: true, problems });
  const hasShebang = source.lineText(1).startsWith('#!');
  const first = hasShebang ? 2 : 1;
  // `syntax` and `check` are looked for apart from `escape`: a shebang hides only the latter, indentation only the former two.
  const outer = scan(source, { comment: '#', first, indented: false, problems: [] });
  const slashes = scan(source, { comment: '//', first, indented: false, problems: [] });
  const escape = plain.find(({ name }) => name === 'escape');
  if (escape !== undefined && escape.value !== '\\' && escape.value !== '`') {
    const message = `invalid escape token '${escape.value}' does not match \` or \\`;
    problems.push({ code: 'bad-escape', message, range: escape.valueRange });
  }
  const find = (name: string): Directive | undefined => outer.find((directive) => directive.name === name);
  return {
    all: [...plain, ...outer.filter((one) => !plain.some(({ line }) => line === one.line))],
    escape: escape?.value === '`' ? '`' : '\\',
    syntax: find('syntax') ?? slashes.find(({ name }) => name === 'syntax'),
    check: find('check'),
    problems,
  };
}

interface Scan {
  readonly comment: string;
  readonly first: number;
  readonly indented: boolean;
  readonly problems: DirectiveProblem[];
}

function scan(source: SourceText, { comment, first, indented, problems }: Scan): Directive[] {
  const found: Directive[] = [];
  for (const line of source.lines.slice(first - 1)) {
    const at = textStart(source, line);
    const mark = line.number === 1 && source.text[line.start] === '\ufeff' ? 1 : 0;
    if (!indented && at !== line.start + mark) break;
    const directive = readOne(source, at, line.end, comment);
    if (directive === undefined) break;
    if (found.some(({ name }) => name === directive.name)) {
      const message = `only one ${directive.name} parser directive can be used`;
      problems.push({ code: 'duplicate-directive', message, range: directive.range });
      continue;
    }
    found.push({ ...directive, line: line.number });
  }
  return found;
}

function readOne(source: SourceText, start: number, end: number, comment: string): Omit<Directive, 'line'> | undefined {
  if (!source.text.startsWith(comment, start)) return undefined;
  let at = start + comment.length;
  while (at < end && isSpace(source.text[at]!)) at++;
  const match = /^([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/.exec(source.text.slice(at, end));
  const name = match?.[1]!.toLowerCase();
  if (match === null || (name !== 'syntax' && name !== 'escape' && name !== 'check')) return undefined;
  const value = match[2]!;
  const valueStart = at + match[0].trimEnd().length - value.length;
  return {
    name,
    value,
    range: source.range(start, valueStart + value.length),
    valueRange: source.range(valueStart, valueStart + value.length),
  };
}
