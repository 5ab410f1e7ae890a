/** `image-gc`: a disk that runs low is relieved of what can be had again, and everything works as before. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { cannotRun, sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
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
  disk: { type: 'ext4', megabytes: 128 },
  args: [
    '--image-gc',
    'high=60%',
    '--image-gc',
    'low=40%',
    ...(registry === undefined ? [] : ['--insecure-registry', registry.address]),
  ],
});
after(async () => {
  await registry?.[Symbol.asyncDispose]();
});
const scenario: typeof host.scenario = (name, body, options) =>
  host.scenario(name, body, reason === undefined ? options : { ...options, skip: reason });

/** What was freed since the last look, as the log tells it. */
let told = 0;
function freedNow(): string[] {
  const lines = host.daemon.log.split('\n').filter((line) => line.includes('freed space on disk'));
  const fresh = lines.slice(told);
  told = lines.length;
  return fresh.map((line) => /what=(\S+) name=(\S+)/.exec(line)!.slice(1).join(' '));
}

/** An image of random bytes, pushed and pulled again. */
async function pulled(name: string, megabytes: number): Promise<void> {
  const { docker, daemon } = host;
  const file = join(daemon.root, 'layer.tar');
  writeFileSync(file, await tar([entry('f', 'file', { body: randomBytes(megabytes << 20) })]));
  await docker.ok('import', '-c', 'CMD ["/f"]', file, name);
  await docker.ok('push', '-q', name);
  await docker.ok('rmi', name);
  await docker.ok('pull', '-q', name);
}

scenario('archives first; the image runs, is saved, and is pushed elsewhere', async () => {
  const { docker, daemon } = host;
  const name = `${registry!.address}/app:1`;
  await pulled(name, 25);
  freedNow();
  const { free } = daemon.disk!;
  await using events = docker.start('events', '--filter', 'event=prune', '--format', '{{json .Actor.Attributes}}');
  // The rest of what may be there before it counts as low.
  const filler = join(daemon.dataRoot, 'filler');
  writeFileSync(filler, Buffer.alloc(free - (46 << 20), 1));
  await docker.ok('tag', name, 'again:1');
  await until(() => daemon.log.split('\n').filter((line) => line.includes('freed space on disk')).length > told, {
    what: 'space to be freed',
  });
  await events.saw(/\{"reason":"disk pressure","reclaimed":"\d+"\}|\{"reclaimed":"\d+","reason":"disk pressure"\}/);
  const freed = freedNow();
  assert.ok(freed.length > 0 && freed.every((line) => line.startsWith('archive ')), freed.join(', '));
  rmSync(filler);
  assert.deepEqual(await daemon.verify(), []);
  const id = await docker.ok('create', name);
  assert.equal((await docker.bytes(['cp', `${id}:/f`, '-'], { timeoutMs: 30_000 })).stdout.length > 25 << 20, true);
  await docker.ok('rm', id);
  const saved = await docker.bytes(['save', name], { timeoutMs: 30_000 });
  assert.equal(saved.code, 0, saved.stderr);
  assert.ok(saved.stdout.length > 25 << 20);
  await docker.ok('tag', name, `${registry!.address}/elsewhere:1`);
  await docker.ok('push', '-q', `${registry!.address}/elsewhere:1`);
  await docker.ok('rmi', name, 'again:1', `${registry!.address}/elsewhere:1`);
});

scenario('images without a name go, the last good deployment stays', async () => {
  const { docker, daemon } = host;
  const build = async (content: string): Promise<string> => {
    const id = await docker.ok('create', 'busybox', 'sh', '-c', `cat /part >/dev/null; echo ${content}`);
    const part = join(daemon.root, 'part');
    writeFileSync(part, randomBytes(6 << 20));
    await docker.ok('cp', part, `${id}:/part`);
    const image = await docker.ok('commit', id, 'app:1');
    await docker.ok('rm', id);
    return image;
  };
  const good = await build('good');
  assert.equal(await docker.ok('run', '--rm', 'app:1', 'echo', 'ran'), 'ran');
  const bad = await build('bad');
  const newest = await build('newest');
  freedNow();
  const filler = join(daemon.dataRoot, 'filler');
  writeFileSync(filler, Buffer.alloc(daemon.disk!.free - (20 << 20), 1));
  await docker.ok('tag', 'app:1', 'app:2');
  await until(async () => !(await docker.ok('images', '-a', '-q', '--no-trunc')).includes(bad), {
    what: 'the bad one to go',
  });
  const left = await docker.ok('images', '-a', '-q', '--no-trunc');
  assert.ok(left.includes(good) && left.includes(newest), 'the way back and what the name means are there');
  await until(() => daemon.log.includes('the disk runs low, and no more can be freed unasked'), {
    what: 'to be told that it was not enough',
  });
  assert.ok(freedNow().some((line) => line.startsWith('image ')));
  rmSync(filler);
  await docker.ok('tag', good, 'app:1');
  assert.equal(await docker.ok('run', '--rm', 'app:1', 'echo', 'back'), 'back');
  assert.deepEqual(await daemon.verify(), []);
});

scenario('what cannot be had again is told with the command to type', async () => {
  const { docker, daemon } = host;
  const name = `${registry!.address}/gone:1`;
  await pulled(name, 10);
  freedNow();
  const filler = join(daemon.dataRoot, 'filler');
  writeFileSync(filler, Buffer.alloc(daemon.disk!.free - (30 << 20), 1));
  await docker.ok('tag', name, 'kept:1');
  await until(() => freedNow().some((line) => line.startsWith('archive ')), { what: 'the archive to be freed' });
  rmSync(filler);
  await registry![Symbol.asyncDispose]();
  const { code, stderr } = await docker.run(['save', '-o', join(daemon.root, 'saved.tar'), name], {
    timeoutMs: 60_000,
  });
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`cannot be had again .*pull it again: wherry pull ${name.replaceAll('.', '\\.')}`));
  assert.equal((await docker.run(['create', name])).code, 0, 'it runs all the same');
});
