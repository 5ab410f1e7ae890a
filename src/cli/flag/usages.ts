/** The flags part of help, wrapped as pflag wraps it. */
import type { FlagSpec } from './table.ts';

/** @param width columns of the terminal. */
export function flagUsages(specs: readonly FlagSpec[], width: number): string {
  const shown = specs.filter((spec) => !spec.hidden && !spec.description.includes('(Windows only)'));
  const left = shown.map((spec) => {
    const short = spec.short === undefined ? '    ' : `-${spec.short}, `;
    return `  ${short}--${spec.name}${spec.type === '' ? '' : ` ${spec.type}`}`;
  });
  // pflag counts a NUL between the columns.
  const longest = Math.max(0, ...left.map((text) => text.length)) + 1;
  return shown
    .map((spec, index) => `${left[index]!.padEnd(longest)}  ${wrap(longest + 2, width, spec.description)}\n`)
    .join('');
}

function wrap(indent: number, width: number, text: string): string {
  let pad = indent;
  let room = width - pad;
  let result = '';
  if (room < 24) {
    pad = 16;
    room = width - pad;
    result = `\n${' '.repeat(pad)}`;
  }
  const margin = `\n${' '.repeat(pad)}`;
  if (room < 24) return text.replaceAll('\n', result);
  let rest = text;
  for (let first = true; first || rest !== ''; first = false) {
    const [part, after] = cut(room - 5, 5, rest);
    result += `${first ? '' : margin}${part.replaceAll('\n', margin)}`;
    rest = after;
  }
  return result;
}

function cut(room: number, slop: number, text: string): [string, string] {
  if (room + slop > text.length) return [text, ''];
  const head = text.slice(0, room);
  const space = Math.max(head.lastIndexOf(' '), head.lastIndexOf('\t'), head.lastIndexOf('\n'));
  if (space <= 0) return [text, ''];
  const newline = head.lastIndexOf('\n');
  const at = newline > 0 && newline < space ? newline : space;
  return [text.slice(0, at), text.slice(at + 1)];
}
