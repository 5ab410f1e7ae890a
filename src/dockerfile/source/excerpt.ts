/** The lines around a place, as people are shown them. */
import type { Range } from './range.ts';
import type { SourceText } from './source-text.ts';

const around = 2;
const widest = 160;

/** Two lines before and after, and under the place's first line a caret for each of its characters. */
export function renderExcerpt(source: SourceText, range: Range, { color = false }: { color?: boolean } = {}): string {
  const first = Math.max(1, range.start.line - around);
  const last = Math.min(source.lines.length, range.end.line + around);
  const gutter = String(last).length;
  const dim = (text: string): string => (color ? `\u001b[2m${text}\u001b[22m` : text);
  const red = (text: string): string => (color ? `\u001b[31m${text}\u001b[39m` : text);
  const out: string[] = [];
  for (let number = first; number <= last; number++) {
    const inside = number >= range.start.line && number <= range.end.line;
    const text = printable(source.lineText(number));
    out.push(`${dim(`${String(number).padStart(gutter)} |`)} ${inside ? text : dim(text)}`.trimEnd());
    if (number === range.start.line) out.push(`${dim(`${' '.repeat(gutter)} |`)} ${red(carets(source, range))}`);
  }
  return `${out.join('\n')}\n`;
}

/** The excerpt as BuildKit's clients print it: `>>>` before each line of the place. */
export function renderMarkedExcerpt(source: SourceText, { start, end }: { start: number; end: number }): string {
  const rule = '-'.repeat(20);
  const first = Math.max(1, start - around);
  const shown = source.text.endsWith('\n') ? source.lines.length + 1 : source.lines.length;
  const last = Math.min(shown, end + around);
  const out = [`${source.name}:${start}`, rule];
  for (let number = first; number <= last; number++) {
    const mark = number >= start && number <= end ? '>>>' : '   ';
    out.push(`${String(number).padStart(4)} | ${mark} ${source.lineText(number)}`);
  }
  return `${[...out, rule].join('\n')}\n`;
}

function carets(source: SourceText, { start, end }: Range): string {
  const line = Array.from(source.lineText(start.line)).slice(0, widest);
  const from = Math.min(start.column - 1, line.length);
  const to = end.line === start.line ? Math.min(end.column - 1, line.length) : line.length;
  // A tab stays a tab, so that the caret stands under its character whatever the terminal's stops.
  const indent = line
    .slice(0, from)
    .map((character) => (character === '\t' ? '\t' : ' '))
    .join('');
  return indent + '^'.repeat(Math.max(1, to - from));
}

/** Terminal control is a hostile file's way out of the excerpt. */
function printable(text: string): string {
  const characters = Array.from(text);
  const cut = characters.length > widest ? `${characters.slice(0, widest).join('')}…` : text;
  return cut.replaceAll(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '\ufffd');
}
