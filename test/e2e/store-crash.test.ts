/**
 * kill -9 of the daemon at random moments of everything that changes the image store. After each, the next daemon's store
 * verifies, and every image there is runs. WHERRY_CRASH_KILLS sets how many (200 for the long form), WHERRY_CRASH_SEED repeats one.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cannotRun, sharedDaemon } from '../support/daemon.ts';
import type { Docker } from '../support/docker.ts';
import { RegistryService } from '../support/peers.ts';

const kills = Number(process.env['WHERRY_CRASH_KILLS'] ?? 25);
const seed = Number(process.env['WHERRY_CRASH_SEED'] ?? randomInt(2 ** 31));

let reason = cannotRun();
const registry =
  reason === undefined
    ? await RegistryService.open().catch((error: Error) => {
        reason = error.message;
        return undefined;
      })
    : undefined;
const host = await sharedDaemon({ args: registry === undefined ? [] : ['--insecure-registry', registry.address] });
after(async () => {
  await registry?.[Symbol.asyncDispose]();
});
const address = registry?.address ?? '';

/** Park and Miller's generator: the same seed makes the same run. */
let state = (seed % 2_147_483_646) + 1;
function random(below: number): number {
  state = (state * 48_271) % 2_147_483_647;
  return Math.floor((state / 2_147_483_647) * below);
}

/** Something that changes the store: made ready, then done and killed on the way. */
interface Deed {
  ready?: (round: number) => Promise<void>;
  args: (round: number) => string[];
  /** How long it takes when nobody kills it, milliseconds: measured. */
  takes?: number;
}

const repo = `${address}/crash`;
const archive = (): string => join(host.daemon.root, 'archive.tar');
const quietly = async (...args: string[]): Promise<void> => void (await host.docker.run(args));

const deeds: Record<string, Deed> = {
  pull: { ready: () => quietly('rmi', '-f', `${repo}/app:1`), args: () => ['pull', '-q', `${repo}/app:1`] },
  load: { ready: () => quietly('rmi', '-f', 'loaded:1'), args: () => ['load', '-q', '-i', archive()] },
  push: {
    ready: (round) => host.docker.ok('tag', 'kept:1', `${repo}/pushed:${round}`).then(() => {}),
    args: (round) => ['push', '-q', `${repo}/pushed:${round}`],
  },
  prune: {
    ready: async (round) => {
      for (const name of ['a', 'b']) await makeLayer('kept:1', `dangling-${name}`, `${round}${name}`, 200_000);
      for (const name of ['a', 'b']) await host.docker.ok('tag', 'busybox', `dangling-${name}`);
    },
    args: () => ['image', 'prune', '-f'],
  },
  rmi: {
    ready: (round) => makeLayer('kept:1', 'gone:1', `${round}`, 400_000),
    args: () => ['rmi', 'gone:1'],
  },
  tag: { args: (round) => ['tag', round % 2 === 0 ? 'kept:1' : 'busybox', 'moving:1'] },
  commit: {
    ready: async (round) => {
      await quietly('rm', 'source');
      await host.docker.ok('create', '--name', 'source', 'kept:1');
      await copyIn('source', `commit-${round}`, 1_000_000);
    },
    args: (round) => ['commit', 'source', `committed:${round % 3}`],
  },
};

/** A file of random bytes, copied into the container. */
async function copyIn(container: string, name: string, bytes: number): Promise<void> {
  const path = join(host.daemon.root, name);
  writeFileSync(path, randomBytes(bytes));
  await host.docker.ok('cp', path, `${container}:/${name}`);
}

/** `base` with one more layer, as `name`. */
async function makeLayer(base: string, name: string, file: string, bytes: number): Promise<void> {
  const id = await host.docker.ok('create', base);
  await copyIn(id, file, bytes);
  await host.docker.ok('commit', id, name);
  await host.docker.ok('rm', id);
}

async function prepare(docker: Docker): Promise<void> {
  await makeLayer('busybox', 'kept:1', 'kept', 3_000_000);
  await makeLayer('kept:1', 'app', 'app-one', 4_000_000);
  await makeLayer('app', `${repo}/app:1`, 'app-two', 2_000_000);
  await docker.ok('push', '-q', `${repo}/app:1`);
  await makeLayer('kept:1', 'loaded:1', 'loaded', 4_000_000);
  await docker.ok('save', '-o', archive(), 'loaded:1');
  await docker.ok('rmi', 'app', `${repo}/app:1`, 'loaded:1');
}

async function verify(context: string): Promise<void> {
  assert.deepEqual(await host.daemon.verify(), [], context);
}

host.scenario(
  `the store survives ${kills} kills`,
  async (test: TestContext) => {
    test.diagnostic(`WHERRY_CRASH_SEED=${seed} WHERRY_CRASH_KILLS=${kills}`);
    const { docker, daemon } = host;
    await prepare(docker);
    await verify('before the first kill');
    const names = Object.keys(deeds);
    for (const [index, name] of names.entries()) {
      const deed = deeds[name]!;
      await deed.ready?.(1000 + index);
      const started = performance.now();
      await docker.ok(...deed.args(1000 + index));
      deed.takes = performance.now() - started;
    }
    const counts: Record<string, number> = {};
    for (let round = 0; round < kills; round++) {
      const name = names[(round + random(2)) % names.length]!;
      const deed = deeds[name]!;
      const context = `round ${round}, ${name}, WHERRY_CRASH_SEED=${seed}`;
      await deed.ready?.(round);
      const work = docker.run(deed.args(round));
      // Sometimes another deed at the same time, for it shares what the first one holds.
      const other = random(4) === 0 ? docker.run(['tag', 'busybox', `also:${round}`]) : undefined;
      await sleep(random(Math.ceil(deed.takes! * 1.3)));
      await daemon.kill();
      const { code } = await work;
      await other;
      counts[`${name} ${code === 0 ? 'done' : 'cut'}`] = (counts[`${name} ${code === 0 ? 'done' : 'cut'}`] ?? 0) + 1;
      await daemon.start();
      await verify(context);
      await usable(docker, context);
    }
    test.diagnostic(JSON.stringify(counts));
  },
  { timeoutMs: 60_000 + kills * 6000, skip: reason },
);

/** Everything that has a name runs, and what has always been there still is. */
async function usable(docker: Docker, context: string): Promise<void> {
  const listed = (await docker.ok('images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}')).split('\n');
  const byId = new Map(listed.map((line) => line.split(' ').reverse() as [string, string]));
  const names = listed.map((line) => line.split(' ')[0]!);
  for (const name of ['busybox:latest', 'kept:1', 'moving:1']) assert.ok(names.includes(name), `${context}: ${name}`);
  const id = [...byId.keys()][random(byId.size)]!;
  const out = await docker.ok('run', '--rm', id, 'sh', '-c', 'cat /kept 2>/dev/null | md5sum');
  const kept = readFileSync(join(host.daemon.root, 'kept'));
  const sums = [kept, Buffer.alloc(0)].map((bytes) => createHash('md5').update(bytes).digest('hex'));
  assert.ok(sums.includes(out.split(' ')[0]!), `${context}: ${byId.get(id)} has another /kept`);
}
