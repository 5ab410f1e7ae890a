/** JSON as Go's encoding/json writes it: `<`, `>`, `&` and the line separators escaped, keys in the order they are in. */
import type { Tree } from '../tree.ts';
import { isMap } from '../tree.ts';

const escaped: Record<string, string> = {
  '<': '\\u003c',
  '>': '\\u003e',
  '&': '\\u0026',
  '\u2028': '\\u2028',
  '\u2029': '\\u2029',
};

/** @param indent spaces, for people */
export function goJson(value: Tree, indent?: number): string {
  return write(value, indent, 0);
}

function write(value: Tree, indent: number | undefined, depth: number): string {
  const [open, between, close] =
    indent === undefined
      ? ['', ',', '']
      : [
          `\n${' '.repeat(indent * (depth + 1))}`,
          `,\n${' '.repeat(indent * (depth + 1))}`,
          `\n${' '.repeat(indent * depth)}`,
        ];
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[${open}${value.map((each) => write(each, indent, depth + 1)).join(between)}${close}]`;
  }
  if (isMap(value)) {
    const keys = Object.keys(value);
    if (keys.length === 0) return '{}';
    const colon = indent === undefined ? ':' : ': ';
    const entries = keys.map((key) => `${text(key)}${colon}${write(value[key]!, indent, depth + 1)}`);
    return `{${open}${entries.join(between)}${close}}`;
  }
  if (typeof value === 'string') return text(value);
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

function text(value: string): string {
  return JSON.stringify(value)
    .replaceAll(/[<>&\u2028\u2029]/g, (character) => escaped[character]!)
    .replaceAll('\\b', '\\u0008')
    .replaceAll('\\f', '\\u000c');
}
