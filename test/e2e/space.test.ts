/** Every byte of the data root accounted for: `system df` against du, prunes against what df lost, `system verify` against damage. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SpaceReport, VerifyFinding } from '../../src/api/index.ts';
import { sharedDaemon } from '../support/daemon.ts';
import { must } from '../support/docker.ts';
import { entry, tar } from '../support/images.ts';

const host = await sharedDaemon();
const { scenario } = host;
const megabyte = 1 << 20;

const report = async (): Promise<SpaceReport> => (await host.daemon.api('GET', '/wherry/df')).body as SpaceReport;
const sizeOf = ({ Rows }: SpaceReport, type: string): number => Rows.find(({ Type }) => Type === type)!.Size;
const du = async (): Promise<number> => Number((await must('du', ['-sxB1', host.daemon.dataRoot])).split('\t')[0]);

/** Within one per cent of what the disk says. */
async function addsUp(context: string): Promise<SpaceReport> {
  const found = await report();
  const disk = await du();
  assert.ok(Math.abs(found.Total - disk) <= disk / 100, `${context}: ${found.Total} and ${disk} bytes`);
  assert.equal(
    found.Total,
    found.Rows.reduce((sum, { Size }) => sum + Size, 0),
    context,
  );
  return found;
}

async function importImage(name: string, megabytes: number): Promise<void> {
  const file = join(host.daemon.root, 'layer.tar');
  writeFileSync(file, await tar([entry('f', 'file', { body: randomBytes(megabytes * megabyte) })]));
  await host.docker.ok('import', file, name);
}

scenario('df is what du says, whatever there is', async () => {
  const { docker, daemon } = host;
  await addsUp('busybox alone');
  await importImage('big:1', 5);
  const made = await addsUp('with an image');
  assert.ok(sizeOf(made, 'Images') > 5 * megabyte && sizeOf(made, 'Image Archives') > 5 * megabyte);
  await docker.ok(
    'run',
    '--name',
    'writer',
    '-v',
    'data:/data',
    'busybox',
    'sh',
    '-c',
    'head -c 3000000 /dev/urandom > /own; head -c 2000000 /dev/urandom > /data/one; ln /data/one /data/two; dd if=/dev/zero of=/data/hole bs=1 seek=100M count=1 2>/dev/null; seq 100000',
  );
  const ran = await addsUp('with a container, a volume with a link and a hole, and a log');
  assert.ok(Math.abs(sizeOf(ran, 'Containers') - 3_000_000) < 300_000);
  assert.ok(Math.abs(sizeOf(ran, 'Local Volumes') - 2_000_000) < 100_000, 'a link counts once, a hole not');
  assert.ok(sizeOf(ran, 'Container Logs') > 1_000_000);
  await docker.ok('run', '-d', '--name', 'runs', 'busybox', 'sleep', '600');
  await addsUp('while one runs');
  await docker.ok('rm', '-f', 'writer', 'runs');
  await docker.ok('volume', 'rm', 'data');
  const trashed = await addsUp('with a removed volume');
  assert.ok(sizeOf(trashed, 'Volume Trash') > 1_900_000 && sizeOf(trashed, 'Local Volumes') === 0);
  writeFileSync(join(daemon.dataRoot, 'content/ingest', `sha256-${'a'.repeat(64)}.part`), randomBytes(megabyte));
  writeFileSync(join(daemon.dataRoot, 'mine'), randomBytes(megabyte));
  const strange = await addsUp('with half a download, and a file of somebody');
  assert.ok(sizeOf(strange, 'Partial Downloads') >= megabyte);
  assert.ok(sizeOf(strange, 'Other') >= megabyte);
  rmSync(join(daemon.dataRoot, 'mine'));
});

scenario('a build cache is counted, and freed to the last byte', async () => {
  const { docker, daemon } = host;
  const folder = join(daemon.root, 'context');
  mkdirSync(folder);
  writeFileSync(join(folder, 'noise'), randomBytes(3 * megabyte));
  const dockerfile = [
    'FROM busybox',
    'COPY noise /noise',
    'RUN --mount=type=cache,target=/cache head -c 2000000 /dev/urandom > /cache/kept; rm /noise',
  ];
  writeFileSync(join(folder, 'Dockerfile'), dockerfile.join('\n'));
  const before = await addsUp('before a build');
  const { code, stderr } = await docker.run(['build', '-t', 'built', folder], { env: { DOCKER_BUILDKIT: '0' } });
  assert.equal(code, 0, stderr);
  const built = await addsUp('with an image of a build');
  const cache = (found: SpaceReport): number => sizeOf(found, 'Build Cache') - sizeOf(before, 'Build Cache');
  assert.ok(cache(built) > 1_900_000 && cache(built) < 3 * megabyte, `${cache(built)}: the cache mount alone`);
  await docker.ok('rmi', 'built');
  const kept = await addsUp('with the cache of a build');
  assert.ok(cache(kept) > 5_100_000, `${cache(kept)}: layers, too`);
  assert.match(await docker.ok('builder', 'prune', '-af'), /Total/);
  const pruned = await addsUp('after pruning');
  assert.ok(cache(pruned) < 64 * 1024, `${cache(pruned)}: nothing but folders`);
});

scenario('the stock command line sees Docker’s fields in Docker’s meaning', async () => {
  const { docker } = host;
  const { body } = await host.daemon.api('GET', '/system/df');
  const usage = body as {
    LayersSize: number;
    Images: { Id: string; Size: number }[];
    Containers: { SizeRw?: number }[];
  };
  const id = await docker.ok('run', '-d', 'busybox', 'sh', '-c', 'echo hello > /file; seq 1000; sleep 600');
  assert.equal(
    usage.LayersSize,
    usage.Images.reduce((sum, { Size }) => sum + Size, 0),
    'no two of these images share a layer',
  );
  const again = (await host.daemon.api('GET', '/system/df')).body as typeof usage;
  assert.equal(again.Containers[0]?.SizeRw, 6, 'the log is not in it');
  await docker.ok('rm', '-f', id);
});

scenario('what prunes say is what df loses', async () => {
  const { docker } = host;
  const reclaimed = async (path: string): Promise<number> => {
    const before = (await report()).Total;
    const { body } = await host.daemon.api('POST', path);
    const said = (body as { SpaceReclaimed: number }).SpaceReclaimed;
    const lost = before - (await report()).Total;
    assert.ok(said > 0 && Math.abs(said - lost) <= 16_384, `${path}: ${said} said, ${lost} lost`);
    return said;
  };
  const filters = (value: object): string => `?filters=${encodeURIComponent(JSON.stringify(value))}`;
  await docker.ok('run', '--name', 'old', 'busybox', 'sh', '-c', 'head -c 3000000 /dev/urandom > /own; seq 100000');
  assert.ok((await reclaimed('/containers/prune')) > 3_500_000, 'log and files');
  await importImage('loose', 2);
  await docker.ok('rmi', 'loose').then(() => importImage('loose', 2));
  await docker.ok('tag', 'busybox', 'loose');
  assert.ok(
    (await reclaimed('/images/prune')) > 4 * megabyte,
    'layer and archive of the dangling one, and half a download',
  );
  await docker.ok('rmi', 'loose');
  await docker.ok('create', '--name', 'holds', 'busybox');
  await importImage('keep', 1);
  await importImage('other', 1);
  const labelled = await docker.ok('create', '-l', 'x=y', 'other', '/f');
  await docker.ok('commit', '-c', 'LABEL keep=yes', labelled, 'labelled:1');
  await docker.ok('rm', labelled);
  assert.equal(
    (
      (await host.daemon.api('POST', `/images/prune${filters({ dangling: { false: true }, until: { '1h': true } })}`))
        .body as { SpaceReclaimed: number }
    ).SpaceReclaimed,
    0,
    'all are younger',
  );
  const pruned = await reclaimed(`/images/prune${filters({ dangling: { false: true }, 'label!': { keep: true } })}`);
  assert.ok(pruned > 2 * megabyte);
  assert.match(await docker.ok('images', '--format', '{{.Repository}}'), /^labelled$/m);
  await reclaimed(`/images/prune${filters({ dangling: { false: true }, label: { 'keep=yes': true } })}`);
  await docker.ok('run', '--rm', '-v', '/anonymous', '--name', 'makes', 'busybox', 'true');
  const volume = await docker.ok('volume', 'create', '-d', 'local');
  await docker.ok('run', '--rm', '-v', `${volume}:/v`, 'busybox', 'sh', '-c', 'head -c 2000000 /dev/urandom > /v/f');
  assert.ok((await reclaimed('/volumes/prune')) > 1_900_000);
  await docker.ok('rm', 'holds');
});

scenario('verify finds what is wrong anywhere, and mends what is the engine’s own', async () => {
  const { docker, daemon } = host;
  const root = daemon.dataRoot;
  const id = await docker.ok('create', '--name', 'stands', 'busybox', 'cat', '/mine');
  const mine = join(daemon.root, 'mine');
  writeFileSync(mine, 'my own');
  await docker.ok('cp', mine, 'stands:/mine');
  await docker.ok('volume', 'create', 'kept');
  assert.deepEqual(await daemon.verify(), []);
  const strays = [
    'content/blobs/sha256/stray',
    'content/ingest/1-1.tmp',
    'snapshots/t/left/file',
    'snapshots/l/zz/fs/file',
    'images/stray',
    'images/images/stray.json',
    'records/stray.json',
    'networks/stray.json',
    'volumes/.new-0123/_data/file',
  ];
  for (const path of strays) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), '{}');
  }
  await must('touch', ['-d', '1 hour ago', join(root, 'volumes/.new-0123'), join(root, 'content/ingest/1-1.tmp')]);
  const people = [
    'foreign',
    'snapshots/w/unknown/fs/data',
    'containers/unknown/unknown.log',
    'volumes/unknown/_data/file',
    'trash/unknown',
  ];
  for (const path of people) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), 'somebody’s');
  }
  writeFileSync(join(root, 'records', `${'b'.repeat(64)}.json.broken`), '{');
  mkdirSync(join(daemon.execRoot, 'containers', 'c'.repeat(64)), { recursive: true });
  rmSync(join(root, 'volumes/kept/volume.json'));
  const found = await daemon.verify();
  const paths = (findings: VerifyFinding[]): string[] =>
    findings.map(({ Path, Name }) => (Path || Name).replace(`${root}/`, '').replace(`${daemon.root}/`, '')).sort();
  const own = [
    'content/blobs/sha256/stray',
    'content/ingest/1-1.tmp',
    'snapshots/t/left',
    'snapshots/l/zz',
    'images/stray',
    'images/images/stray.json',
    'records/stray.json',
    'networks/stray.json',
    'volumes/.new-0123',
    'volumes/kept/volume.json',
    `run/containers/${'c'.repeat(64)}`,
  ];
  const theirs = [
    'foreign',
    'snapshots/w/unknown',
    'containers/unknown',
    'volumes/unknown',
    'trash/unknown',
    `records/${'b'.repeat(64)}.json.broken`,
  ];
  assert.deepEqual(paths(found), [...own, ...theirs].sort());
  const mended = await daemon.verify('/wherry/verify', 'POST');
  assert.deepEqual(paths(mended.filter(({ Repaired }) => Repaired)), own.toSorted());
  const left = await daemon.verify();
  assert.deepEqual(paths(left), theirs.toSorted());
  for (const path of people) assert.ok(existsSync(join(root, path)), `${path} is left to people`);
  for (const { Action } of left) {
    const command = /(rm (?:-r )?\/.*)$/.exec(Action)?.[1];
    assert.ok(command !== undefined, Action);
    await must('sh', ['-c', command]);
  }
  assert.deepEqual(await daemon.verify(), [], 'the commands it names do what they say');
  assert.match(await docker.ok('volume', 'inspect', 'kept', '-f', '{{.Name}}'), /kept/);
  assert.equal(await docker.ok('start', '-a', id), 'my own');
  await docker.ok('volume', 'rm', 'kept');
  await docker.ok('rm', id);
});

scenario('a container whose layers are lost stands on them again, with its files', async () => {
  const { docker, daemon } = host;
  await docker.ok('create', '--name', 'stands', 'busybox', 'cat', '/mine');
  const mine = join(daemon.root, 'mine');
  writeFileSync(mine, 'my own');
  await docker.ok('cp', mine, 'stands:/mine');
  await daemon.kill();
  const layers = join(daemon.dataRoot, 'snapshots/l');
  for (const name of readdirSync(layers)) rmSync(join(layers, name), { recursive: true });
  await daemon.start();
  const found = await daemon.verify();
  assert.deepEqual(found.map(({ Kind, Problem }) => `${Kind} ${Problem}`).sort(), [
    'container damaged',
    'layer missing',
  ]);
  const mended = await daemon.verify('/wherry/verify', 'POST');
  assert.ok(
    mended.every(({ Repaired }) => Repaired),
    JSON.stringify(mended),
  );
  assert.deepEqual(await daemon.verify(), []);
  assert.equal(await docker.ok('start', '-a', 'stands'), 'my own');
  await docker.ok('rm', 'stands');
});

scenario('a damaged layer is not touched under a running container', async () => {
  const { docker, daemon } = host;
  await docker.ok('run', '-d', '--name', 'runs', 'busybox', 'sleep', '600');
  const layers = join(daemon.dataRoot, 'snapshots/l');
  const layer = readdirSync(layers).find((name) => existsSync(join(layers, name, 'fs/bin/busybox')))!;
  const passwd = join(layers, layer, 'fs/etc/passwd');
  const before = readFileSync(passwd, 'utf8');
  appendFileSync(passwd, 'evil::0:0::/:/bin/sh\n');
  const [warned, ...others] = await daemon.verify('/wherry/verify', 'POST');
  assert.deepEqual(others, []);
  assert.equal(warned?.Repaired, false);
  assert.match(
    warned?.Action ?? '',
    /running containers see it; stop them, then mend it: wherry stop runs; wherry system verify --repair/,
  );
  await docker.ok('rm', '-f', 'runs');
  const [mended] = await daemon.verify('/wherry/verify', 'POST');
  assert.deepEqual([mended?.Repaired, mended?.Action], [true, 'unpacked again']);
  assert.equal(readFileSync(passwd, 'utf8'), before);
  assert.equal(await docker.ok('run', '--rm', 'busybox', 'cat', '/etc/passwd'), before.trimEnd());
});

scenario('a record that is half written is set aside by the next daemon, and told', async () => {
  const { docker, daemon } = host;
  const id = await docker.ok('create', '--name', 'half', 'busybox');
  const record = join(daemon.dataRoot, 'records', `${id}.json`);
  const whole = readFileSync(record);
  await daemon.kill();
  writeFileSync(record, whole.subarray(0, 100));
  daemon.expectedErrors.push(/a container record cannot be read and was set aside/);
  await daemon.start();
  const found = await daemon.verify();
  assert.deepEqual(found.map(({ Problem }) => Problem).sort(), ['broken'], JSON.stringify(found));
  await daemon.kill();
  renameSync(`${record}.broken`, record);
  writeFileSync(record, whole);
  await daemon.start();
  await docker.run(['rm', 'half']);
  rmSync(join(daemon.dataRoot, 'containers', id), { recursive: true, force: true });
});
