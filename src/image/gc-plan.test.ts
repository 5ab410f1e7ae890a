import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Descriptor, type Digest, mediaTypes, sha256 } from '../oci/index.ts';
import { type GcImage, type GcState, planGc } from './gc-plan.ts';

const hour = 3_600_000;
const now = 1000 * hour;

function blob(name: string): Descriptor {
  return { mediaType: mediaTypes.ociLayerGzip, digest: sha256(name), size: 10 };
}

/** An image of the layers named, each of 100 bytes, its archive of 10, its config of 1. */
function image(name: string, layers: string[], rest: Partial<GcImage> = {}): GcImage {
  const config: [Digest, number] = [sha256(`config of ${name}`), 1];
  const archives = layers.map(blob);
  return {
    id: config[0],
    name,
    stays: 'it has a name',
    usedAt: now - hour,
    layers: new Map(layers.map((layer) => [layer, 100])),
    blobs: new Map([config, ...archives.map(({ digest }): [Digest, number] => [digest, 10])]),
    archives,
    source: `host/${name}@${sha256(name)}`,
    ...rest,
  };
}

function state(images: GcImage[], downloads: GcState['downloads'] = []): GcState {
  return { now, images, downloads };
}

const shown = (plan: ReturnType<typeof planGc>): string[] =>
  plan.map(({ kind, name, size, because }) => `${kind} ${name} ${size}: ${because}`);

test('downloads that stopped go first, the oldest first, and no more than is needed', () => {
  const downloads = [
    { digest: sha256('new'), size: 5, at: now - hour },
    { digest: sha256('old'), size: 7, at: now - 72 * hour },
  ];
  assert.deepEqual(shown(planGc(state([image('app', ['a'])], downloads), 8)), [
    `download ${sha256('old')} 7: a download that stopped 3 days ago`,
    `download ${sha256('new')} 5: a download that stopped 1 h ago`,
  ]);
  assert.deepEqual(planGc(state([image('app', ['a'])], downloads), 0), []);
});

test('then archives of what is unpacked, least recently used first', () => {
  const images = [
    image('new', ['a', 'shared'], { usedAt: now - 60_000 }),
    image('old', ['b', 'shared'], { usedAt: now - 50 * hour }),
  ];
  assert.deepEqual(shown(planGc(state(images), 25)), [
    'archive old 10: it is unpacked, old was last used 2 days ago, and it can be had again from host/old',
    'archive new 10: it is unpacked, new was last used 1 min ago, and it can be had again from host/new',
    'archive new 10: it is unpacked, new was last used 1 min ago, and it can be had again from host/new',
  ]);
});

test('an archive stays that came from no registry, or that an image needs that is not unpacked', () => {
  const images = [
    image('made', ['a'], { source: undefined }),
    image('packed', ['b'], { archives: [] }),
    image('app', ['b', 'c']),
  ];
  assert.deepEqual(
    planGc(state(images), 1000).map((step) => step.kind === 'archive' && step.blob.digest),
    [sha256('c')],
  );
});

test('an archive of an image made here on one that was pulled can be had again', () => {
  const images = [image('made', ['a', 'own'], { source: undefined, archives: [blob('a')] }), image('base', ['a'])];
  const [step, ...rest] = planGc(state(images), 1000);
  assert.deepEqual(rest, []);
  assert.equal(step?.kind === 'archive' && step.source, `host/base@${sha256('base')}`);
});

test('last go images that nothing means; what they share goes with the last of them', () => {
  const loose = { stays: undefined, source: undefined, archives: [] };
  const images = [
    image('used', ['base'], { source: undefined, archives: [] }),
    image('young', ['base', 'common', 'y'], { ...loose, usedAt: now - hour }),
    image('old', ['base', 'common', 'o'], { ...loose, usedAt: 0 }),
  ];
  assert.deepEqual(shown(planGc(state(images), 1000)), [
    'image old 111: no name means it and no container uses it; last used before anybody remembers',
    'image young 221: no name means it and no container uses it; last used 1 h ago',
  ]);
});

test('what a container, a name or the last good deployment needs is in no plan', () => {
  const images = ['a container uses it', 'it has a name', 'it is the last good deployment of app:1'].map(
    (stays, index) => image(String(index), [String(index)], { stays, source: undefined, archives: [] }),
  );
  assert.deepEqual(planGc(state(images), Number.POSITIVE_INFINITY), []);
});
