/** Character classes as Go's `unicode` and BuildKit's patterns have them. */

const spaces = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$/;
const letters = /^\p{L}$/u;
const digits = /^\p{Nd}$/u;

/** Go's `unicode.IsSpace`. */
export function isSpace(character: string): boolean {
  return spaces.test(character);
}

/** Go's `unicode.IsLetter`. */
export function isLetter(character: string): boolean {
  return letters.test(character);
}

/** Go's `unicode.IsDigit`. */
export function isDigit(character: string): boolean {
  return digits.test(character);
}

/** What separates the keyword and the words of FROM, COPY, EXPOSE, VOLUME: not every space of Unicode. */
export function isSeparator(character: string): boolean {
  return character === ' ' || (character >= '\t' && character <= '\r' && character !== '\n');
}

/** Go's `strings.TrimSpace`. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start]!)) start++;
  while (end > start && isSpace(text[end - 1]!)) end--;
  return text.slice(start, end);
}

/** Go's `%q`. */
export function goQuote(text: string): string {
  let out = '"';
  for (const character of text) out += quoteOne(character);
  return `${out}"`;
}

const named: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};

function quoteOne(character: string): string {
  const short = named[character];
  if (short !== undefined) return short;
  // Go prints what `unicode.IsPrint` takes: letters, marks, numbers, punctuation, symbols, and of the spaces only U+0020.
  if (character === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character)) return character;
  const code = character.codePointAt(0)!;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
