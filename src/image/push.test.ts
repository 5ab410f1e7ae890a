/** Pushes to a registry double: what is sent, what is mounted, what people see when it goes wrong in passing. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { all, commitOn, importImage, openFixture, signal, skipUnlessRoot, tarOf } from './fixture.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';

const skip = skipUnlessRoot;
const clock = { now: () => Date.now(), sleep: async () => {}, random: () => 0.5 };
const puts = /^PUT .*\/blobs\//;

const request = (image: string, tag?: string) => ({ image, tag, platform: undefined, auth: undefined });

test('a layer is mounted from any repository of the registry where an image with it came from', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture({ clock });
  const { layers } = double.store.addImage('base', '1', [await tarOf({ base: randomBytes(1000) })]);
  const { images } = fixture;
  await all(images.pull(request(`${double.host}/base`, '1'), signal));
  const { id } = await images.resolve(`${double.host}/base:1`);
  await commitOn(fixture, id, 'own', { repo: `${double.host}/app`, tag: '1' });
  const lines = (await all(images.push(request(`${double.host}/app`, '1'), signal))).map(({ status }) => status);
  assert.equal(lines.filter((line) => line === 'Mounted from base').length, 1);
  assert.equal(lines.filter((line) => line === 'Pushed').length, 1);
  assert.ok(double.store.repository('app').blobs.has(layers[0]!.digest));
  const elsewhere = `${double.host}/elsewhere`;
  await images.tag(`${double.host}/app:1`, { repo: elsewhere, tag: '2' });
  const again = (await all(images.push(request(elsewhere, '2'), signal))).map(({ status }) => status);
  assert.equal(again.filter((line) => line?.startsWith('Mounted from ')).length, 2);
});

test('no more layers at once than set, and bars that never go back', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture({ clock, parallelUploads: 2 });
  let top = await importImage(fixture, undefined, { content: 'x'.repeat(200_000) });
  for (let layer = 0; layer < 5; layer++)
    top = await commitOn(fixture, top, `${layer}`, layer < 4 ? undefined : { repo: `${double.host}/app`, tag: '1' });
  let most = 0;
  double.rule({
    match: puts,
    delayMs: 20,
    body: (body) => {
      most = Math.max(most, 1 + double.requests(puts).filter(({ status }) => status === 0).length);
      return body;
    },
  });
  const messages = await all(fixture.images.push(request(`${double.host}/app`, '1'), signal));
  assert.equal(most, 2);
  assert.equal(messages.filter(({ status }) => status === 'Waiting').length, 4);
  assert.equal(messages.filter(({ status }) => status === 'Pushed').length, 6);
  // Again, to a repository that fails a while and takes no mount.
  double.clear();
  double.rule({ match: puts, times: 3, cutUploadAfter: 50 });
  double.rule({ match: /^POST .*mount/, answer: { status: 403 } });
  await fixture.images.tag(`${double.host}/app:1`, { repo: `${double.host}/other`, tag: '1' });
  const shown = new Map<string, number>();
  for (const { id = '', status, progressDetail } of await all(
    fixture.images.push(request(`${double.host}/other`, '1'), signal),
  )) {
    const current = progressDetail?.current ?? 0;
    if (status !== 'Pushing') continue;
    assert.ok(current > (shown.get(id) ?? 0), `${id} goes back to ${current}`);
    shown.set(id, current);
  }
  assert.equal(double.store.uploads.size, 0);
  assert.ok(double.store.repository('other').tags.has('1'));
});

test('every tag of a repository, and the words for none', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture({ clock });
  const id = await importImage(fixture, undefined);
  for (const tag of ['b', 'a']) await fixture.images.tag(id, { repo: `${double.host}/app`, tag });
  const lines = (await all(fixture.images.push(request(`${double.host}/app`), signal))).map(
    ({ status }) => status ?? '',
  );
  assert.deepEqual(
    lines.filter((line) => line.includes(': digest: ')).map((line) => line[0]),
    ['a', 'b'],
  );
  assert.equal(lines.filter((line) => line === 'Layer already exists').length, 1);
  await assert.rejects(all(fixture.images.push(request(`${double.host}/none`), signal)), {
    kind: 'not-found',
    message: `An image does not exist locally with the tag: ${double.host}/none`,
  });
});

test('a large layer leaves while it is compressed, and once; where that is refused, after', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture({ clock });
  for (const name of ['willing', 'unwilling']) {
    double.clear();
    if (name === 'unwilling') double.rule({ match: /^PATCH /, answer: { status: 405 } });
    const base = await importImage(fixture, undefined, { content: randomBytes(6 << 20).toString('base64') });
    const top = await commitOn(fixture, base, name, { repo: `${double.host}/${name}`, tag: '1' });
    const messages = await all(fixture.images.push(request(`${double.host}/${name}`, '1'), signal));
    const [large, small] = (await fixture.images.inspect(top, {})).RootFS.Layers!.map((each) =>
      messages.filter(({ id }) => id === each.slice(7, 19)),
    );
    assert.ok(large!.some(({ status, progressDetail }) => status === 'Pushing' && progressDetail!.total! > 8 << 20));
    assert.deepEqual([large!.at(-1)!.status, small!.at(-1)!.status], ['Pushed', 'Pushed']);
    const sent = double.requests(/^(PATCH|PUT) .*\/blobs\//).filter(({ bytes }) => bytes > 1 << 20);
    assert.deepEqual(
      sent.map(({ method, status }) => [method, status < 300]),
      name === 'willing'
        ? [['PATCH', true]]
        : [
            ['PATCH', false],
            ['PUT', true],
          ],
    );
    assert.equal(double.store.uploads.size, 0);
    assert.ok(double.store.repository(name).tags.has('1'));
  }
});

test('a push that fails leaves no upload of what it sent ahead', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture({ clock });
  const image = `${double.host}/app`;
  await importImage(fixture, `${image}:1`, { content: randomBytes(6 << 20).toString('base64') });
  double.rule({ match: /^PATCH /, delayMs: 60_000 });
  const controller = new AbortController();
  const pushed = all(fixture.images.push(request(image, '1'), controller.signal));
  // From then on the client knows what the upload is called: before the answer to its POST nobody could take it back.
  while (double.requests(/^PATCH /).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  controller.abort();
  await assert.rejects(pushed);
  assert.equal(double.store.uploads.size, 0);
  assert.equal(double.store.repository('app').tags.size, 0);
});
