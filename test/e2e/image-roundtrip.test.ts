/**
 * Images between Wherry, Debian's dockerd, podman and skopeo, by archive and by registry, each as producer and as consumer: the ids are
 * equal, and so are the files to the last attribute.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { readTar } from '../../src/oci/index.ts';
import { collectBytes } from '../../src/std/index.ts';
import { ContainerTools } from '../support/container-tools.ts';
import { cannotRun, repository, sharedDaemon } from '../support/daemon.ts';
import type { Docker } from '../support/docker.ts';
import { must } from '../support/docker.ts';
import { dockerPeer, type ImagePeer, podmanPeer } from '../support/image-peers.ts';
import { busyboxImage, entry, tar } from '../support/images.ts';
import { makeOddTree } from '../support/odd-tree.ts';
import { ReferenceEngine, RegistryService } from '../support/peers.ts';
import { compareTrees, describeTree, type TreeOptions } from '../support/tree.ts';

const host = await sharedDaemon();
const work = mkdtempSync(join(tmpdir(), 'wherry-roundtrip-'));
after(() => rmSync(work, { recursive: true, force: true }));

/** A peer, or why it cannot be had. */
async function peer<T extends AsyncDisposable>(open: () => Promise<T>): Promise<{ peer?: T; reason?: string }> {
  const reason = cannotRun();
  if (reason !== undefined) return { reason };
  try {
    const opened = await open();
    after(() => opened[Symbol.asyncDispose]());
    return { peer: opened };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}
const [reference, tools, registry] = await Promise.all([
  peer(() => ReferenceEngine.open()),
  peer(() => ContainerTools.open()),
  peer(() => RegistryService.open()),
]);

const peers: { name: string; peer?: () => ImagePeer; reason?: string | undefined }[] = [
  {
    name: 'dockerd',
    ...(reference.peer === undefined
      ? { reason: reference.reason }
      : { peer: () => dockerPeer('dockerd', reference.peer!.docker, work) }),
  },
  {
    name: 'podman',
    ...(tools.peer === undefined ? { reason: tools.reason } : { peer: () => podmanPeer(tools.peer!) }),
  },
];
const wherry = (): ImagePeer => dockerPeer('wherry', host.docker, work);

const ownCli = (): Docker => host.daemon.cli(join(repository, 'bin/wherry'));

/** Other engines write zeros where a file had holes, and make the root as they like. */
const common: TreeOptions = { holes: false };

async function filesOf(engine: ImagePeer, image: string): Promise<Map<string, string>> {
  return new Map([...(await engine.tree(image, common))].filter(([path]) => path !== ''));
}

async function sameTree(one: ImagePeer, other: ImagePeer, image: string, otherImage = image): Promise<void> {
  const wanted = await filesOf(one, image);
  const actual = await filesOf(other, otherImage);
  assert.ok(wanted.size > 200);
  assert.deepEqual(compareTrees(wanted, actual), [], `${image} of ${one.name} as ${other.name} has it`);
}

/** busybox, the odd tree in /odd, and a layer that takes some of it away again: an archive of it. */
async function makeOddImage(): Promise<{ archive: string; source: string }> {
  const source = join(work, 'source');
  mkdirSync(join(source, 'odd'), { recursive: true });
  makeOddTree(join(source, 'odd'), { portable: true, linkedNodes: false });
  await must('tar', [
    '-C',
    source,
    '-cf',
    join(work, 'odd.tar'),
    '--format=posix',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    'odd',
  ]);
  const files = new Map<string, Buffer>();
  for await (const each of readTar(createReadStream(await busyboxImage()) as AsyncIterable<Uint8Array>)) {
    files.set(each.name.toString(), await collectBytes(each.body(), 1 << 26));
  }
  const busybox = [...files].find(([name]) => name.endsWith('/layer.tar'))![1];
  const odd = readFileSync(join(work, 'odd.tar'));
  const removing = await tar([
    entry('odd', 'directory', { mode: 0o751 }),
    entry('odd/links', 'directory'),
    entry('odd/links/.wh.two', 'file'),
    entry('odd/modes', 'directory', { mode: 0o700 }),
    entry('odd/modes/.wh..wh..opq', 'file'),
    entry('odd/modes/anew', 'file', { body: 'in an opaque directory', mode: 0o4511 }),
    entry('odd/nodes', 'file', { body: 'a file where a directory was' }),
    entry('odd/.wh.owners', 'file'),
    entry('pair', 'file', { body: 'two names', uid: 3_000_000_000 }),
    entry('pair2', 'hardlink', { linkName: 'pair', uid: 3_000_000_000 }),
  ]);
  const layers = [busybox, odd, removing];
  const config = JSON.stringify({
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    created: '2024-05-01T00:00:00Z',
    config: { Env: ['PATH=/bin:/usr/bin'], Cmd: ['sh'], Labels: { odd: 'yes' } },
    rootfs: {
      type: 'layers',
      diff_ids: layers.map((each) => `sha256:${createHash('sha256').update(each).digest('hex')}`),
    },
    history: layers.map((_, index) => ({ created: '2024-05-01T00:00:00Z', created_by: `layer ${index}` })),
  });
  const archive = join(work, 'odd-image.tar');
  writeFileSync(
    archive,
    await tar([
      entry('config.json', 'file', { body: config }),
      ...layers.map((body, index) => entry(`${index}/layer.tar`, 'file', { body })),
      entry('manifest.json', 'file', {
        body: JSON.stringify([
          { Config: 'config.json', RepoTags: [oddName], Layers: layers.map((_, index) => `${index}/layer.tar`) },
        ]),
      }),
    ]),
  );
  return { archive, source };
}

const oddName = 'example.test/odd:1';
let made: Promise<{ archive: string; source: string }> | undefined;
const oddImage = (): Promise<{ archive: string; source: string }> => (made ??= makeOddImage());

/** What containers do that layers must tell. */
const script = `
rm -r /odd/links /odd/modes; mkdir /odd/modes; echo again > /odd/modes/new; chmod 2751 /odd/modes
rm /odd/a/far/away; echo more >> /odd/xattrs/file
mkdir -p /odd/xattrs/directory; touch -d '2001-02-03 04:05:06' /odd/xattrs/directory
ln /pair2 /pair3; rm /pair
chown 2147483653:7 /odd/sparse/dense; chmod 6711 /odd/sparse/dense
rm /odd/nodes; mkdir /odd/nodes; mkfifo /odd/nodes/pipe; mknod /odd/nodes/null c 1 3
echo first > /grown; dd if=/dev/null of=/grown bs=1 seek=3000000 2>/dev/null; ln -s nowhere /dangling
rm /bin/vi; mkdir /bin/vi; touch /bin/vi/file; touch '/odd/names/made here'
`;

host.scenario('an image made by GNU tar is the same in Wherry as on disk, holes included', async () => {
  const own = wherry();
  const odd = await oddImage();
  await own.load(odd.archive);
  const skip = (path: string): boolean => path !== '' && !/^odd(\/(names|xattrs|sparse|times)(\/|$)|$)/.test(path);
  const inside = (tree: ReadonlyMap<string, string>): Map<string, string> =>
    new Map([...tree].filter(([path]) => path.startsWith('odd/')));
  const wanted = inside(describeTree(odd.source, { skip }));
  assert.ok(wanted.size > 40);
  assert.deepEqual(compareTrees(wanted, inside(await own.tree(oddName, { skip }))), []);
  const paths = [...(await own.tree(oddName)).keys()];
  assert.deepEqual(
    paths.filter((path) => /^odd\/(modes|owners|nodes|links\/(one|two))/.test(path)),
    ['odd/links/one', 'odd/modes', 'odd/modes/anew', 'odd/nodes'],
    'what the top layer takes away is gone',
  );
});

host.scenario('export and import: a file system goes through a pipe and stays what it was', async () => {
  const own = wherry();
  await own.load((await oddImage()).archive);
  const archive = join(work, 'exported.tar');
  await host.docker.ok('create', '--name', 'exported', oddName);
  await host.docker.ok('export', '-o', archive, 'exported');
  await host.docker.ok('rm', 'exported');
  await host.docker.ok('import', archive, 'example.test/imported:1');
  // The container's own files come along; attributes that only root may see do not.
  const added = /^(\.dockerenv|dev|etc|proc|sys)(\/|$)/;
  const portable = (tree: ReadonlyMap<string, string>): Map<string, string> =>
    new Map(
      [...tree]
        .filter(([path]) => !added.test(path))
        .map(([path, text]) => [path, text.replaceAll(/ trusted\.\w+=\S+/g, '')]),
    );
  const wanted = portable(await filesOf(own, oddName));
  assert.ok(wanted.size > 200);
  assert.deepEqual(compareTrees(wanted, portable(await filesOf(own, 'example.test/imported:1'))), []);
});

for (const { name, peer: open, reason } of peers) {
  const skip = open === undefined ? `no ${name}: ${reason}` : undefined;
  const named = (image: string): string => `example.test/${name}/${image}:1`;

  host.scenario(
    `archives between ${name} and Wherry`,
    async () => {
      const [own, other] = [wherry(), open!()];
      const odd = await oddImage();
      assert.equal(await other.load(odd.archive), await own.load(odd.archive));
      await sameTree(other, own, oddName);

      const archive = join(work, `${name}.tar`);
      const theirs = await other.change(oddName, script, named('theirs'));
      await other.save(named('theirs'), archive);
      assert.equal(await own.load(archive), theirs);
      await sameTree(other, own, named('theirs'));

      const ours = await own.change(oddName, script, named('ours'));
      await own.save(named('ours'), archive);
      assert.equal(await other.load(archive), ours);
      await sameTree(own, other, named('ours'));
    },
    { skip },
  );

  host.scenario(
    `a registry between ${name} and Wherry`,
    async () => {
      const [own, other] = [wherry(), open!()];
      const at = (image: string): string => `${registry.peer!.address}/${name}/${image}:1`;
      const odd = await oddImage();
      await Promise.all([own.load(odd.archive), other.load(odd.archive)]);
      const pushed = `${script}\necho pushed > /by`;
      const theirs = await other.change(oddName, pushed, named('theirs-pushed'));
      await other.push(named('theirs-pushed'), at('theirs'));
      assert.equal(await own.pull(at('theirs')), theirs);
      await sameTree(other, own, named('theirs-pushed'), at('theirs'));

      const ours = await own.change(oddName, pushed, named('ours-pushed'));
      await own.push(named('ours-pushed'), at('ours'));
      assert.equal(await other.pull(at('ours')), ours);
      await sameTree(own, other, named('ours-pushed'), at('ours'));
    },
    { skip: skip ?? (registry.peer === undefined ? `no registry: ${registry.reason}` : undefined) },
  );
}

const noSkopeo = tools.peer === undefined ? `no skopeo: ${tools.reason}` : undefined;
const noRegistry = noSkopeo ?? (registry.peer === undefined ? `no registry: ${registry.reason}` : undefined);
const skopeo = (...args: string[]): Promise<string> => tools.peer!.ok('skopeo', ...args);

/** The id that an image has where skopeo put it: the digest of its config. */
async function idAt(place: string): Promise<string> {
  const raw = await skopeo('inspect', '--raw', ...(place.startsWith('docker://') ? ['--tls-verify=false'] : []), place);
  return (JSON.parse(raw) as { config: { digest: string } }).config.digest;
}

host.scenario(
  'what skopeo copies: both kinds of archive, a layout packed by tar',
  async () => {
    const own = wherry();
    const id = await own.load((await oddImage()).archive);
    const saved = join(work, 'saved.tar');
    await own.save(oddName, saved);
    const wanted = await filesOf(own, oddName);
    const layout = join(work, 'layout');
    const places: [place: string, archive: string, name: string][] = [
      [
        `docker-archive:${join(work, 'copied.tar')}:example.test/copied:1`,
        join(work, 'copied.tar'),
        'example.test/copied:1',
      ],
      [`oci-archive:${join(work, 'oci.tar')}:example.test/oci:1`, join(work, 'oci.tar'), 'example.test/oci:1'],
      [`oci:${layout}:example.test/layout:1`, join(work, 'layout.tar'), 'example.test/layout:1'],
    ];
    // It reads what is saved as either kind.
    for (const from of [`docker-archive:${saved}`, `oci-archive:${saved}`]) {
      for (const [to, archive, name] of places) {
        rmSync(archive, { force: true });
        await skopeo('copy', '-q', from, to);
        if (to.startsWith('oci:')) await must('tar', ['-C', layout, '-cf', archive, '.']);
        assert.equal(await own.load(archive), to.startsWith('docker') ? id : await idAt(to), `${from} to ${to}`);
        assert.deepEqual(compareTrees(wanted, await filesOf(own, name)), [], name);
        await host.docker.ok('rmi', name);
      }
    }
  },
  { skip: noSkopeo },
);

host.scenario(
  'what skopeo pushes: gzip and zstd layers, both kinds of manifest',
  async () => {
    const own = wherry();
    const odd = await oddImage();
    await own.load(odd.archive);
    const wanted = await filesOf(own, oddName);
    await host.docker.ok('image', 'prune', '-af');
    const kinds: [flags: string[], mediaType: RegExp][] = [
      [['--dest-compress-format', 'gzip'], /^application\/vnd\.docker\.image\.rootfs\.diff\.tar\.gzip$/],
      [['--format', 'oci', '--dest-compress-format', 'gzip'], /\+gzip$/],
      [['--format', 'oci', '--dest-compress-format', 'zstd'], /\+zstd$/],
    ];
    for (const [index, [flags, mediaType]] of kinds.entries()) {
      // What it remembers of the registry it would use again, compressed as that is.
      await tools.peer!.ok('rm', '-rf', '/var/lib/containers/cache');
      const target = `${registry.peer!.address}/skopeo/odd:${index}`;
      await skopeo(
        'copy',
        '-q',
        '--dest-tls-verify=false',
        ...flags,
        `docker-archive:${odd.archive}`,
        `docker://${target}`,
      );
      const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${target}`);
      const { layers } = JSON.parse(raw) as { layers: { mediaType: string }[] };
      for (const layer of layers) assert.match(layer.mediaType, mediaType);
      assert.equal(await own.pull(target), await idAt(`docker://${target}`));
      assert.deepEqual(compareTrees(wanted, await filesOf(own, target)), [], target);
      const from = (await ownCli().ok('history', '--layers', '--format', '{{.From}}', target)).split('\n');
      assert.deepEqual(new Set(from), new Set([`${target} (${target.replace(/:\d+$/, '')})`]));
      // And out again, as it came.
      const archive = join(work, 'pulled.tar');
      await own.save(target, archive);
      const again = `docker://${registry.peer!.address}/skopeo/again:${index}`;
      await skopeo('copy', '-q', '--dest-tls-verify=false', '--preserve-digests', `oci-archive:${archive}`, again);
      assert.equal(await skopeo('inspect', '--raw', '--tls-verify=false', again), raw);
      await host.docker.ok('rmi', target);
    }
  },
  { skip: noRegistry },
);

host.scenario(
  'save --since: dockerd loads it where the base is, and so does Wherry with the base compressed otherwise',
  async () => {
    const own = wherry();
    const odd = await oddImage();
    await own.load(odd.archive);
    const id = await own.change(oddName, 'echo small > /small', 'example.test/small:1');
    const cli = ownCli();
    const [part, whole] = [join(work, 'part.tar'), join(work, 'whole.tar.zst')];
    await cli.ok('save', '--since', oddName, '-o', part, 'example.test/small:1');
    await cli.ok('save', '-o', whole, 'example.test/small:1');
    assert.ok(statSync(part).size < 64 * 1024, 'the layers of the base are left out');
    assert.deepEqual([...readFileSync(whole).subarray(0, 4)], [0x28, 0xb5, 0x2f, 0xfd]);

    const other = dockerPeer('dockerd', reference.peer!.docker, work);
    await other.load(odd.archive);
    assert.equal(await other.load(part), id);
    await sameTree(own, other, 'example.test/small:1');

    const wanted = await filesOf(own, 'example.test/small:1');
    await host.docker.ok('image', 'prune', '-af');
    assert.match(
      await cli.fails('load', '-i', part),
      /^1: Cannot load image example\.test\/small:1: it was saved without the layers of example\.test\/odd:1 \([0-9a-f]{12}\), which is not here\. Load it first, or try 'wherry pull example\.test\/odd:1'$/,
    );
    const base = `${registry.peer!.address}/since/base:1`;
    const to = [
      '--format',
      'oci',
      '--dest-compress-format',
      'zstd',
      `docker-archive:${odd.archive}`,
      `docker://${base}`,
    ];
    await tools.peer!.ok('rm', '-rf', '/var/lib/containers/cache');
    await skopeo('copy', '-q', '--dest-tls-verify=false', ...to);
    await own.pull(base);
    assert.equal(await own.load(part), id);
    assert.deepEqual(compareTrees(wanted, await filesOf(own, 'example.test/small:1')), []);
    await host.docker.ok('image', 'prune', '-af');
    assert.match(await cli.ok('load', '-i', whole), /^Loaded image: example\.test\/small:1$/m);
  },
  { skip: noRegistry ?? (reference.peer === undefined ? `no dockerd: ${reference.reason}` : undefined) },
);
