import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { cleanPath } from './clean.ts';
import { compileGlob, matchBySets } from './glob-match.ts';
import { BadPattern, type PathToken, tokenize } from './glob-tokens.ts';
import { ignoreFileNames, parseIgnoreFile } from './ignore-file.ts';
import { compilePathPattern, hasWildcard } from './match-path.ts';
import { type FolderMatch, PatternMatcher } from './pattern-matcher.ts';

interface Recorded {
  readonly tree: readonly string[];
  readonly cases: Readonly<Record<string, { text: string; excluded?: readonly string[]; error?: string }>>;
}

const file = resolve(import.meta.dirname, '../../../test/fixtures/dockerignore/cases.json');
const recorded = JSON.parse(readFileSync(file, 'utf8')) as Recorded;

for (const [name, { text, excluded, error }] of Object.entries(recorded.cases)) {
  test(`.dockerignore ${name}`, () => {
    if (error !== undefined) {
      const why = /syntax error in pattern|illegal exclusion pattern: "!"/.exec(error)?.[0];
      assert.ok(why, error);
      assert.throws(() => new PatternMatcher(parseIgnoreFile(text)), { kind: 'invalid', message: why });
      return;
    }
    const matcher = new PatternMatcher(parseIgnoreFile(text));
    const left = recorded.tree.filter((path) => matcher.matches(path));
    assert.deepEqual(left, excluded);
    assert.deepEqual(
      recorded.tree.filter((path) => walk(matcher, path)),
      excluded,
      'in a walk',
    );
  });
}

/** What a walk from the top finds, which leaves out whole folders where it may. */
function walk(matcher: PatternMatcher, path: string): boolean {
  const parts = path.split('/');
  let parent: FolderMatch | undefined;
  for (let depth = 1; depth <= parts.length; depth++) {
    const here = parts.slice(0, depth).join('/');
    parent = matcher.matchBelow(here, parent);
    if (parent.isMatched && depth < parts.length && matcher.canSkip(here)) return true;
  }
  return parent!.isMatched;
}

const pattern = fc
  .array(fc.constantFrom('a', 'b', '/', '*', '**', '?', '[ab]', '[^a]', '!'), { minLength: 1, maxLength: 7 })
  .map((parts) => parts.join(''));
const path = fc
  .array(fc.constantFrom('a', 'b', 'ab', 'ba'), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'));

// With `!` moby's own two ways differ where a pattern was not asked about a folder, because it could have changed nothing there.
test('a walk agrees with looking at each path by itself, where nothing is included again', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 5 }), path, (patterns, one) => {
      const usable = patterns.map((text) => text.replaceAll('!', 'b'));
      const matcher = new PatternMatcher(usable);
      assert.equal(walk(matcher, one), matcher.matches(one), JSON.stringify(usable));
    }),
    { numRuns: 3000 },
  );
});

test('few wildcards and many are matched alike', () => {
  const anyPath = fc.array(fc.constantFrom('a', 'b', '/', '\n', '𝄞'), { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(pattern, anyPath, fc.boolean(), (text, one, classesMatchSlash) => {
      const tokens: PathToken[] = tokenize(text, { globstar: true });
      assert.equal(
        matchBySets(tokens, one, { classesMatchSlash }),
        compileGlob(tokens.slice(0), { classesMatchSlash })(one),
      );
    }),
    { numRuns: 3000 },
  );
});

test('a hostile pattern does not backtrack without end', () => {
  const matcher = new PatternMatcher([`${'*a'.repeat(60)}b`, `${'**/a'.repeat(60)}/b`]);
  assert.equal(matcher.matches(`${'a'.repeat(200)}/${'a/'.repeat(60)}c`), false);
});

test('patterns as Go’s filepath.Match has them', () => {
  const yes = (text: string, name: string): void => assert.ok(compilePathPattern(text)(name), `${text} ${name}`);
  const no = (text: string, name: string): void => assert.ok(!compilePathPattern(text)(name), `${text} ${name}`);
  yes('a*c', 'abbc');
  no('a*', 'a/b');
  yes('a?c', 'a本c');
  no('a?c', 'a/c');
  yes('[a-c]x', 'bx');
  no('[^a-c]x', 'bx');
  no('[^a]b', '/b');
  yes('\\*', '*');
  yes('[\\]]', ']');
  no('**', 'a/b');
  assert.ok(compilePathPattern('**/c', { globstar: true })('a/b/c'));
  for (const bad of ['[', '[]', '[]a]', '[a', 'a\\', '[-]', '[a-]', '[\\']) {
    assert.throws(() => compilePathPattern(bad), BadPattern, bad);
  }
});

test('what is a pattern, and what only looks like one', () => {
  assert.deepEqual(['a', 'a*', 'a?', '[a]', 'a\\*', 'a\\\\*'].map(hasWildcard), [false, true, true, true, false, true]);
});

test('paths are cleaned as Go does', () => {
  const pairs = {
    '': '.',
    '.': '.',
    'a/../..': '..',
    '/..': '/',
    'a//b/': 'a/b',
    '/a/./b/..': '/a',
    '../../a': '../../a',
    '/': '/',
  };
  for (const [text, clean] of Object.entries(pairs)) assert.equal(cleanPath(text), clean);
});

test('a Dockerfile’s own ignore file comes before that of the context', () => {
  assert.deepEqual(ignoreFileNames('docker/Dev.Dockerfile'), ['docker/Dev.Dockerfile.dockerignore', '.dockerignore']);
});

test('three stars and a long path take no longer than their product', () => {
  const path = 'a'.repeat(4000);
  const started = performance.now();
  for (const pattern of ['*a*a*b', '*a*a*a*a*a*b', '**/*a*/**/*b']) {
    assert.ok(!new PatternMatcher([pattern]).matches(path));
    assert.ok(!compilePathPattern(pattern)(path));
  }
  assert.ok(performance.now() - started < 5000);
});
