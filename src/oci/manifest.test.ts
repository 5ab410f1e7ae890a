import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from './digest.ts';
import { parseImageConfig } from './image-config.ts';
import { parseManifest } from './manifest.ts';
import { mediaTypes } from './media-type.ts';

const digest = sha256('x');
const descriptor = { mediaType: 'application/x', digest, size: 1 };
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test('manifests and indexes are told apart, by type or by shape', () => {
  const manifest = parseManifest(
    json({ schemaVersion: 2, config: descriptor, layers: [descriptor] }),
    mediaTypes.dockerManifest,
  );
  assert.equal(manifest.kind, 'manifest');
  const index = parseManifest(
    json({ schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: 'linux', architecture: 'amd64' } }] }),
    '',
  );
  assert.equal(index.kind, 'index');
  assert.equal(
    parseManifest(json({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] }), 'text/plain').kind,
    'index',
  );
});

test('what is malformed is refused', () => {
  const bad: unknown[] = [
    [],
    { schemaVersion: 1 },
    { schemaVersion: 2, config: { ...descriptor, digest: '../../etc' }, layers: [] },
    { schemaVersion: 2, config: { ...descriptor, size: -1 }, layers: [] },
    { schemaVersion: 2, config: { ...descriptor, size: 1e300 }, layers: [] },
    { schemaVersion: 2, config: descriptor, layers: {} },
    { schemaVersion: 2, config: descriptor, layers: [], manifests: [] },
  ];
  for (const value of bad)
    assert.throws(() => parseManifest(json(value), ''), { kind: 'invalid' }, JSON.stringify(value));
  assert.throws(() => parseManifest(Buffer.from('{'), ''), { kind: 'invalid' });
});

test('an image config needs digests for its layers', () => {
  assert.deepEqual(
    parseImageConfig(json({ os: 'linux', architecture: 'amd64', rootfs: { diff_ids: [digest] } })).rootfs.diff_ids,
    [digest],
  );
  assert.deepEqual(parseImageConfig(json({})).rootfs.diff_ids, []);
  assert.throws(() => parseImageConfig(json({ rootfs: { diff_ids: ['x'] } })), { kind: 'invalid' });
});

test('what is said in passing may be of any kind', () => {
  const odd = { toString: 1 };
  assert.throws(() => parseManifest(json({ schemaVersion: odd }), ''), { kind: 'invalid' });
  const layer = { ...descriptor, urls: [odd, 'u', [[]]], annotations: { a: odd, b: 1 } };
  const parsed = parseManifest(
    json({ schemaVersion: 2, config: descriptor, layers: [layer], annotations: { c: odd } }),
    '',
  );
  assert.ok(parsed.kind === 'manifest');
  assert.deepEqual(parsed.manifest.layers[0]?.urls, ['', 'u', '']);
  assert.deepEqual(parsed.manifest.layers[0]?.annotations, { a: '', b: '1' });
});
