/** The grammar of `.env` and env files: `K=V`, `export K=V`, `K: V`, quotes, comments, values over several lines, variables. */
import { Fault } from '../../std/index.ts';
import { InvalidTemplate, type Lookup, MissingVariable, substitute } from './template.ts';

const space = /[\t\v\f\r \u0085\u00a0]/;

/**
 * Adds what the text sets to `into`. Variables in values are looked up by `lookup`, then among what was set so far.
 * @throws Fault invalid `failed to read NAME: line N: …`
 */
export function parseDotenv(name: string, text: string, into: Record<string, string>, lookup: Lookup): void {
  new Reader(name, text, into, lookup).read();
}

class Reader {
  readonly #name: string;
  readonly #text: string;
  readonly #into: Record<string, string>;
  readonly #lookup: Lookup;
  #at = 0;

  constructor(name: string, text: string, into: Record<string, string>, lookup: Lookup) {
    this.#name = name;
    this.#text = text.startsWith('\ufeff') ? text.slice(1) : text;
    this.#into = into;
    this.#lookup = (variable) => lookup(variable) ?? (Object.hasOwn(into, variable) ? into[variable] : undefined);
  }

  read(): void {
    while (this.#skipToStatement()) this.#statement();
  }

  /** Over blank lines and comments. @returns whether there is more */
  #skipToStatement(): boolean {
    for (;;) {
      while (this.#at < this.#text.length && /\s/.test(this.#text[this.#at]!)) this.#at++;
      if (this.#text[this.#at] !== '#') return this.#at < this.#text.length;
      this.#skipLine();
    }
  }

  #skipLine(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  #statement(): void {
    const exported = /^export[^\S\n]+/.exec(this.#text.slice(this.#at, this.#at + 100));
    if (exported !== null) this.#at += exported[0].length;
    const start = this.#at;
    while (this.#at < this.#text.length && !'=:\n'.includes(this.#text[this.#at]!)) {
      const character = String.fromCodePoint(this.#text.codePointAt(this.#at)!);
      if (!/[\p{L}\p{N}_.\-[\]]/u.test(character) && !space.test(character)) {
        const line = this.#text.slice(start).split('\n', 1)[0]!;
        throw this.#fault(`unexpected character ${JSON.stringify(character)} in variable name ${JSON.stringify(line)}`);
      }
      this.#at += character.length;
    }
    const key = this.#text.slice(start, this.#at).trimEnd();
    const inherited = this.#at >= this.#text.length || this.#text[this.#at] === '\n';
    if (key.includes(' ')) throw this.#fault('key cannot contain a space');
    this.#at++;
    if (inherited) {
      const value = this.#lookup(key);
      if (value !== undefined) this.#into[key] = value;
      return;
    }
    while (space.test(this.#text[this.#at] ?? '')) this.#at++;
    const quote = this.#text[this.#at];
    this.#into[key] = quote === '"' || quote === "'" ? this.#quoted(quote) : this.#plain();
  }

  #plain(): string {
    const start = this.#at;
    this.#skipLine();
    const line = this.#text.slice(start, this.#at);
    const comment = line.indexOf(' #');
    return this.#expand((comment < 0 ? line : line.slice(0, comment)).trimEnd());
  }

  #quoted(quote: string): string {
    const start = this.#at++;
    let value = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at]!;
      if (character === quote) {
        this.#at++;
        return quote === '"' ? this.#expand(unescaped(value)) : value;
      }
      if (character === '\\' && this.#at + 1 < this.#text.length) {
        const next = this.#text[++this.#at]!;
        value += next === quote ? next : `\\${next}`;
      } else value += character;
    }
    this.#at = start;
    throw this.#fault(`unterminated quoted value ${this.#text.slice(start).split('\n', 1)[0]!}`);
  }

  #expand(value: string): string {
    try {
      return substitute(value, { lookup: this.#lookup });
    } catch (error) {
      if (error instanceof InvalidTemplate) throw this.#fault(`Invalid template: ${JSON.stringify(value)}`);
      if (error instanceof MissingVariable) throw this.#fault(error.message);
      throw error;
    }
  }

  #fault(message: string): Fault {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    return new Fault('invalid', `failed to read ${this.#name}: line ${line}: ${message}`);
  }
}

const escapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  c: '\\c',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/** Go's escapes; `\$` stays a dollar that begins no variable. */
function unescaped(text: string): string {
  return text.replaceAll(
    /\\(?:([abcfnrtv$"\\])|0(\d{0,3}))/g,
    (match, letter: string | undefined, octal: string | undefined) => {
      if (letter === '$') return '$$';
      if (letter === '"') return '"';
      if (letter !== undefined) return escapes[letter]!;
      return octal !== undefined && /^[0-7]{3}$/.test(octal) ? String.fromCodePoint(Number.parseInt(octal, 8)) : match;
    },
  );
}
