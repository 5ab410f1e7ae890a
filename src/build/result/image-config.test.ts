import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlannedImage } from '../plan/image-fold.ts';
import { builtConfig } from './image-config.ts';
import { type BuiltRoot, scratch } from './root.ts';

/** Times of layers by step, and of a base image's lines; `-` is an instruction without a layer. */
function timesOf(...lines: readonly string[]): (string | undefined)[] {
  const roots = new Map<string, BuiltRoot>();
  const history: PlannedImage['history'] = lines.map((line) => {
    if (line.startsWith('base ')) return { entry: { created: line.slice(5), created_by: 'base' }, step: undefined };
    if (line === '-') return { entry: { created_by: 'ENV', empty_layer: true }, step: undefined };
    roots.set(line, { ...scratch, createdAt: line });
    return { entry: { created_by: 'RUN' }, step: line };
  });
  const image = { os: 'linux', architecture: 'amd64', variant: undefined, author: undefined, config: {}, history };
  const config = builtConfig(image, scratch, roots);
  return [...(config.history ?? []).map(({ created }) => created), config.created];
}

test('an instruction before the first new layer has that time, others that of the layer before', () => {
  assert.deepEqual(timesOf('base 1', '-', '5', '-', '7', '-'), ['1', '5', '5', '5', '7', '7', '7']);
});

test('without a new layer it is the base that tells the time', () => {
  assert.deepEqual(timesOf('base 1', 'base 2', '-'), ['1', '2', '2', '2']);
  assert.deepEqual(timesOf('base 1'), ['1', '1']);
});

test('what stands on nothing and has no layer has no time', () => {
  assert.deepEqual(timesOf('-', '-'), [undefined, undefined, undefined]);
});
