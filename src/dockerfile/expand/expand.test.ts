import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { expand, ExpansionError } from './expand.ts';
import { matchPrefixes, parseGlob } from './glob.ts';

const none = new Map<string, string>();

test('text without dollars, quotes and escapes expands to itself', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll(/[$'"\\]/g, '')),
      (text) => assert.equal(expand(text, none).text, text),
    ),
  );
});

test('expansion ends with a text or with an ExpansionError, whatever is expanded', () => {
  const piece = fc.oneof(
    fc.constantFrom('$', '${', '}', ':-', ':?', '/', '//', '##', '%%', '*', '?', '\\', '`', '"', "'", 'A', 'B'),
    fc.string({ unit: 'binary', maxLength: 3 }),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 15 }),
      fc.record({
        rawQuotes: fc.boolean(),
        rawEscapes: fc.boolean(),
        ignoreQuotes: fc.boolean(),
        keepUnset: fc.boolean(),
      }),
      (pieces, options) => {
        try {
          expand(pieces.join(''), new Map([['A', 'abcabc']]), options);
        } catch (error) {
          assert.ok(error instanceof ExpansionError, String(error));
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test('what was asked for is told, whether it had a value or not', () => {
  const { text, used, missing } = expand('$A ${B:-$C} ${A:+$D}', new Map([['A', '1']]));
  assert.equal(text, '1  ');
  assert.deepEqual([...used], ['A']);
  assert.deepEqual([...missing], ['C', 'B', 'D']);
});

test('words part at spaces that are neither quoted nor escaped, those of values too', () => {
  const words = (text: string): string[] => expand(text, new Map([['V', 'x y']])).words.map((word) => word.text);
  assert.deepEqual(words('a  "b c" d\\ e \'f\'g'), ['a', 'b c', 'd e', 'fg']);
  assert.deepEqual(words('$V "$V"'), ['x', 'y', 'x y']);
  assert.deepEqual(words('"" \'\''), []);
});

test('unset variables can be left as they are, with their operators', () => {
  const keep = (text: string): string => expand(text, none, { keepUnset: true, rawQuotes: true }).text;
  for (const text of ['$A', '${A}', '${A:-b}', '${A/b/c}', '"$A"', "'$A'"]) assert.equal(keep(text), text);
});

test('a hostile pattern takes time in proportion to pattern and value', () => {
  const value = 'a'.repeat(2000);
  const pattern = `${'*a'.repeat(40)}b`;
  const { text } = expand(`\${V##${pattern}} \${V%%${pattern}}`, new Map([['V', value]]));
  assert.equal(text, `${value} ${value}`);
});

test('a value cannot be made to double without end', () => {
  const half = 'x'.repeat(600_000);
  assert.throws(() => expand('$A$A', new Map([['A', half]])), /expands to more than/);
  assert.equal(expand('$A', new Map([['A', half]])).text, half);
});

test('replacing in a long value takes time in proportion to it', () => {
  const value = `${'a'.repeat(50_000)}\nz`;
  assert.equal(expand('${V//a*z/x}', new Map([['V', value]])).text, value);
  assert.equal(expand('${V//a/b}', new Map([['V', 'a'.repeat(50_000)]])).text, 'b'.repeat(50_000));
});

test('hostile nesting is refused, not followed until the stack ends', () => {
  assert.throws(() => expand('${A:-'.repeat(20_000), none), ExpansionError);
});

test('a glob matches as its regular expression does', () => {
  const alphabet = fc.constantFrom('a', 'b', '*', '?', '\n');
  fc.assert(
    fc.property(
      fc.array(alphabet, { maxLength: 6 }),
      fc.array(fc.constantFrom('a', 'b', '\n'), { maxLength: 8 }),
      (pattern, value) => {
        const ends = matchPrefixes(parseGlob(pattern.join('')), value);
        const source = pattern.map((one) => (one === '*' ? '[^\n]*' : one === '?' ? '[^\n]' : one)).join('');
        const expected = Array.from({ length: value.length + 1 }, (_, end) => end).filter((end) =>
          new RegExp(`^${source}$(?![^])`).test(value.slice(0, end).join('')),
        );
        assert.deepEqual(ends, expected);
      },
    ),
  );
});
