import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue, makeableName, recipeFor } from './catalog.ts';

const bookworm = { suite: 'bookworm', architecture: 'x64' };

test('names people write mean the same recipe', () => {
  for (const name of ['debian:12-slim', 'docker.io/library/debian:bookworm-slim', 'library/debian:bookworm-slim'])
    assert.equal(recipeFor(name, bookworm).recipe.name, 'debian:bookworm-slim', name);
  assert.equal(recipeFor('debian', bookworm).recipe.name, 'debian:bookworm');
  assert.equal(recipeFor('node:lts-slim', bookworm).recipe.name, 'node:24-slim');
  assert.deepEqual(recipeFor('postgres:15-bookworm', bookworm), {
    recipe: { kind: 'postgres', name: 'postgres:15', base: 'debian:bookworm-slim', major: 15 },
    name: 'postgres:15-bookworm',
  });
  assert.equal(recipeFor('busybox', bookworm).recipe.kind, 'busybox');
});

test('what cannot be made here says what can', () => {
  const fails = (name: string, message: RegExp): void => {
    assert.throws(() => recipeFor(name, bookworm), { kind: 'not-found', message }, name);
  };
  fails('postgres:16', /Cannot make postgres:16 on bookworm: there are postgres:15, postgres:15-bookworm/);
  fails('debian:trixie', /there are debian:bookworm-slim/);
  fails('nginx', /see 'wherry image bootstrap --list'/);
  fails('example.org/library/debian:bookworm', /see 'wherry/);
  fails('someone/debian:bookworm', /see 'wherry/);
  fails(`debian@sha256:${'a'.repeat(64)}`, /see 'wherry/);
  assert.throws(() => recipeFor('UPPER case', bookworm), { kind: 'invalid' });
  assert.throws(() => recipeFor('debian', { suite: undefined, architecture: 'x64' }), { kind: 'not-found' });
  assert.equal(makeableName('node:24', { suite: 'bookworm', architecture: 'riscv64' }), undefined);
  assert.equal(makeableName('docker.io/library/node:24', bookworm), 'node:24');
});

test('every name of the catalogue leads to its own recipe, and bases are in it', () => {
  const all = catalogue({ suite: 'trixie', architecture: 'arm64' });
  for (const { recipe, names } of all)
    for (const name of names)
      assert.deepEqual(recipeFor(name, { suite: 'trixie', architecture: 'arm64' }).recipe, recipe);
  const names = new Set(all.flatMap((each) => each.names));
  for (const { recipe } of all) if ('base' in recipe) assert.ok(names.has(recipe.base), recipe.base);
});
