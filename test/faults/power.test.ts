/**
 * Power cuts at random moments of everything that is written down. The disk stops where it is and loses what was not made durable
 * (support/failing-disk.ts); every process ends. Afterwards what was acknowledged is there, the store verifies, all of it works.
 * WHERRY_POWER_CUTS sets how many, WHERRY_POWER_SEED repeats a run.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cannotRun, Daemon } from '../support/daemon.ts';
import { engineTellsTheTruth } from '../support/engine-truth.ts';
import { failingDisk, powerFails } from '../support/failing-disk.ts';
import { firstError } from '../support/first-error.ts';
import { busyboxImage } from '../support/images.ts';
import { seeded } from '../support/random.ts';

const cuts = Number(process.env['WHERRY_POWER_CUTS'] ?? 6);
const seed = Number(process.env['WHERRY_POWER_SEED'] ?? randomInt(2 ** 31));
const random = seeded(seed);

/** Something that is written down, and how one sees that it was. `name` is fresh for each time. */
interface Deed {
  ready?: (name: string) => Promise<void>;
  args: (name: string) => string[];
  /** How it is asked whether it is there: exit code 0, or not, where it was removed. */
  ask: (name: string) => string[];
  gone?: boolean;
  takes?: number;
}

test(`${cuts} power cuts`, { timeout: 120_000 + cuts * 15_000, skip: cannotRun() ?? false }, (context) =>
  firstError(async () => {
    context.diagnostic(`WHERRY_POWER_SEED=${seed} WHERRY_POWER_CUTS=${cuts}`);
    using disk = failingDisk(512);
    await using daemon = await Daemon.open({
      dataRoot: disk.path,
      expectedErrors: [/EIO|(input|i)\/o(utput)? error|EROFS|read-only|ENOENT|cannot|request failed/i],
    });
    const { docker } = daemon;
    const archive = await busyboxImage();
    await docker.ok('load', '-q', '-i', archive);
    const made = (...args: string[]): Promise<void> => docker.ok(...args).then(() => {});
    const layer = join(daemon.root, 'layer.tar');
    const build = join(daemon.root, 'build');
    mkdirSync(build);

    const deeds: Record<string, Deed> = {
      create: { args: (name) => ['create', '--name', name, 'busybox', 'true'], ask: (name) => ['inspect', name] },
      run: {
        args: (name) => [
          'run',
          '-d',
          '--name',
          name,
          '-v',
          `${name}:/v`,
          '--restart',
          'always',
          'busybox',
          'sleep',
          '600',
        ],
        ask: (name) => ['exec', name, 'true'],
      },
      rename: {
        ready: (name) => made('create', '--name', `${name}-old`, 'busybox', 'true'),
        args: (name) => ['rename', `${name}-old`, name],
        ask: (name) => ['inspect', name],
      },
      rm: {
        ready: (name) => made('create', '--name', name, 'busybox', 'true'),
        args: (name) => ['rm', name],
        ask: (name) => ['inspect', name],
        gone: true,
      },
      'volume create': { args: (name) => ['volume', 'create', name], ask: (name) => ['volume', 'inspect', name] },
      'volume rm': {
        ready: (name) => made('volume', 'create', name),
        args: (name) => ['volume', 'rm', name],
        ask: (name) => ['volume', 'inspect', name],
        gone: true,
      },
      'network create': { args: (name) => ['network', 'create', name], ask: (name) => ['network', 'inspect', name] },
      tag: { args: (name) => ['tag', 'busybox', `${name}:1`], ask: (name) => ['run', '--rm', `${name}:1`, 'true'] },
      rmi: {
        ready: (name) => made('tag', 'busybox', `${name}:1`),
        args: (name) => ['rmi', `${name}:1`],
        ask: (name) => ['image', 'inspect', `${name}:1`],
        gone: true,
      },
      commit: {
        ready: (name) => made('run', '--name', name, 'busybox', 'sh', '-c', `echo ${name} >/made`),
        args: (name) => ['commit', name, `${name}:1`],
        ask: (name) => ['run', '--rm', `${name}:1`, 'grep', name, '/made'],
      },
      import: {
        ready: (name) => {
          writeFileSync(join(daemon.root, 'made'), name);
          return made('create', '--name', name, 'busybox').then(async () => {
            await made('cp', join(daemon.root, 'made'), `${name}:/made`);
            await made('export', '-o', layer, name);
          });
        },
        args: (name) => ['import', layer, `${name}:1`],
        ask: (name) => ['run', '--rm', `${name}:1`, '/bin/grep', name, '/made'],
      },
      build: {
        ready: (name) => {
          writeFileSync(join(build, 'Dockerfile'), `FROM busybox\nRUN echo ${name} >/made\nCOPY Dockerfile /\n`);
          return Promise.resolve();
        },
        args: (name) => ['build', '-q', '-t', `${name}:1`, build],
        ask: (name) => ['run', '--rm', `${name}:1`, 'grep', name, '/made'],
      },
    };
    const plain = { env: { DOCKER_BUILDKIT: '0' } };
    let count = 0;
    for (const deed of Object.values(deeds)) {
      const name = `warm${++count}`;
      await deed.ready?.(name);
      const started = performance.now();
      const { code, stderr } = await docker.run(deed.args(name), plain);
      assert.equal(code, 0, stderr);
      deed.takes = performance.now() - started;
    }
    await daemon.clear();
    const counts: Record<string, number> = {};
    const names = Object.keys(deeds);
    for (let round = 0; round < cuts; round++) {
      const chosen = names[random(names.length)]!;
      const deed = deeds[chosen]!;
      const name = `n${round}`;
      const what = `round ${round}: power fails in '${chosen}', WHERRY_POWER_SEED=${seed}`;
      await deed.ready?.(name);
      const work = docker.run(deed.args(name), plain);
      // Often just after the answer: what was told to be done is then as young as it can be.
      if (random(2) === 0) await work;
      else await sleep(random(Math.ceil(deed.takes!)));
      disk.dies();
      await daemon.kill();
      const { code } = await work;
      counts[`${chosen} ${code === 0 ? 'done' : 'cut'}`] =
        (counts[`${chosen} ${code === 0 ? 'done' : 'cut'}`] ?? 0) + 1;
      await powerFails(daemon, disk);
      await engineTellsTheTruth(daemon, what);
      assert.deepEqual(await daemon.verify(), [], what);
      if (code === 0) {
        const asked = await docker.run(deed.ask(name));
        assert.equal(
          asked.code === 0,
          deed.gone !== true,
          `${what}: it was acknowledged\n${asked.stderr}\n${daemon.log.slice(-2000)}`,
        );
      }
      assert.equal(await docker.ok('run', '--rm', 'busybox', 'echo', 'in'), 'in', what);
      await daemon.clear();
      await docker.ok('volume', 'prune', '-af');
      for (const image of (await docker.ok('images', '-q', '--filter', 'reference=n*')).split('\n').filter(Boolean))
        await docker.run(['rmi', '-f', image]);
      if ((await docker.run(['image', 'inspect', 'busybox'])).code !== 0) await docker.ok('load', '-q', '-i', archive);
    }
    context.diagnostic(JSON.stringify(counts));
  }),
);
