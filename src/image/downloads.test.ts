/** Pulls from a registry that goes wrong: what people see, what is fetched again, and what is left behind. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { ProgressMessage } from '../api/index.ts';
import { all, type Fixture, openFixture, signal, skipUnlessRoot, tarOf } from './fixture.ts';
import { RegistryDouble, type Rule } from '../../test/support/registry-double.ts';
import type { Stored } from '../../test/support/registry-store.ts';

const skip = skipUnlessRoot;

/** A clock that waits for nothing. */
const clock = { now: () => Date.now(), sleep: async () => {}, random: () => 0.5 };

async function start(
  layers: number,
  options: { algorithm?: string; mirror?: boolean } = {},
): Promise<{ double: RegistryDouble; mirror: RegistryDouble; fixture: Fixture; layers: Stored[] } & AsyncDisposable> {
  const [double, mirror] = [await RegistryDouble.open(), await RegistryDouble.open()];
  const mirrors = options.mirror === true ? [`${double.host}=${mirror.url}`] : [];
  const fixture = await openFixture({ clock, mirrors });
  const tars = [];
  for (let layer = 0; layer < layers; layer++) tars.push(await tarOf({ [`file${layer}`]: randomBytes(300_000) }));
  const image = double.store.addImage('app', '1', tars, options);
  mirror.store.addImage('app', '1', tars, options);
  return {
    double,
    mirror,
    fixture,
    layers: image.layers,
    [Symbol.asyncDispose]: async () => {
      await fixture[Symbol.asyncDispose]();
      await mirror[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

function pull(
  { double, fixture }: { double: RegistryDouble; fixture: Fixture },
  leave = signal,
): Promise<ProgressMessage[]> {
  const request = { image: `${double.host}/app`, tag: '1', platform: undefined, auth: undefined };
  return all(fixture.images.pull(request, leave));
}

const layerOf = ({ digest }: Stored): RegExp => new RegExp(`^GET .*/blobs/${digest}`);

function rangesOf({ double }: { double: RegistryDouble }, match: RegExp): string[] {
  return double.requests(match).map(({ headers }) => (headers['range'] === undefined ? 'whole' : 'rest'));
}

/** What is left of a pull that failed. */
function leftovers({ fixture }: { fixture: Fixture }): unknown[] {
  return [...fixture.content.list(), ...fixture.snapshots.layers(), ...fixture.partialBlobs()];
}

test('cuts are waited out, with a word when it takes long; bars never go back', { skip }, async () => {
  await using both = await start(2);
  both.double.rule({ match: layerOf(both.layers[0]!), cutAfter: 100_000 });
  both.double.rule({
    match: layerOf(both.layers[1]!),
    times: 1,
    answer: { status: 503, headers: { 'retry-after': '2' } },
  });
  const messages = await pull(both);
  const id = both.layers[1]!.digest.slice(7, 19);
  assert.deepEqual(
    messages
      .filter((message) => message.id === id && /Retrying/.test(message.status ?? ''))
      .map(({ status }) => status),
    ['Retrying in 3 seconds', 'Retrying in 2 seconds', 'Retrying in 1 second'],
  );
  const shown = new Map<string, number>();
  for (const { id: layer = '', status = '', progressDetail } of messages) {
    const current = progressDetail?.current ?? 0;
    if (status !== 'Downloading') continue;
    assert.ok(current >= (shown.get(layer) ?? 0), `${layer} goes back to ${current}`);
    shown.set(layer, current);
  }
  assert.match(messages.at(-1)?.status ?? '', /^Status: Downloaded newer image/);
});

test('a body that changes under way is fetched anew', { skip }, async () => {
  await using both = await start(1);
  const match = layerOf(both.layers[0]!);
  both.double.rule({
    match,
    times: 1,
    cutAfter: 100_000,
    body: (body) => Buffer.alloc(body.length, 'old'),
    headers: { etag: '"old"' },
  });
  await pull(both);
  assert.deepEqual(rangesOf(both, match), ['whole', 'rest', 'whole']);
});

test('wrong bytes that an earlier pull left are thrown away, and fetched anew', { skip }, async () => {
  await using both = await start(1);
  const match = layerOf(both.layers[0]!);
  const wrong: Rule = { match, times: 1, stallAfter: 100_000, body: (body) => Buffer.alloc(body.length, 'old') };
  both.double.rule(wrong);
  const controller = new AbortController();
  const first = pull(both, controller.signal);
  while (both.fixture.partialBlobs().every(({ size }) => size < 100_000)) {
    await new Promise((done) => {
      setTimeout(done, 5);
    });
  }
  controller.abort(new Error('gone'));
  await assert.rejects(first, /gone/);
  await both.fixture.reopen();
  await pull(both);
  assert.deepEqual(rangesOf(both, match), ['whole', 'rest', 'whole']);
});

test('lies about digest and size fail the pull clearly, and leave nothing wrong', { skip }, async () => {
  const lies: [Omit<Rule, 'match'>, RegExp][] = [
    [{ body: (body) => Buffer.alloc(body.length, 'x') }, /^filesystem layer verification failed for digest sha256:/],
    [
      { body: (body) => body.subarray(0, 1000) },
      /^Cannot fetch blob sha256:.* offers 1000 bytes where its manifest says/,
    ],
    [{ chunked: true, body: (body) => Buffer.concat([body, body]) }, /offers more bytes where its manifest says/],
  ];
  for (const [lie, message] of lies) {
    await using both = await start(1);
    both.double.rule({ match: layerOf(both.layers[0]!), ...lie });
    await assert.rejects(pull(both), { kind: 'invalid', message });
    await both.fixture.reopen();
    // The config came whole and is good for another try; of the layer nothing is kept.
    const { content } = both.fixture;
    assert.ok(content.unfinished().every(({ digest, whole }) => whole && digest !== both.layers[0]!.digest));
    await content.discardUnfinished();
    assert.deepEqual(leftovers(both), []);
    assert.equal(both.fixture.images.count(), 0);
    both.double.clear();
    await pull(both);
  }
});

test('what a mirror sends wrong comes from the registry', { skip }, async () => {
  await using both = await start(2, { mirror: true });
  both.mirror.rule({ match: layerOf(both.layers[0]!), body: (body) => Buffer.alloc(body.length, 'x') });
  await pull(both);
  assert.equal(both.double.requests(layerOf(both.layers[0]!)).length, 1);
  assert.equal(both.double.requests(layerOf(both.layers[1]!)).length, 0);
});

test('an image of sha512 digests throughout', { skip }, async () => {
  await using both = await start(2, { algorithm: 'sha512' });
  await pull(both);
  const { images, content } = both.fixture;
  const { Id, RepoDigests } = await images.inspect(`${both.double.host}/app:1`, {});
  assert.match(Id, /^sha512:/);
  assert.ok(both.layers.every(({ digest }) => content.has(digest as never)));
  const digest = both.double.store.repository('app').tags.get('1')!;
  const request = { image: `${both.double.host}/app`, tag: digest, platform: undefined, auth: undefined };
  await all(images.pull(request, signal));
  assert.ok((await images.inspect(Id, {})).RepoDigests.includes(`${both.double.host}/app@${digest}`));
  assert.equal(RepoDigests.length, 1);
  await images.collect();
  assert.ok(content.has(digest as never), 'kept under the name it was asked for by');
});

test('no more layers at once than set, over all pulls', { skip }, async () => {
  await using double = await RegistryDouble.open();
  await using fixture = await openFixture({ clock, parallelDownloads: 2 });
  const digests: string[] = [];
  for (const name of ['one', 'two']) {
    const tars = [];
    for (let layer = 0; layer < 4; layer++) tars.push(await tarOf({ [`${name}${layer}`]: `${name} ${layer}` }));
    digests.push(...double.store.addImage(name, '1', tars).layers.map(({ digest }) => digest));
  }
  let most = 0;
  const layers = new RegExp(`/blobs/(${digests.join('|')})`);
  double.rule({
    match: layers,
    delayMs: 20,
    body: (body) => {
      most = Math.max(most, 1 + double.requests(layers).filter(({ status }) => status === 0).length);
      return body;
    },
  });
  await Promise.all(
    ['one', 'two'].map((name) =>
      all(
        fixture.images.pull(
          { image: `${double.host}/${name}`, tag: '1', platform: undefined, auth: undefined },
          signal,
        ),
      ),
    ),
  );
  assert.equal(double.requests(layers).length, 8);
  assert.equal(most, 2);
});
