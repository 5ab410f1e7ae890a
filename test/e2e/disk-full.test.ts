/**
 * A data root without room: no blocks, no inodes, not writable. What is refused says so in Docker's words and what to type, leaves
 * nothing half done, and gives the space back; what frees space works all the same; the daemon goes on answering.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { cannotRun, repository, sharedDaemon } from '../support/daemon.ts';
import { execute, until } from '../support/docker.ts';
import { entry, tar } from '../support/images.ts';
import { RegistryService } from '../support/peers.ts';

let reason = cannotRun();
const registry =
  reason === undefined
    ? await RegistryService.open().catch((error: Error) => {
        reason = error.message;
        return undefined;
      })
    : undefined;
const host = await sharedDaemon({
  disk: { type: 'ext4', megabytes: 64, inodes: 3000 },
  args: registry === undefined ? [] : ['--insecure-registry', registry.address],
  expectedErrors: [/no space left on device/, /read-only file system/, /ENOSPC/, /EROFS/],
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
});
const scenario: typeof host.scenario = (name, body, options) =>
  host.scenario(name, body, reason === undefined ? options : { ...options, skip: reason });

const megabyte = 1 << 20;
const advice = /see what takes it: wherry system df; free what nothing uses: wherry system prune/;

/** A file of random bytes, outside of the small disk. */
function bytesAt(name: string, size: number): string {
  const path = join(host.daemon.root, name);
  writeFileSync(path, randomBytes(size));
  return path;
}

/** Takes every block of the disk until the test lets go of it. */
function fillBlocks(): Disposable {
  const path = join(host.daemon.dataRoot, 'filler');
  const file = openSync(path, 'w');
  try {
    for (let size = megabyte; size >= 512; size /= 2) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(file);
  }
  return { [Symbol.dispose]: () => rmSync(path) };
}

/** Takes every inode. */
function fillInodes(): Disposable {
  const folder = join(host.daemon.dataRoot, 'filler');
  mkdirSync(folder);
  try {
    for (let index = 0; ; index++) writeFileSync(join(folder, String(index)), '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  return { [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

const images = (): Promise<string> =>
  host.docker.ok('images', '-a', '--no-trunc', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}');

/** What is refused changes nothing: not the images, not the space, not the store's order. */
async function refused(args: readonly string[], message: RegExp, context: string): Promise<void> {
  const [before, room] = [await images(), host.daemon.disk!.free];
  const { code, stderr, stdout } = await host.docker.run(args, { timeoutMs: 60_000 });
  assert.notEqual(code, 0, `${context}: ${stdout}`);
  assert.match(stderr, message, context);
  assert.match(stderr, advice, context);
  assert.ok(await host.daemon.answers(), `${context}: the daemon answers`);
  assert.equal(await images(), before, context);
  await until(() => host.daemon.disk!.free > room - megabyte, {
    timeoutMs: 20_000,
    what: () => `${context}: the space to be given back, ${room - host.daemon.disk!.free} bytes are missing`,
  });
}

scenario('pull of what is larger than the disk, from a registry', async () => {
  const { docker, daemon } = host;
  const name = `${registry!.address}/large:1`;
  const layer = join(daemon.root, 'large.tar');
  // Two layers of which the first fits.
  writeFileSync(layer, await tar([entry('one', 'file', { body: randomBytes(8 * megabyte) })]));
  await docker.ok('import', layer, name);
  const pushed = await docker.ok('push', '-q', name);
  assert.match(pushed, /large:1/);
  await docker.ok('rmi', name);
  const free = daemon.disk!.free;
  using filler = reserve(free - 12 * megabyte);
  await refused(['pull', name], /no space left on device/, 'pull');
  filler[Symbol.dispose]();
  assert.deepEqual(await daemon.verify(), []);
  await docker.ok('pull', '-q', name);
  await docker.ok('rmi', name);
});

/** A build that does not fit: told at its end, with nothing left of it. */
async function buildRefused(
  files: Record<string, string | Uint8Array>,
  context: string,
  more: string[] = [],
): Promise<void> {
  const folder = mkdtempSync(join(host.daemon.root, 'full-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  const [before, room] = [await images(), host.daemon.disk!.free];
  for (const program of ['docker', 'wherry']) {
    const { code, stdout, stderr } =
      program === 'docker'
        ? await host.docker.run(['build', '-t', 'full:1', ...more, folder], {
            timeoutMs: 60_000,
            env: { DOCKER_BUILDKIT: '0' },
          })
        : await execute(
            join(repository, 'bin/wherry'),
            ['build', '--progress=plain', '-t', 'full:1', ...more, folder],
            {
              timeoutMs: 60_000,
              env: { ...host.docker.env, WHERRY_HOST: host.daemon.host },
            },
          );
    assert.equal(code, 1, `${context}, ${program}: ${stdout}${stderr}`);
    assert.match(stdout + stderr, /no space left on device/i, `${context}, ${program}`);
    // What a step says for itself nobody comments on.
    if (context !== 'RUN') assert.match(stdout + stderr, advice, `${context}, ${program}`);
    assert.ok(await host.daemon.answers(), `${context}: the daemon answers`);
    assert.equal(await images(), before, context);
  }
  await host.docker.run(['builder', 'prune', '-af']);
  await until(() => host.daemon.disk!.free > room - megabyte, {
    timeoutMs: 20_000,
    what: () => `${context}: the space to be given back, ${room - host.daemon.disk!.free} bytes are missing`,
  });
  assert.deepEqual(await host.daemon.verify(), [], context);
}

scenario('builds of more than the disk has', async () => {
  await buildRefused({ Dockerfile: 'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=100\n' }, 'RUN');
  await buildRefused({ Dockerfile: 'FROM busybox\nCOPY large /\n', large: randomBytes(50 * megabyte) }, 'a context');
  await buildRefused(
    { Dockerfile: 'FROM busybox\nCOPY large /a\nCOPY large /b\nCOPY large /c\n', large: randomBytes(15 * megabyte) },
    'COPY',
  );
  const folder = mkdtempSync(join(host.daemon.root, 'fits-'));
  writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nRUN echo fits > /fits\nCMD ["cat", "/fits"]\n');
  {
    using _filler = fillBlocks();
    const full = await host.docker.run(['build', '-t', 'full:2', folder], { env: { DOCKER_BUILDKIT: '0' } });
    assert.equal(full.code, 1);
    assert.match(full.stdout + full.stderr, /no space left on device/i);
  }
  await host.docker.ok('build', '-q', '-t', 'full:2', folder);
  assert.equal(await host.docker.ok('run', '--rm', 'full:2'), 'fits');
  await host.docker.ok('rmi', 'full:2');
  await host.docker.run(['builder', 'prune', '-af']);
  assert.deepEqual(await host.daemon.verify(), []);
});

/** Takes so many bytes of the disk. */
function reserve(bytes: number): Disposable {
  const path = join(host.daemon.dataRoot, 'reserved');
  writeFileSync(path, Buffer.alloc(bytes, 1));
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

scenario('load, import and commit of more than the disk has', async () => {
  const { docker, daemon } = host;
  const content = await tar([entry('big', 'file', { body: randomBytes(40 * megabyte) })]);
  const big = join(daemon.root, 'big.tar');
  writeFileSync(big, content);
  await refused(['import', big, 'big:1'], /no space left on device/, 'import');
  const archive = join(daemon.root, 'archive.tar');
  const config = JSON.stringify({
    os: 'linux',
    architecture: '',
    rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
  });
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: ['big:1'], Layers: ['layer.tar'] }]);
  writeFileSync(
    archive,
    await tar([
      entry('config.json', 'file', { body: config }),
      entry('layer.tar', 'file', { body: content }),
      entry('manifest.json', 'file', { body: manifest }),
    ]),
  );
  await refused(['load', '-i', archive], /no space left on device/, 'load');
  const id = await docker.ok('create', 'busybox');
  await docker.ok('cp', bytesAt('part', 20 * megabyte), `${id}:/part`);
  await refused(['commit', id, 'big:1'], /no space left on device/, 'commit');
  await docker.ok('rm', id);
  assert.deepEqual(await daemon.verify(), []);
});

scenario('with no block left: names and containers are refused whole, and removal works', async () => {
  const { docker, daemon } = host;
  const layer = join(daemon.root, 'layer.tar');
  writeFileSync(layer, await tar([entry('f', 'file', { body: randomBytes(2 * megabyte) })]));
  await docker.ok('import', layer, 'victim:1');
  await docker.ok('tag', 'victim:1', 'victim:2');
  const id = await docker.ok('create', 'busybox');
  {
    using _filler = fillBlocks();
    await refused(['tag', 'busybox', 'other:1'], /Error response from daemon: .*no space left on device/, 'tag');
    await refused(['create', 'busybox'], /no space left on device/, 'create');
    await refused(['pull', `${registry!.address}/large:1`], /no space left on device/, 'pull');
    assert.equal((await docker.run(['ps', '-a', '-q'])).code, 0);
    assert.match(
      await docker.ok('rmi', 'victim:1', 'victim:2'),
      /Untagged: victim:1\nUntagged: victim:2\nDeleted: sha256:/,
    );
    await docker.ok('rm', id);
    assert.ok(daemon.disk!.free > 0, 'removal gave room');
  }
  assert.ok(!(await images()).includes('victim'));
  await daemon.restart();
  assert.ok(!(await images()).includes('victim'), 'the next daemon knows no more of it');
  assert.deepEqual(await daemon.verify(), []);
  await docker.ok('tag', 'busybox', 'other:1');
  await docker.ok('rmi', 'other:1');
});

scenario('pruning works with no block left', async () => {
  const { docker, daemon } = host;
  const layer = join(daemon.root, 'layer.tar');
  writeFileSync(layer, await tar([entry('f', 'file', { body: randomBytes(3 * megabyte) })]));
  await docker.ok('import', layer);
  using _filler = fillBlocks();
  const reclaimed = /Total reclaimed space: ([\d.]+)MB/.exec(await docker.ok('system', 'prune', '-f'))?.[1];
  assert.ok(Number(reclaimed) > 6, `layer and archive: ${reclaimed}`);
  assert.ok(daemon.disk!.free > 5 * megabyte);
});

scenario('with no inode left', async () => {
  const { docker, daemon } = host;
  {
    using _filler = fillInodes();
    await refused(['tag', 'busybox', 'other:1'], /no space left on device/, 'tag');
    await refused(['pull', `${registry!.address}/large:1`], /no space left on device/, 'pull');
    await refused(['create', 'busybox'], /no space left on device/, 'create');
  }
  assert.deepEqual(await daemon.verify(), []);
  await docker.ok('run', '--rm', 'busybox', 'true');
});

scenario('on a file system that is read-only', async () => {
  const { docker, daemon } = host;
  const before = await images();
  daemon.disk!.remount('ro');
  try {
    for (const args of [
      ['tag', 'busybox', 'other:1'],
      ['create', 'busybox'],
      ['pull', `${registry!.address}/large:1`],
      ['rmi', 'busybox'],
    ]) {
      const { code, stderr } = await docker.run(args);
      assert.notEqual(code, 0);
      assert.match(
        stderr,
        /read-only file system \(the kernel makes a file system read-only after a fault: see dmesg/,
        args.join(' '),
      );
    }
    assert.equal(await images(), before);
    assert.equal(await docker.ok('inspect', '-f', '{{.Os}}', 'busybox'), 'linux');
  } finally {
    daemon.disk!.remount('rw');
  }
  await docker.ok('tag', 'busybox', 'other:1');
  await docker.ok('rmi', 'other:1');
  assert.deepEqual(await daemon.verify(), []);
});

scenario('the disk fills while a pull and a load go on', async () => {
  const { docker, daemon } = host;
  const name = `${registry!.address}/large:1`;
  const layer = join(daemon.root, 'other.tar');
  writeFileSync(layer, await tar([entry('two', 'file', { body: randomBytes(10 * megabyte) })]));
  const before = await images();
  const work = [docker.run(['pull', name]), docker.run(['import', layer, 'raced:1'])];
  const filler = fillBlocks();
  const outcomes = await Promise.all(work);
  filler[Symbol.dispose]();
  for (const { code, stderr } of outcomes) if (code !== 0) assert.match(stderr, /no space left on device/);
  assert.ok(outcomes.some(({ code }) => code !== 0) || (await images()) !== before);
  assert.ok(await daemon.answers());
  assert.deepEqual(await daemon.verify(), []);
  await docker.run(['rmi', name, 'raced:1']);
  await docker.ok('pull', '-q', name);
});
