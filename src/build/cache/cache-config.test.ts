import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Digest, sha256 } from '../../oci/index.ts';
import {
  type CacheContent,
  type CachedStep,
  encodeCacheConfig,
  encodeInlineCache,
  parseCacheConfig,
  parseInlineCache,
} from './cache-config.ts';

const digest = (name: string): Digest => sha256(name);
const blob = (name: string): { mediaType: string; digest: Digest; size: number } => ({
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digest(`blob ${name}`),
  size: name.length,
});
const step = (name: string, diffIds: string[], more: Partial<CachedStep> = {}): CachedStep => ({
  key: digest(`key ${name}`),
  definition: digest(`definition ${name}`),
  name,
  diffIds: diffIds.map(digest),
  baseLayers: 1,
  createdAt: '2026-01-02T03:04:05.678Z',
  ...more,
});

const content: CacheContent = {
  layers: new Map([
    [digest('b'), blob('b')],
    [digest('a'), blob('a')],
  ]),
  steps: [step('two', ['base', 'a', 'b']), step('one', ['base', 'a'], { createdAt: undefined })],
  folders: [{ id: '/root/.npm', mode: 0o1777, uid: 1, gid: 2, blob: blob('folder') }],
};

describe('the table of a cache', () => {
  test('is read as it was written', () => {
    const read = parseCacheConfig(encodeCacheConfig(content))!;
    const byName = (steps: readonly CachedStep[]): CachedStep[] => steps.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    assert.deepEqual(read.layers, content.layers);
    assert.deepEqual(byName(read.steps), byName(content.steps));
    assert.deepEqual(read.folders, content.folders);
  });

  test('is the same bytes for the same cache, whatever the order', () => {
    const other = {
      layers: new Map([...content.layers].toReversed()),
      steps: content.steps.toReversed(),
      folders: content.folders,
    };
    assert.deepEqual(encodeCacheConfig(other), encodeCacheConfig(content));
  });

  test("holds nothing in BuildKit's words; BuildKit's holds nothing in ours, nor does that of a later version", () => {
    const value = JSON.parse(encodeCacheConfig(content).toString()) as Record<string, unknown>;
    assert.deepEqual([value['layers'], value['records']], [[], []]);
    const theirs = { layers: [{ blob: digest('x'), parent: -1 }], records: [{ digest: digest('y') }] };
    assert.equal(parseCacheConfig(Buffer.from(JSON.stringify(theirs))), undefined);
    assert.equal(parseCacheConfig(Buffer.from(JSON.stringify({ wherry: { version: 2, steps: 'other' } }))), undefined);
  });

  const broken: [string, (table: Record<string, Record<string, unknown>[]>) => void][] = [
    ['a layer that is not there', ({ steps }) => (steps![0]!['layers'] = [7])],
    ['a place that is no number', ({ steps }) => (steps![0]!['layers'] = ['constructor'])],
    ['more layers than may be', ({ steps }) => (steps![0]!['layers'] = Array.from({ length: 1001 }, () => 0))],
    ['more base layers than layers', ({ steps }) => (steps![0]!['base'] = 9)],
    ['a key that is no digest', ({ steps }) => (steps![0]!['key'] = 'sha256:../../x')],
    ['a blob without a size', ({ layers }) => (layers![0]!['blob'] = { mediaType: 'x', digest: digest('x') })],
    ['a folder of a mode that is none', ({ folders }) => (folders![0]!['mode'] = 0o100755)],
    ['a folder of nobody', ({ folders }) => (folders![0]!['uid'] = -1)],
    ['a list that is none', (table) => ((table['steps'] as unknown) = {})],
  ];
  for (const [what, change] of broken) {
    test(`refuses ${what}`, () => {
      const value = JSON.parse(encodeCacheConfig(content).toString()) as {
        wherry: Record<string, Record<string, unknown>[]>;
      };
      change(value.wherry);
      assert.throws(() => parseCacheConfig(Buffer.from(JSON.stringify(value))), { kind: 'invalid' });
    });
  }

  test('refuses what is no table', () => {
    for (const text of ['', '[]', 'null', '{'])
      assert.throws(() => parseCacheConfig(Buffer.from(text)), { kind: 'invalid' });
  });

  test('in an image: its steps by how many layers they have, with the times of its history', () => {
    const diffIds = ['base', 'a', 'b'].map(digest);
    const layers = ['base', 'a', 'b'].map(blob);
    const times = [undefined, '2026-01-01T00:00:00Z', 'yesterday'];
    const config = Buffer.from(
      JSON.stringify({
        architecture: 'amd64',
        ...encodeInlineCache([
          { key: digest('k2'), definition: digest('d2'), name: 'two', baseLayers: 1, layers: 3 },
          { key: digest('k1'), definition: digest('d1'), name: 'one', baseLayers: 1, layers: 2 },
        ]),
      }),
    );
    const read = parseInlineCache(config, { diffIds, layers, times })!;
    assert.deepEqual(
      [...read.layers],
      [
        [diffIds[1], layers[1]],
        [diffIds[2], layers[2]],
      ],
    );
    assert.deepEqual(
      read.steps.map(({ name, diffIds: own, createdAt }) => [name, own.length, createdAt]),
      [
        ['one', 2, '2026-01-01T00:00:00Z'],
        ['two', 3, undefined],
      ],
    );
    assert.equal(parseInlineCache(Buffer.from('{}'), { diffIds, layers, times }), undefined);
    assert.throws(() => parseInlineCache(config, { diffIds: diffIds.slice(1), layers, times }), { kind: 'invalid' });
    assert.throws(() => parseInlineCache(config, { diffIds: diffIds.slice(1), layers: layers.slice(1), times }), {
      kind: 'invalid',
    });
  });
});
