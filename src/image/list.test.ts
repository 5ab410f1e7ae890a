import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Filters } from '../api/index.ts';
import { commitOn, importImage, openFixture, skipUnlessRoot } from './fixture.ts';
import { globPattern } from './glob.ts';
import { untilFilter } from './list.ts';

const skip = skipUnlessRoot;
const filter = (key: string, ...values: string[]): Filters => new Map([[key, new Set(values)]]);

test('globs stop at slashes', () => {
  const cases: [glob: string, text: string, match: boolean][] = [
    ['busy*', 'busybox', true],
    ['busy*', 'busybox:latest', true],
    ['*', 'a/b', false],
    ['*/b', 'a/b', true],
    ['a?c', 'abc', true],
    ['[a-c]x', 'bx', true],
    ['[^a]x', 'ax', false],
    ['a.c', 'abc', false],
    [String.raw`\*`, '*', true],
  ];
  for (const [glob, text, match] of cases) assert.equal(globPattern(glob).test(text), match, `${glob} ${text}`);
  assert.throws(() => globPattern('[a'), { kind: 'invalid' });
});

test('until is a time or a duration back', () => {
  assert.equal(untilFilter(filter('until', '10s'), 20_000), 10_000_000_000n);
  assert.equal(untilFilter(filter('until', '12')), 12_000_000_000n);
  assert.equal(untilFilter(new Map()), undefined);
  assert.throws(() => untilFilter(filter('until', 'x')), { kind: 'invalid' });
  assert.throws(() => untilFilter(filter('until', '1', '2')), { kind: 'invalid' });
});

test('rows and filters', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const base = await importImage(fixture, 'base', { changes: ['LABEL a=b'] });
  await images.tag('base', { repo: 'docker.io/library/other', tag: '1' });
  const middle = await commitOn(fixture, base, 'middle');
  const top = await commitOn(fixture, middle, 'top', { repo: 'me/top', tag: 'v1' });
  const loose = await importImage(fixture, undefined, { content: 'loose' });
  const ids = async (filters: Filters, all = false): Promise<string[]> =>
    (await images.list({ all, filters, sharedSize: false, manifests: false })).map((row) => row.Id).sort();
  assert.deepEqual(await ids(new Map()), [base, top, loose].sort());
  assert.deepEqual(await ids(new Map(), true), [base, middle, top, loose].sort());
  assert.deepEqual(await ids(filter('dangling', 'true')), [loose]);
  assert.deepEqual(await ids(filter('dangling', 'false')), [base, top].sort());
  assert.deepEqual(await ids(filter('label', 'a=b')), [base, top].sort());
  assert.deepEqual(await ids(filter('reference', 'me/*')), [top]);
  assert.deepEqual(await ids(filter('before', 'me/top:v1')), [base].sort());
  assert.deepEqual(await ids(filter('since', 'base')), [top, loose].sort());
  assert.deepEqual(await ids(filter('until', '1h')), []);
  await assert.rejects(ids(filter('nope', 'x')), { kind: 'invalid', message: "invalid filter 'nope'" });
  const [row] = await images.list({
    all: false,
    filters: filter('reference', 'other'),
    sharedSize: true,
    manifests: false,
  });
  assert.deepEqual(row, {
    Id: base,
    ParentId: '',
    RepoTags: ['other:1'],
    RepoDigests: [],
    Created: row!.Created,
    Size: 4,
    SharedSize: 4,
    Labels: { a: 'b' },
    Containers: 0,
  });
  assert.deepEqual(
    (await images.list({ all: false, filters: new Map(), sharedSize: false, manifests: false }))[0]!.RepoDigests,
    [],
  );
  assert.equal(images.count(), 4);
  assert.equal(await images.layersSize(), 4 + 6 + 3 + 5);
  fixture.uses.set(base, [{ containerId: 'c1', running: true }]);
  assert.equal((await images.summaries()).find((each) => each.Id === base)?.Containers, 1);
});
