/** What makes a template another one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Recipe, recipeKey, templateName } from './recipe.ts';

test('all that decides what is in it, and nothing else', () => {
  const recipe: Recipe = { image: 'busybox', env: { A: '1' }, seed: async () => {}, files: { '/a': 'x' } };
  const key = recipeKey(recipe, 'sha256:1');
  assert.match(key, /^[0-9a-f]{20}$/);
  assert.equal(recipeKey({ ...recipe, ports: [80], limits: { cpus: 1 }, ready: {} }, 'sha256:1'), key);
  const others = [
    recipeKey(recipe, 'sha256:2'),
    recipeKey({ ...recipe, env: { A: '2' } }, 'sha256:1'),
    recipeKey({ ...recipe, files: { '/a': 'y' } }, 'sha256:1'),
    recipeKey({ ...recipe, key: 2 }, 'sha256:1'),
    recipeKey({ ...recipe, seed: async () => void 0 }, 'sha256:1'),
  ];
  assert.equal(new Set([key, ...others]).size, others.length + 1);
});

test('names of repositories', () => {
  assert.equal(templateName({ image: 'registry.example:5000/me/Postgres_X:17' }), 'wherry-template/postgres-x');
  assert.equal(templateName({ image: 'a', name: 'My App/' }), 'wherry-template/my-app');
  assert.equal(templateName({ image: 'a', name: '…' }), 'wherry-template/database');
});
