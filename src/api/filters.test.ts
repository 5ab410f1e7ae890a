/** Filters that clients send to hurt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesPattern, parseFilters } from './filters.ts';

const names = (pattern: string) => new Map([['name', new Set([pattern])]]);

test('values with parts are refused, not printed', () => {
  const deep = `{"name":[${'['.repeat(100_000)}${']'.repeat(100_000)}]}`;
  for (const text of ['{"name":[{"toString":1}]}', '{"name":[[]]}', deep])
    assert.throws(() => parseFilters(text), { kind: 'invalid', message: 'invalid filter' });
  assert.deepEqual(parseFilters('{"name":[1,true,null]}'), new Map([['name', new Set(['1', 'true', 'null'])]]));
});

test('names match as texts and as expressions', () => {
  const web = ['/shop-web-1', 'shop-web-1'];
  for (const pattern of ['web', '^/shop', '^shop.*1$', 'w[a-f]b', '(shop|x)-(web)+-\\d+', '^[a-z]+-[a-z]+-\\d{1,3}$'])
    assert.equal(matchesPattern(names(pattern), 'name', web), true, pattern);
  for (const pattern of ['db', '^web', '(', 'shop$', '(a+)+b+$'])
    assert.equal(matchesPattern(names(pattern), 'name', web), false, pattern);
  assert.equal(matchesPattern(new Map(), 'name', web), true);
});

test('an expression that backtracks without end is given up, for all of a request’s names at once', () => {
  const name = `${'a'.repeat(60)}.`;
  const filters = names('(a+)+$');
  const started = performance.now();
  for (let round = 0; round < 100; round++)
    assert.throws(() => matchesPattern(filters, 'name', [name]), {
      kind: 'invalid',
      message: "invalid filter 'name=(a+)+$': this expression takes too long",
    });
  assert.ok(performance.now() - started < 2000);
  for (const pattern of ['a*a*a*a*a*a*a*a*b', '(.*)(.*)(.*)(.*)(.*)(.*)!', '(a|aa)+$', String.raw`^(a+)\1+\1+\1+$`]) {
    const before = performance.now();
    try {
      matchesPattern(names(pattern), 'name', [name, name]);
    } catch (error) {
      assert.equal((error as { kind?: string }).kind, 'invalid');
    }
    assert.ok(performance.now() - before < 1000, pattern);
  }
});
