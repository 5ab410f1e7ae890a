import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BuilderFixture, noBuilds } from '../../../test/support/builder.ts';
import { RegistryDouble } from '../../../test/support/registry-double.ts';
import type { BuildCacheLocation, BuildEvent, BuildOutput, BuildResult, ClientBlobs } from '../../api/index.ts';
import { type Digest, parseManifest, sha256, tarHeader, writeTar } from '../../oci/index.ts';
import { collectBytes, Fault } from '../../std/index.ts';
import { type CacheContent, cacheConfigType, encodeCacheConfig, parseCacheConfig } from './cache-config.ts';

const image: BuildOutput = { type: 'image', names: [], push: false, attributes: {}, write: undefined };

/** A folder of a client's, as a session lends it. */
class PlayedStore implements ClientBlobs {
  readonly blobs = new Map<string, Buffer>();
  readonly read_: string[] = [];

  async size(digest: string): Promise<number | undefined> {
    return this.blobs.get(digest)?.length;
  }

  async *read(digest: string): AsyncGenerator<Uint8Array> {
    this.read_.push(digest);
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new Fault('not-found', `${digest}: not found`);
    for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
  }

  async write({ digest, size }: { digest: string; size: number }, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const all = await collectBytes(bytes, 1 << 28);
    assert.deepEqual([sha256(all), all.length], [digest, size]);
    this.blobs.set(digest, all);
  }
}

const local = (store: ClientBlobs, attributes: Record<string, string> = {}): BuildCacheLocation => ({
  type: 'local',
  attributes,
  store,
});
const registry = (ref: string, attributes: Record<string, string> = {}): BuildCacheLocation => ({
  type: 'registry',
  attributes: { ref, ...attributes },
});

interface Done {
  result: BuildResult;
  events: BuildEvent[];
  /** What each step became: `cached ` before those that were. */
  steps: string[];
  logs: string;
}

async function build(
  fixture: BuilderFixture,
  dockerfile: string,
  cache: { from?: BuildCacheLocation[]; to?: BuildCacheLocation[]; more?: Parameters<BuilderFixture['build']>[2] },
): Promise<Done> {
  const { from = [], to = [], more = {} } = cache;
  const { result, events } = await fixture.build(dockerfile, [image], { cacheFrom: from, cacheTo: to, ...more });
  const last = new Map<string, Extract<BuildEvent, { kind: 'vertex' }>>();
  for (const event of events) if (event.kind === 'vertex') last.set(event.digest, event);
  const steps = [...last.values()]
    .filter(({ name }) => /^\[.*\d\/\d\]/.test(name) && !name.includes('FROM'))
    .map(({ name, cached }) => `${cached ? 'cached ' : ''}${name.replace(/^\[[^\]]*\] /, '')}`)
    .sort();
  const logs = events.map((event) => (event.kind === 'log' ? Buffer.from(event.data).toString() : '')).join('');
  return { result, events, steps, logs };
}

/** Names of vertices with their errors. */
function errors(events: readonly BuildEvent[]): string[] {
  return events.flatMap((event) =>
    event.kind === 'vertex' && event.error !== undefined ? [`${event.name}: ${event.error}`] : [],
  );
}

function lines(events: readonly BuildEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'status' && event.completed !== undefined ? [event.name] : []));
}

const dockerfile = `FROM busybox AS builder
COPY src /src
RUN cat /src > /made; echo made >> /made
FROM busybox
RUN echo final > /final
COPY --from=builder /made /made
RUN cat /made > /last
`;
const allSteps = [
  'COPY --from=builder /made /made',
  'COPY src /src',
  'RUN cat /made > /last',
  'RUN cat /src > /made; echo made >> /made',
  'RUN echo final > /final',
];
const allCached = allSteps.map((name) => `cached ${name}`);

async function withSource(source = 'source'): Promise<BuilderFixture> {
  const fixture = await BuilderFixture.open();
  writeFileSync(join(fixture.files, 'src'), source);
  return fixture;
}

describe('caches elsewhere', { skip: noBuilds, timeout: 240_000 }, () => {
  test('a registry: another machine has the same image, and fetches no more than it needs', async () => {
    await using double = await RegistryDouble.open();
    const ref = `${double.host}/cache:main`;
    await using one = await withSource();
    const first = await build(one, dockerfile, { from: [registry(ref)], to: [registry(ref, { mode: 'max' })] });
    assert.deepEqual(first.steps, allSteps);
    // There is none yet.
    assert.match(errors(first.events).join(), /^importing cache manifest from .*cache:main: /);
    for (const line of ['preparing build cache for export', /^writing layer sha256:/, /^writing config /])
      assert.ok(lines(first.events).some((each) => (typeof line === 'string' ? each === line : line.test(each))));
    assert.ok(lines(first.events).some((line) => line.startsWith('writing cache image manifest ')));

    await using two = await withSource();
    double.seen.length = 0;
    const second = await build(two, dockerfile, { from: [registry(ref)] });
    assert.deepEqual(second.steps, allCached);
    assert.equal(second.result.image, first.result.image);
    assert.deepEqual(errors(second.events), []);
    // Three of the final stage; the builder's two stay where they are. And the table.
    const blobs = double.seen.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'));
    assert.equal(new Set(blobs.map(({ path }) => path)).size, 4);

    // Here once, they are here: nothing is asked of anybody.
    double.seen.length = 0;
    const third = await build(two, dockerfile, {});
    assert.deepEqual(third.steps, allCached);
    assert.equal(third.result.image, first.result.image);
    assert.deepEqual(double.seen, []);
  });

  test('what changes runs, from the results below it; what comes out the same ends it', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const { result } = await build(one, dockerfile, { to: [local(store, { mode: 'max' })] });
    const from = [local(store, { digest: result.cacheManifest!.digest })];

    // A file that the results do not depend on by content: the builder's last step does, and makes the same.
    await using two = await withSource('source');
    const changed = dockerfile.replace('echo made >> /made', 'echo made >> /made; true');
    const second = await build(two, changed, { from });
    assert.deepEqual(second.steps, [
      'RUN cat /src > /made; echo made >> /made; true',
      'cached COPY --from=builder /made /made',
      'cached COPY src /src',
      'cached RUN cat /made > /last',
      'cached RUN echo final > /final',
    ]);
    assert.equal(second.result.image, result.image);

    await using three = await withSource('other');
    const third = await build(three, dockerfile, { from });
    assert.deepEqual(third.steps, [
      'COPY --from=builder /made /made',
      'COPY src /src',
      'RUN cat /made > /last',
      'RUN cat /src > /made; echo made >> /made',
      'cached RUN echo final > /final',
    ]);
  });

  test('times do not matter, --no-cache does', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const { result } = await build(one, dockerfile, { to: [local(store)] });
    const from = [local(store, { digest: result.cacheManifest!.digest })];
    await using two = await withSource();
    utimesSync(join(two.files, 'src'), 1000, 1000);
    const fresh = await build(two, dockerfile, { from, more: { noCache: ['builder'] } });
    assert.deepEqual(
      fresh.steps.filter((name) => name.startsWith('cached')),
      ['cached COPY --from=builder /made /made', 'cached RUN cat /made > /last', 'cached RUN echo final > /final'],
    );
    const all = await build(two, dockerfile, { from, more: { noCache: true } });
    assert.deepEqual(all.steps, allSteps);
  });

  test('mode=min: only what the result is made of; of the rest the definition is enough', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const { result } = await build(one, dockerfile, { to: [local(store)] });
    const table = tableOf(store, result.cacheManifest!.digest);
    assert.deepEqual(table.steps.map(({ name }) => name.replace(/^\[[^\]]*\] /, '')).sort(), [
      'COPY --from=builder /made /made',
      'RUN cat /made > /last',
      'RUN echo final > /final',
    ]);
    assert.equal(table.layers.size, 3);
    await using two = await withSource();
    const second = await build(two, dockerfile, { from: [local(store, { digest: result.cacheManifest!.digest })] });
    assert.deepEqual(second.steps, allCached);
    assert.equal(second.result.image, result.image);
  });

  test('exported again by who imported it, it is the same cache; nothing is fetched or sent twice', async () => {
    await using double = await RegistryDouble.open();
    const ref = `${double.host}/cache:main`;
    await using one = await withSource();
    await build(one, dockerfile, { to: [registry(ref, { mode: 'max' })] });
    const before = await manifestOf(double, 'main');
    await using two = await withSource();
    double.seen.length = 0;
    const to = [registry(ref, { mode: 'max' })];
    const { steps } = await build(two, dockerfile, { from: [registry(ref)], to });
    assert.deepEqual(steps, allCached);
    assert.deepEqual(await manifestOf(double, 'main'), before);
    assert.deepEqual(
      double.seen.filter(({ method, path }) => method !== 'GET' && method !== 'HEAD' && path.includes('/blobs/')),
      [],
    );
    // To another place all of it goes, the layers that were never here, too.
    const store = new PlayedStore();
    await using three = await withSource();
    const moved = await build(three, dockerfile, { from: [registry(ref)], to: [local(store, { mode: 'max' })] });
    assert.equal(moved.result.cacheManifest!.digest, sha256(before));
    assert.equal(tableOf(store, sha256(before)).layers.size, 5);
    for (const { digest } of tableOf(store, sha256(before)).layers.values()) assert.ok(store.blobs.has(digest));
  });

  test('the forms of the table, and compression', async () => {
    await using double = await RegistryDouble.open();
    await using one = await withSource();
    const type = async (tag: string, attributes: Record<string, string>): Promise<string[]> => {
      const ref = `${double.host}/cache:${tag}`;
      await build(one, dockerfile, { to: [registry(ref, attributes)] });
      const parsed = parseManifest(await manifestOf(double, tag), '');
      if (parsed.kind === 'manifest') {
        const { mediaType, config, layers } = parsed.manifest;
        return [mediaType, config.mediaType, ...new Set(layers.map((layer) => layer.mediaType))];
      }
      return [parsed.index.mediaType, ...new Set(parsed.index.manifests.map((each) => each.mediaType))];
    };
    const oci = 'application/vnd.oci.image';
    assert.deepEqual(await type('a', {}), [`${oci}.manifest.v1+json`, cacheConfigType, `${oci}.layer.v1.tar+gzip`]);
    assert.deepEqual(await type('b', { 'image-manifest': 'false', compression: 'zstd' }), [
      `${oci}.index.v1+json`,
      `${oci}.layer.v1.tar+zstd`,
      cacheConfigType,
    ]);
    assert.deepEqual(await type('c', { 'oci-mediatypes': 'false' }), [
      'application/vnd.docker.distribution.manifest.list.v2+json',
      'application/vnd.docker.image.rootfs.diff.tar.gzip',
      cacheConfigType,
    ]);
    assert.deepEqual(await type('d', { compression: 'uncompressed' }), [
      `${oci}.manifest.v1+json`,
      cacheConfigType,
      `${oci}.layer.v1.tar`,
    ]);
    for (const tag of ['a', 'b', 'c', 'd']) {
      await using two = await withSource();
      const { steps } = await build(two, dockerfile, { from: [registry(`${double.host}/cache:${tag}`)] });
      assert.deepEqual(steps, allCached, tag);
    }
  });

  test('--link and WORKDIR, an empty layer, several bases', async () => {
    const text = `FROM busybox AS one
RUN true
FROM scratch AS two
COPY src /two
FROM busybox
WORKDIR /w
COPY --link --from=two /two /linked
RUN cat /linked > /w/x
COPY --link src /src
`;
    const store = new PlayedStore();
    await using one = await withSource();
    const { result } = await build(one, text, { to: [local(store, { mode: 'max' })] });
    await using two = await withSource();
    const from = [local(store, { digest: result.cacheManifest!.digest })];
    const second = await build(two, text, { from });
    assert.deepEqual(
      second.steps.filter((name) => !name.startsWith('cached')),
      [],
    );
    assert.equal(second.result.image, result.image);
    // A linked layer goes on another base.
    await using three = await withSource();
    const other = await build(three, text.replace('WORKDIR /w', 'WORKDIR /w\nRUN echo more > /more'), { from });
    assert.deepEqual(other.steps, [
      'RUN cat /linked > /w/x',
      'RUN echo more > /more',
      'cached COPY --link --from=two /two /linked',
      'cached COPY --link src /src',
      'cached COPY src /two',
      'cached WORKDIR /w',
    ]);
  });

  test('inline: in the image itself, with rewritten times, too', async () => {
    await using double = await RegistryDouble.open();
    const rewritten = { 'rewrite-timestamp': 'true', 'source-date-epoch': '1700000000' };
    for (const attributes of [{}, rewritten] as Record<string, string>[]) {
      await using one = await withSource();
      const ref = `${double.host}/app:inline`;
      const output: BuildOutput = { type: 'image', names: [ref], push: true, attributes, write: undefined };
      const to = [{ type: 'inline', attributes: {} }];
      await one.build(dockerfile, [output], { cacheTo: to });
      const pushed = await manifestOf(double, 'inline', 'app');
      await using two = await withSource();
      const { steps } = await build(two, dockerfile, { from: [registry(ref)] });
      assert.deepEqual(steps, allCached);
      const again = await two.build(dockerfile, [output], { cacheTo: to });
      assert.deepEqual(await manifestOf(double, 'inline', 'app'), pushed);
      assert.equal(again.result.manifest, sha256(pushed));
    }
    // One without is none.
    await using one = await withSource();
    const ref = `${double.host}/app:plain`;
    await one.build(dockerfile, [{ type: 'image', names: [ref], push: true, attributes: {}, write: undefined }]);
    await using two = await withSource();
    const { steps, events } = await build(two, dockerfile, { from: [registry(ref)] });
    assert.deepEqual(steps, allSteps);
    assert.match(errors(events).join(), /the image has no build cache inside/);
  });

  test('what is broken, missing or a lie costs the step, never the build', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const { result } = await build(one, dockerfile, { to: [local(store, { mode: 'max' })] });
    const { digest } = result.cacheManifest!;
    const table = tableOf(store, digest);
    const ofStep = (start: string): Digest =>
      table.layers.get(table.steps.find(({ name }) => name.includes(start))!.diffIds.at(-1)!)!.digest;
    const lost = ofStep('RUN cat /made');
    const bent = ofStep('RUN echo final');
    const wrong = Buffer.from(store.blobs.get(bent)!);
    wrong[wrong.length - 9]! ^= 0xff;
    store.blobs.delete(lost);
    store.blobs.set(bent, wrong);
    await using two = await withSource();
    const { steps, logs } = await build(two, dockerfile, { from: [local(store, { digest })] });
    assert.deepEqual(steps, [
      'COPY --from=builder /made /made',
      'RUN cat /made > /last',
      'RUN echo final > /final',
      'cached COPY src /src',
      'cached RUN cat /src > /made; echo made >> /made',
    ]);
    // Told once: what stands on it is known to be lost.
    assert.equal(logs.split('its result could not be imported, the step runs: ').length, 2);
    assert.match(logs, new RegExp(`the bytes of ${bent} are others than its digest says`));
    assert.deepEqual(
      two.content.list().filter((blob) => blob.digest === lost || blob.digest === bent),
      [],
    );

    // Layers that are other layers: what a table says of them is looked at.
    const swapped = new Map(
      [...table.layers.keys()].map((diffId, at) => [diffId, [...table.layers.values()].at(at - 1)!]),
    );
    for (const blob of swapped.values())
      if (blob.digest === lost || blob.digest === bent) store.blobs.delete(blob.digest);
    const liar = put(store, { ...table, layers: swapped });
    await using three = await withSource();
    assert.deepEqual((await build(three, dockerfile, { from: [local(store, { digest: liar })] })).steps, allSteps);

    // No table, or one of another builder.
    for (const [bytes, message] of [
      ['{"layers":[{"blob":"x"}],"records":[]}', /made by another builder/],
      ['{"wherry":{"version":1}}', /Cannot read build cache/],
      ['nonsense', /it is not JSON/],
    ] as const) {
      const foreign = putConfig(store, Buffer.from(bytes));
      const { steps: ran, events } = await build(three, dockerfile, { from: [local(store, { digest: foreign })] });
      assert.deepEqual(ran, allCached);
      assert.match(errors(events).join(), message);
    }
  });

  test('a layer that this builder would have made otherwise is none', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const { result } = await build(one, dockerfile, { to: [local(store)] });
    const table = tableOf(store, result.cacheManifest!.digest);
    // The same file in another order of headers.
    const entry = tarHeader(Buffer.from('final'), 'file', { size: 4, mode: 0o644, uid: 0, gid: 0, mtime: 0n });
    const odd = tarHeader(Buffer.from('./also'), 'file', { size: 4, mode: 0o644, uid: 0, gid: 0, mtime: 0n });
    async function* body(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('evil');
    }
    const sources = [
      { header: entry, body: body() },
      { header: odd, body: body() },
    ];
    const tar = await collectBytes(writeTar(sources), 1 << 20);
    const step = table.steps.find(({ name }) => name.includes('RUN echo final'))!;
    const diffIds = [step.diffIds[0]!, sha256(tar)];
    store.blobs.set(sha256(tar), tar);
    const layers = new Map([
      [sha256(tar), { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: sha256(tar), size: tar.length }],
    ]);
    const digest = put(store, { layers, steps: [{ ...step, diffIds }], folders: [] });
    await using two = await withSource();
    const { steps, logs } = await build(two, dockerfile, { from: [local(store, { digest })] });
    assert.deepEqual(steps, allSteps);
    assert.match(logs, /is not as this builder would have made it/);
    assert.equal(two.snapshots.layers().length, one.snapshots.layers().length);
  });

  test('what cannot be is told before anything is built', async () => {
    await using fixture = await withSource();
    const cases: [BuildCacheLocation, string | RegExp][] = [
      [{ type: 'gha', attributes: {} }, /^Cannot keep a build cache with gha: use --cache-to type=registry/],
      [{ type: 's3', attributes: {} }, /with s3/],
      [{ type: 'azblob', attributes: {} }, /with azblob/],
      [{ type: 'bogus', attributes: {} }, 'unknown cache exporter: "bogus"'],
      [{ type: 'registry', attributes: {} }, 'registry cache exporter requires ref'],
      [registry('UPPER'), /^failed to parse UPPER/],
      [registry('x', { 'registry.insecure': 'true' }), /insecure-registries/],
      [registry('x', { compression: 'estargz' }), /^Cannot make estargz layers/],
      [registry('x', { 'ignore-error': 'x' }), /^non-bool value specified for ignore-error/],
      [registry('x', { 'cache-mounts': 'true', 'cache-mounts-limit': 'much' }), /^invalid cache-mounts-limit "much"/],
      [
        registry('x', { 'image-manifest': 'true', 'oci-mediatypes': 'false' }),
        'invalid configuration for remote cache, OCI mediatypes are required for image-manifest cache format',
      ],
    ];
    for (const [location, message] of cases) {
      await assert.rejects(build(fixture, dockerfile, { to: [location] }), (error: Error) => {
        if (typeof message === 'string') assert.equal(error.message, message);
        else assert.match(error.message, message);
        return true;
      });
    }
    // What cannot be imported is told of, and the build goes on.
    const { events, steps } = await build(fixture, dockerfile, { from: [{ type: 'gha', attributes: {} }] });
    assert.deepEqual(steps, allSteps);
    assert.match(errors(events).join(), /importing cache manifest from gha: Cannot keep a build cache with gha/);
  });

  test('a registry that refuses fails the build, unless its errors are to be ignored', async () => {
    await using double = await RegistryDouble.open();
    double.rule({
      match: /^POST .*uploads/,
      answer: { status: 403, body: Buffer.from('{"errors":[{"code":"DENIED"}]}') },
    });
    const ref = `${double.host}/cache:main`;
    await using fixture = await withSource();
    await assert.rejects(build(fixture, dockerfile, { to: [registry(ref)] }), /denied/i);
    const { events, result } = await build(fixture, dockerfile, { to: [registry(ref, { 'ignore-error': 'true' })] });
    assert.match(errors(events).join(), /^exporting cache to registry: .*denied/i);
    assert.notEqual(result.image, undefined);
    assert.equal(result.cacheManifest, undefined);
  });

  test("the client's credentials go to the registry", async () => {
    await using double = await RegistryDouble.open({
      access: { kind: 'token', users: { ann: 'secret' }, private: /./ },
    });
    const ref = `${double.host}/cache:main`;
    await using one = await withSource();
    await assert.rejects(build(one, dockerfile, { to: [registry(ref)] }), /denied|forbidden|unauthorized/i);
    for (const fixture of [one, await withSource()]) {
      fixture.credentials.set(double.host, { username: 'ann', password: 'secret' });
      const { steps } = await build(fixture, dockerfile, { from: [registry(ref)], to: [registry(ref)] });
      assert.deepEqual(steps, allCached);
      if (fixture !== one) await fixture[Symbol.asyncDispose]();
    }
  });

  const mounting = `FROM busybox
COPY src /src
RUN --mount=type=cache,target=/c,id=deps,mode=0700,uid=7,gid=8 \\
  ls -A /c > /found; cp /src /c/dep; ln /c/dep /c/twin; ln -s /etc/passwd /c/link; chown 5:6 /c/dep; chmod 4711 /c/dep
RUN --mount=type=cache,target=/other true
`;

  test('folders of cache mounts go along when they are asked for', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const to = [local(store, { 'cache-mounts': 'true', mode: 'max' })];
    const { result } = await build(one, mounting, { to });
    const digest = result.cacheManifest!.digest;
    const table = tableOf(store, digest);
    assert.deepEqual(
      table.folders.map(({ id, mode, uid, gid }) => [id, mode, uid, gid]),
      [
        ['//other', 0o755, 0, 0],
        ['/deps', 0o700, 7, 8],
      ],
    );

    // Nothing runs: nothing is fetched. They are exported again all the same.
    await using two = await withSource();
    store.read_.length = 0;
    const from = [local(store, { digest })];
    const second = await build(two, mounting, { from, to });
    assert.equal(second.steps.filter((name) => !name.startsWith('cached')).length, 0);
    const folders = table.folders.map(({ blob }) => blob.digest);
    assert.deepEqual(
      store.read_.filter((each) => folders.includes(each as Digest)),
      [],
    );
    assert.equal(second.result.cacheManifest!.digest, digest);

    // A step that runs begins with what the other machine left.
    await using three = await withSource('changed');
    await build(three, mounting, { from });
    const [folder] = three.cacheFolders().filter(({ id }) => id === '/deps');
    const at = (name: string): string => join(folder!.path, name);
    assert.equal(readFileSync(at('dep'), 'utf8'), 'changed');
    const { mode, uid, gid, nlink } = statSync(at('dep'));
    assert.deepEqual([mode & 0o7777, uid, gid], [0o4711, 5, 6]);
    assert.equal(nlink, 2);
    assert.equal(statSync(folder!.path).uid, 7);
    assert.equal(await three.fileOf(mounting, '/found'), 'dep\nlink\ntwin\n');

    // Not wanted, it begins empty.
    await using four = await withSource('changed');
    await build(four, mounting, { from: [local(store, { digest, 'cache-mounts': 'false' })] });
    assert.equal(await four.fileOf(mounting, '/found'), '');
  });

  test('folders beyond the bound stay where they are; hostile ones are refused', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const big = 'FROM busybox\nRUN --mount=type=cache,target=/c,id=big dd if=/dev/zero of=/c/zeros bs=1M count=3\n';
    const to = (limit: string): BuildCacheLocation[] => [
      local(store, { 'cache-mounts': 'true', 'cache-mounts-limit': limit }),
    ];
    const small = await build(one, big, { to: to('2m') });
    assert.deepEqual(tableOf(store, small.result.cacheManifest!.digest).folders, []);
    assert.match(small.logs, /cache mount "\/big" is not exported: it is larger than/);
    const { result } = await build(one, big, { to: to('4m') });
    const { digest } = result.cacheManifest!;
    const table = tableOf(store, digest);

    // A step that runs, as it reads something else.
    const other = `${big}RUN --mount=type=cache,target=/c,id=big ls -A /c > /found\n`;
    await using two = await withSource();
    const bounded = await build(two, other, { from: [local(store, { digest, 'cache-mounts-limit': '2m' })] });
    assert.match(bounded.logs, /cache mount "\/big" could not be imported, it begins empty: it is larger than/);
    assert.equal(await two.fileOf(other, '/found'), '');

    const archives: [string, Parameters<typeof tarHeader>[1], object, RegExp][] = [
      ['../../escaped', 'file', {}, /escaped/],
      ['disk', 'block', { major: 8, minor: 0 }, /is a device/],
    ];
    for (const [name, type, more, message] of archives) {
      const good = { header: tarHeader(Buffer.from([0x66, 0xff]), 'file', {}) };
      const tar = await collectBytes(writeTar([good, { header: tarHeader(Buffer.from(name), type, more) }]), 1 << 20);
      store.blobs.set(sha256(tar), tar);
      const blob = { ...table.folders[0]!.blob, digest: sha256(tar), size: tar.length };
      const bad = put(store, { ...table, folders: [{ ...table.folders[0]!, blob }] });
      await using three = await withSource();
      const { logs } = await build(three, other, { from: [local(store, { digest: bad })] });
      assert.match(logs, message);
      assert.equal(await three.fileOf(other, '/found'), '');
      assert.deepEqual(
        readdirSync(three.root).filter((each) => each.includes('escaped')),
        [],
      );
    }
  });

  test('cancelled while a layer comes: nothing is left of it', async () => {
    const store = new PlayedStore();
    await using one = await withSource();
    const { result } = await build(one, dockerfile, { to: [local(store)] });
    const { digest } = result.cacheManifest!;
    const table = tableOf(store, digest);
    const layers = new Set<string>([...table.layers.values()].map((blob) => blob.digest));
    await using two = await withSource();
    const controller = new AbortController();
    const slow: ClientBlobs = {
      size: (each) => store.size(each),
      write: (blob, bytes) => store.write(blob, bytes),
      read: async function* (each, signal) {
        if (!layers.has(each)) yield* store.read(each);
        else {
          controller.abort(new Fault('unavailable', 'the client left'));
          signal.throwIfAborted();
        }
      },
    };
    const before = two.snapshots.layers().length;
    await assert.rejects(
      two.build(dockerfile, [image], { cacheFrom: [local(slow, { digest })] }, controller.signal),
      /the client left/,
    );
    assert.equal(two.snapshots.layers().length, before);
  });
});

function tableOf(store: PlayedStore, manifest: string): CacheContent {
  const parsed = parseManifest(store.blobs.get(manifest)!, '');
  assert.equal(parsed.kind, 'manifest');
  const config = parsed.kind === 'manifest' ? parsed.manifest.config.digest : '';
  return parseCacheConfig(store.blobs.get(config)!)!;
}

/** A cache of that table. Returns its manifest's digest. */
function put(store: PlayedStore, content: CacheContent): Digest {
  return putConfig(store, encodeCacheConfig(content));
}

function putConfig(store: PlayedStore, config: Buffer): Digest {
  store.blobs.set(sha256(config), config);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: cacheConfigType, digest: sha256(config), size: config.length },
      layers: [],
    }),
  );
  store.blobs.set(sha256(manifest), manifest);
  return sha256(manifest);
}

async function manifestOf(double: RegistryDouble, tag: string, name = 'cache'): Promise<Buffer> {
  const response = await fetch(`http://${double.host}/v2/${name}/manifests/${tag}`);
  assert.equal(response.status, 200);
  return Buffer.from(await response.arrayBuffer());
}
