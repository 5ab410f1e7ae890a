/** Variables in values: `$V`, `${V}`, `${V-d}`, `${V:-d}`, `${V+a}`, `${V:+a}`, `${V?e}`, `${V:?e}`, nested; `$$` is `$` (Compose specification, interpolation). */

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/** The text is no template. */
export class InvalidTemplate extends Error {}

/** `${V?…}` without a V. */
export class MissingVariable extends Error {}

export interface Substitution {
  lookup: Lookup;
  /** Hears of variables that are not set and have no default. */
  onUnset?: ((name: string) => void) | undefined;
}

const name = /^[_a-zA-Z][_a-zA-Z0-9]*/;
const operators = [':-', ':+', ':?', '-', '+', '?'] as const;
const deepest = 50;

/** @throws InvalidTemplate, MissingVariable */
export function substitute(text: string, substitution: Substitution, depth = 0): string {
  if (!text.includes('$')) return text;
  if (depth > deepest) throw new InvalidTemplate(text);
  let out = '';
  for (let at = 0; at < text.length; ) {
    const dollar = text.indexOf('$', at);
    if (dollar < 0) return out + text.slice(at);
    out += text.slice(at, dollar);
    const next = text[dollar + 1];
    if (next === '$') {
      out += '$';
      at = dollar + 2;
    } else if (next === '{') {
      const end = closingBrace(text, dollar + 1);
      if (end < 0) throw new InvalidTemplate(text);
      out += braced(text.slice(dollar + 2, end), text, substitution, depth);
      at = end + 1;
    } else {
      const match = name.exec(text.slice(dollar + 1, dollar + 1 + 256));
      if (match === null) {
        // A dollar before anything else is one.
        out += '$';
        at = dollar + 1;
      } else {
        out += valueOf(match[0], substitution);
        at = dollar + 1 + match[0].length;
      }
    }
  }
  return out;
}

/** Where the brace at `open` ends; those of variables within are paired, -1 when there is no end. */
function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  return -1;
}

function braced(inside: string, whole: string, substitution: Substitution, depth: number): string {
  const variable = name.exec(inside)?.[0];
  if (variable === undefined) throw new InvalidTemplate(whole);
  const rest = inside.slice(variable.length);
  if (rest === '') return valueOf(variable, substitution);
  const operator = operators.find((each) => rest.startsWith(each));
  if (operator === undefined) throw new InvalidTemplate(whole);
  const value = substitution.lookup(variable);
  const word = (): string => substitute(rest.slice(operator.length), substitution, depth + 1);
  const given = value !== undefined && (operator.length === 1 || value !== '');
  if (operator.endsWith('-')) return given ? value : word();
  if (operator.endsWith('+')) return given ? word() : (value ?? '');
  if (given) return value;
  const reason = word();
  throw new MissingVariable(`required variable ${variable} is missing a value${reason === '' ? '' : `: ${reason}`}`);
}

function valueOf(variable: string, { lookup, onUnset }: Substitution): string {
  const value = lookup(variable);
  if (value === undefined) onUnset?.(variable);
  return value ?? '';
}
