/** Every output, cache and push that docker buildx offers, through the docker driver; and the same of `wherry build`. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { BuildClient } from '../support/build-clients.ts';
import { sharedDaemon } from '../support/daemon.ts';
import { execute, type Outcome } from '../support/docker.ts';
import { RegistryService } from '../support/peers.ts';

const registry = await RegistryService.open().catch(() => undefined);
after(() => registry?.[Symbol.asyncDispose]());
const address = registry?.address ?? '';
const host = await sharedDaemon();
const { scenario } = host;
let missing = registry === undefined ? 'no docker-registry among the packages' : undefined;
const client = await BuildClient.buildx(host.daemon).catch((error: Error) => {
  missing ??= error.message;
  return undefined;
});
const options = { skip: missing };

const files = {
  Dockerfile: 'FROM busybox AS base\nRUN echo kept > /kept\nFROM base\nCOPY Dockerfile /d\nCMD ["cat", "/kept"]\n',
};

const build = (...args: string[]): Promise<Outcome> => client!.run(['build', '--progress=plain', ...args]);

async function built(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await build(...args);
  assert.equal(code, 0, stderr + stdout);
  return stderr + stdout;
}

const place = (name: string): string => join(host.daemon.root, name);
const json = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const run = (image: string): Promise<string> => host.docker.ok('run', '--rm', '--network', 'none', image);

interface Index {
  manifests: { digest: string; mediaType: string; annotations: Record<string, string> }[];
}

interface Manifest {
  layers: { mediaType: string }[];
  annotations?: Record<string, string>;
}

/** An OCI layout's only manifest, and what names it. */
function layout(folder: string): { entry: Index['manifests'][number]; manifest: Manifest } {
  assert.deepEqual(json(join(folder, 'oci-layout')), { imageLayoutVersion: '1.0.0' });
  const { manifests } = json(join(folder, 'index.json')) as Index;
  assert.equal(manifests.length, 1);
  const blob = join(folder, 'blobs/sha256', manifests[0]!.digest.slice('sha256:'.length));
  return { entry: manifests[0]!, manifest: json(blob) as Manifest };
}

async function unpacked(archive: string): Promise<string> {
  const folder = `${archive}-unpacked`;
  const { code, stderr } = await execute('sh', ['-c', `mkdir "${folder}" && tar -xf "${archive}" -C "${folder}"`]);
  assert.equal(code, 0, stderr);
  return folder;
}

scenario(
  'archives: what docker loads, and OCI layouts, as a file and as a folder',
  async () => {
    const context = client!.folder(files);
    await built('-o', `type=docker,dest=${place('d.tar')}`, '-t', 'archive:1', context);
    await host.docker.ok('load', '-i', place('d.tar'));
    assert.equal(await run('archive:1'), 'kept');
    await built('-o', `type=oci,dest=${place('o.tar')}`, '-t', 'archive:2', context);
    const archived = layout(await unpacked(place('o.tar')));
    assert.equal(archived.entry.annotations['org.opencontainers.image.ref.name'], '2');
    await built('-o', `type=oci,dest=${place('folder')},tar=false`, '-t', 'archive:3', context);
    const { entry, manifest } = layout(place('folder'));
    assert.equal(entry.digest, archived.entry.digest, 'the same image');
    assert.equal(entry.annotations['io.containerd.image.name'], 'docker.io/library/archive:3');
    assert.equal(readdirSync(join(place('folder'), 'blobs/sha256')).length, manifest.layers.length + 2);
    const { code, stderr } = await execute(
      join(import.meta.dirname, '../../bin/wherry'),
      ['build', '-q', '-o', `type=oci,dest=${place('own')},tar=false`, '-t', 'archive:4', context],
      { env: { ...host.docker.env, WHERRY_HOST: host.docker.env['DOCKER_HOST'] } },
    );
    assert.equal(code, 0, stderr);
    assert.equal(layout(place('own')).entry.digest, entry.digest);
    await host.docker.ok('rmi', 'archive:1');
  },
  options,
);

scenario(
  'compression: gzip, zstd, none; what is not known is told',
  async () => {
    const context = client!.folder(files);
    for (const [name, type] of Object.entries({ gzip: 'tar+gzip', zstd: 'tar+zstd', uncompressed: 'tar' })) {
      const folder = place(`compressed-${name}`);
      await built('-o', `type=oci,dest=${folder},tar=false,compression=${name},force-compression=true`, context);
      const types = new Set(layout(folder).manifest.layers.map(({ mediaType }) => mediaType));
      assert.deepEqual([...types], [`application/vnd.oci.image.layer.v1.${type}`]);
    }
    const refused = await build('-o', `type=oci,dest=${place('e.tar')},compression=estargz`, context);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /this builder compresses with gzip or zstd/);
  },
  options,
);

scenario(
  'several outputs of one build',
  async () => {
    const context = client!.folder(files);
    const outputs = [
      ['-o', `type=docker,dest=${place('several.tar')}`],
      ['-o', 'type=image,name=several:1'],
      ['-o', `type=local,dest=${place('several')}`],
    ].flat();
    await built(...outputs, context);
    assert.equal(await run('several:1'), 'kept');
    assert.equal(readFileSync(join(place('several'), 'kept'), 'utf8'), 'kept\n');
    assert.ok(existsSync(place('several.tar')));
    await host.docker.ok('rmi', 'several:1');
  },
  options,
);

scenario(
  'pushes: by flag, as an output, as several names, with annotations, and without a copy here',
  async () => {
    const context = client!.folder(files);
    const names = ['one', 'two'].map((name) => `${address}/pushed:${name}`);
    await built('--push', ...names.flatMap((name) => ['-t', name]), '--annotation', 'who=me', context);
    await built('-o', `type=registry,name=${address}/pushed:three`, context);
    await built('-o', `type=image,name=${address}/pushed:four,push=true`, context);
    for (const name of [...names, `${address}/pushed:three`, `${address}/pushed:four`]) {
      const text = await client!.ok(['buildx', 'imagetools', 'inspect', '--raw', name]);
      const { layers, annotations } = JSON.parse(text) as Manifest;
      assert.equal(layers.length, 3);
      assert.equal(annotations?.['who'], names.includes(name) ? 'me' : undefined);
    }
    const untold = await build('--push', context);
    assert.equal(untold.code, 1);
    assert.match(untold.stderr, /tag is needed when pushing to registry/);
    await client!.run(['rmi', ...names, `${address}/pushed:three`, `${address}/pushed:four`]);
  },
  options,
);

scenario(
  'caches: in a folder, in a registry, in the image, each used where nothing else is left',
  async () => {
    const context = client!.folder({
      Dockerfile:
        'FROM busybox AS base\nRUN date +%N%s > /when\nFROM base\nRUN cat /when > /again\nCMD ["cat", "/again"]\n',
    });
    const folder = place('cache');
    const ways = {
      local: [`type=local,dest=${folder},mode=max`, `type=local,src=${folder}`],
      registry: [`type=registry,ref=${address}/cache:1,mode=max`, `type=registry,ref=${address}/cache:1`],
      inline: ['type=inline', `type=registry,ref=${address}/inlined:1`],
    };
    for (const [way, [to, from]] of Object.entries(ways)) {
      const name = way === 'inline' ? `${address}/inlined:1` : `cached-${way}:1`;
      await built('--cache-to', to!, '-t', name, ...(way === 'inline' ? ['--push'] : []), context);
      const first = await run(name);
      await host.docker.ok('rmi', name);
      await client!.ok(['builder', 'prune', '-af']);
      const output = await built('--cache-from', from!, '-t', name, context);
      assert.equal(await run(name), first, `${way}: ${output}`);
      assert.match(output, /CACHED/);
      await host.docker.ok('rmi', name);
      await client!.ok(['builder', 'prune', '-af']);
    }
  },
  options,
);

scenario(
  'what cannot be had is said: other platforms, several at once, attestations',
  async () => {
    const context = client!.folder(files);
    const refusals: [string[], RegExp][] = [
      [['--platform', 'linux/amd64,linux/arm64'], /Cannot build for several platforms at once/],
      [['--provenance=true'], /Attestations are not supported/],
      [['--sbom=true'], /Attestations are not supported/],
    ];
    for (const [args, words] of refusals) {
      const { code, stderr } = await build(...args, context);
      assert.equal(code, 1, args.join(' '));
      assert.match(stderr, words);
    }
  },
  options,
);
