/**
 * Words as BuildKit's shell lexer reads them: quotes and escapes taken out, variables put in, and the words of the result told apart. It
 * looks like a shell and is none: no commands, no globs of files, no field splitting by IFS.
 */
import { goQuote, isDigit, isLetter } from '../text/characters.ts';
import type { EscapeToken } from '../text/read-lines.ts';
import { replace, trimPrefix, trimSuffix } from './operators.ts';
import { type ExpandedWord, WordCollector } from './word-collector.ts';

export interface Variables {
  get(name: string): string | undefined;
}

export interface ExpandOptions {
  readonly escape?: EscapeToken;
  /** Keep the quotes in the text. */
  readonly rawQuotes?: boolean;
  /** Keep the escape tokens in the text. */
  readonly rawEscapes?: boolean;
  /** Quotes are ordinary characters: the bodies of heredocs. */
  readonly ignoreQuotes?: boolean;
  /** Leave what names an unset variable as it is. */
  readonly keepUnset?: boolean;
}

export interface Expansion {
  readonly text: string;
  readonly words: readonly ExpandedWord[];
  /** Names asked for that have a value, and names that have none, in the order of their first use. */
  readonly used: ReadonlySet<string>;
  readonly missing: ReadonlySet<string>;
}

/** Thrown with BuildKit's words: `failed to process "${v": …`. The names consulted before it came to that are kept. */
export class ExpansionError extends Error {
  readonly missing: ReadonlySet<string>;

  constructor(source: string, cause: Error, missing: ReadonlySet<string>) {
    super(`failed to process ${goQuote(source)}: ${cause.message}`, { cause });
    this.name = 'ExpansionError';
    this.missing = missing;
  }
}

/** @throws ExpansionError */
export function expand(source: string, variables: Variables, options: ExpandOptions = {}): Expansion {
  const lexer = new Lexer(source, variables, options);
  try {
    const { text, words } = lexer.read('', options.rawEscapes ?? false);
    return { text, words, used: lexer.used, missing: lexer.missing };
  } catch (error) {
    throw new ExpansionError(source, error as Error, lexer.missing);
  }
}

/** Parameters a shell would fill in; here they are names like any other. */
const specialParameters = new Set('@*#?-$!0');
const deepest = 500;
/** What a word may grow by beyond four times its length: far more than any program takes, far less than fills a memory. */
const longest = 1024 * 1024;

class Lexer {
  readonly used = new Set<string>();
  readonly missing = new Set<string>();
  readonly #text: string;
  readonly #variables: Variables;
  readonly #options: ExpandOptions;
  readonly #escape: string;
  readonly #longest: number;
  #rawEscapes: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string, variables: Variables, options: ExpandOptions) {
    this.#text = text;
    this.#variables = variables;
    this.#options = options;
    this.#escape = options.escape ?? '\\';
    this.#longest = longest + 4 * text.length;
    this.#rawEscapes = options.rawEscapes ?? false;
  }

  /** To the character `stop`, which is eaten, or to the end where it is ''. */
  read(stop: string, rawEscapes: boolean): { text: string; words: readonly ExpandedWord[] } {
    if (++this.#depth > deepest) throw new Error('too many nested substitutions');
    const before = this.#rawEscapes;
    this.#rawEscapes = rawEscapes;
    try {
      return this.#readOn(stop);
    } finally {
      this.#rawEscapes = before;
      this.#depth--;
    }
  }

  #readOn(stop: string): { text: string; words: readonly ExpandedWord[] } {
    let text = '';
    const words = new WordCollector();
    const isQuote = (character: string): boolean => this.#options.ignoreQuotes !== true && /^['"]$/.test(character);
    while (this.#at < this.#text.length) {
      const start = this.#at;
      const character = this.#peek();
      if (stop !== '' && character === stop) {
        this.#next();
        return { text, words: words.end() };
      }
      if (character === '$') {
        const value = this.#dollar();
        text += value;
        words.addText(value, start, this.#at);
      } else if (isQuote(character)) {
        const value = character === "'" ? this.#singleQuoted() : this.#doubleQuoted();
        text += value;
        words.addRaw(value, start, this.#at);
      } else text += this.#plain(words);
      if (text.length > this.#longest) throw new Error(`expands to more than ${this.#longest} characters`);
    }
    if (stop !== '') throw new Error(`unexpected end of statement while looking for matching ${stop}`);
    return { text, words: words.end() };
  }

  #plain(words: WordCollector): string {
    const start = this.#at;
    const character = this.#next();
    if (character !== this.#escape) {
      words.addText(character, start, this.#at);
      return character;
    }
    const kept = this.#rawEscapes ? character : '';
    if (kept !== '') words.addRaw(kept, start, this.#at);
    if (this.#at >= this.#text.length) return kept;
    const escaped = this.#next();
    words.addRaw(escaped, start, this.#at);
    return kept + escaped;
  }

  #singleQuoted(): string {
    const quote = this.#options.rawQuotes === true ? this.#peek() : '';
    this.#next();
    const end = this.#text.indexOf("'", this.#at);
    if (end < 0) {
      this.#at = this.#text.length;
      throw new Error('unexpected end of statement while looking for matching single-quote');
    }
    const inside = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return quote + inside + quote;
  }

  #doubleQuoted(): string {
    const quote = this.#options.rawQuotes === true ? this.#peek() : '';
    this.#next();
    let out = quote;
    while (this.#at < this.#text.length) {
      const character = this.#peek();
      if (character === '"') {
        this.#next();
        return out + quote;
      }
      if (character === '$') out += this.#dollar();
      else out += this.#inDoubleQuotes();
    }
    throw new Error('unexpected end of statement while looking for matching double-quote');
  }

  #inDoubleQuotes(): string {
    const character = this.#next();
    if (character !== this.#escape) return character;
    const kept = this.#rawEscapes ? character : '';
    const next = this.#peek();
    if (next === '') return kept;
    return kept + (next === '"' || next === '$' || next === this.#escape ? this.#next() : character);
  }

  #dollar(): string {
    this.#next();
    if (this.#peek() !== '{') {
      const name = this.#name();
      if (name === '') return '$';
      const value = this.#lookUp(name);
      return value === undefined && this.#options.keepUnset === true ? `$${name}` : (value ?? '');
    }
    this.#next();
    const first = this.#peek();
    if (first === '') throw new Error("syntax error: missing '}'");
    if (first === '{' || first === '}' || first === ':') throw new Error('syntax error: bad substitution');
    return this.#braced(this.#name());
  }

  #braced(name: string): string {
    const operator = this.#next();
    if (operator === '}') {
      const value = this.#lookUp(name);
      return value === undefined && this.#options.keepUnset === true ? `\${${name}}` : (value ?? '');
    }
    if (operator === '/') return this.#replacement(name);
    const isColon = operator === ':';
    const action = isColon ? this.#next() : operator;
    const modifier = isColon ? operator + (action || '\ufffd') : operator || '\ufffd';
    const isKnown = isColon || /^[-+?#%]$/.test(action);
    if (!isKnown) throw unsupported(modifier);
    const word = this.#untilBrace(action === '#' || action === '%');
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.keepUnset === true) return `\${${name}${modifier}${word}}`;
    return this.#apply({ name, value, action, modifier, word, emptyIsUnset: isColon });
  }

  #apply({ name, value, action, modifier, word, emptyIsUnset }: Substitution): string {
    const isUnset = value === undefined || (emptyIsUnset && value === '');
    switch (action) {
      case '-':
        return isUnset ? word : value;
      case '+':
        return isUnset ? '' : word;
      case '?':
        if (!isUnset) return value;
        throw new Error(`${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`);
      case '#':
      case '%': {
        if (emptyIsUnset) throw unsupported(modifier);
        const isLongest = word.startsWith(action);
        const pattern = isLongest ? word.slice(1) : word;
        return (action === '#' ? trimPrefix : trimSuffix)(value ?? '', pattern, isLongest);
      }
      default:
        throw unsupported(modifier);
    }
  }

  #replacement(name: string): string {
    const all = this.#peek() === '/';
    if (all) this.#next();
    const pattern = this.#until('/', true, "syntax error: missing '/' in ${}");
    const replacement = this.#until('}', true, "syntax error: missing '}'");
    const value = this.#lookUp(name);
    if (value === undefined && this.#options.keepUnset === true) return `\${${name}/${pattern}/${replacement}}`;
    return replace(value ?? '', pattern, replacement, all);
  }

  #untilBrace(rawEscapes: boolean): string {
    return this.#until('}', rawEscapes, "syntax error: missing '}'");
  }

  #until(stop: string, rawEscapes: boolean, missing: string): string {
    try {
      return this.read(stop, rawEscapes).text;
    } catch (error) {
      throw this.#at >= this.#text.length ? new Error(missing, { cause: error }) : error;
    }
  }

  /** A name of letters, digits and `_`; or only digits; or one special parameter. */
  #name(): string {
    const first = this.#peek();
    if (specialParameters.has(first) && !isDigit(first)) return this.#next();
    const isNumber = isDigit(first);
    let name = '';
    for (let next = first; next !== ''; next = this.#peek()) {
      if (isNumber ? !isDigit(next) : !(isLetter(next) || isDigit(next) || next === '_')) break;
      name += this.#next();
    }
    return name;
  }

  #lookUp(name: string): string | undefined {
    const value = this.#variables.get(name);
    (value === undefined ? this.missing : this.used).add(name);
    return value;
  }

  /** The next character, '' at the end. */
  #peek(): string {
    const code = this.#text.codePointAt(this.#at);
    return code === undefined ? '' : String.fromCodePoint(code);
  }

  #next(): string {
    const character = this.#peek();
    this.#at += character.length;
    return character;
  }
}

interface Substitution {
  readonly name: string;
  readonly value: string | undefined;
  readonly action: string;
  /** As written: `:-`. */
  readonly modifier: string;
  readonly word: string;
  readonly emptyIsUnset: boolean;
}

function unsupported(modifier: string): Error {
  return new Error(`unsupported modifier (${modifier}) in substitution`);
}
