/**
 * kill -9 of the daemon, of a monitor, of the OCI runtime, at random moments of every verb. After each the engine tells the truth
 * (ps and the kernel agree), what was acknowledged is there, and nothing of what is gone is left. WHERRY_KILLS sets how many
 * (`npm run faults` runs thousands), WHERRY_KILLS_SEED repeats a run.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedDaemon } from '../support/daemon.ts';
import { engineTellsTheTruth } from '../support/engine-truth.ts';
import { type Random, seeded } from '../support/random.ts';

const kills = Number(process.env['WHERRY_KILLS'] ?? 16);
const seed = Number(process.env['WHERRY_KILLS_SEED'] ?? randomInt(2 ** 31));
const random: Random = seeded(seed);

const host = await sharedDaemon({
  // What a killed monitor or runtime makes of a request, each said to the client as well.
  expectedErrors: [
    /the monitor of a container is gone/,
    /msg="request failed".*(monitor ended|runtime|no reason|signal|killed|pidfile)/i,
  ],
});

/** Something that changes containers: made ready, then done and hit on the way. */
interface Deed {
  ready?: () => Promise<void>;
  args: () => string[];
  /** How long it takes when nobody interferes, milliseconds: measured. */
  takes?: number;
}

const quietly = async (...args: string[]): Promise<void> => void (await host.docker.run(args));
const ok = (...args: string[]): Promise<string> => host.docker.ok(...args);
const file = (name: string): string => join(host.daemon.root, name);

let count = 0;
const next = (): string => `c${++count}`;
let name = '';
const running = async (...more: string[]): Promise<void> => {
  name = next();
  await ok('run', '-d', '--name', name, '-v', `${name}:/data`, ...more, 'busybox', 'sleep', '600');
};
const stopped = async (): Promise<void> => {
  name = next();
  await ok('create', '--name', name, 'busybox', 'sleep', '600');
};

const deeds: Record<string, Deed> = {
  run: {
    args: () => ['run', '-d', '--name', next(), '-p', '127.0.0.1::80', '-v', '/anon', 'busybox', 'sleep', '600'],
  },
  'run --rm': { args: () => ['run', '--rm', '--name', next(), 'busybox', 'echo', 'hi'] },
  'run -t': { args: () => ['run', '-t', '--name', next(), 'busybox', 'sh', '-c', 'echo hi; exit 3'] },
  create: { args: () => ['create', '--name', next(), '-v', '/anon', 'busybox', 'true'] },
  start: { ready: stopped, args: () => ['start', name] },
  stop: { ready: running, args: () => ['stop', '-t', '0', name] },
  restart: { ready: running, args: () => ['restart', '-t', '0', name] },
  kill: { ready: running, args: () => ['kill', name] },
  pause: { ready: running, args: () => ['pause', name] },
  unpause: {
    ready: async () => {
      await running();
      await ok('pause', name);
    },
    args: () => ['unpause', name],
  },
  rm: { ready: stopped, args: () => ['rm', '-v', name] },
  'rm -f': { ready: () => running('--restart', 'always'), args: () => ['rm', '-f', '-v', name] },
  rename: { ready: stopped, args: () => ['rename', name, next()] },
  update: { ready: running, args: () => ['update', '--memory', '64m', '--memory-swap', '64m', name] },
  exec: { ready: running, args: () => ['exec', name, 'sh', '-c', 'echo in; sleep 0.05'] },
  'exec -t': { ready: running, args: () => ['exec', '-t', name, 'echo', 'in'] },
  'cp in': { ready: running, args: () => ['cp', file('big'), `${name}:/big`] },
  'cp out': { ready: running, args: () => ['cp', `${name}:/bin`, file('copied')] },
  commit: { ready: running, args: () => ['commit', name, 'committed:1'] },
  logs: { ready: running, args: () => ['logs', name] },
  'network create': { args: () => ['network', 'create', next()] },
  'network rm': {
    ready: async () => {
      name = next();
      await ok('network', 'create', name);
    },
    args: () => ['network', 'rm', name],
  },
  'network connect': {
    ready: async () => {
      await running();
      await ok('network', 'create', `n${name}`);
    },
    args: () => ['network', 'connect', `n${name}`, name],
  },
  'network disconnect': { ready: running, args: () => ['network', 'disconnect', 'bridge', name] },
  'volume create': { args: () => ['volume', 'create', next()] },
  'volume rm': {
    ready: async () => {
      name = next();
      await ok('volume', 'create', name);
    },
    args: () => ['volume', 'rm', name],
  },
  'container prune': { ready: stopped, args: () => ['container', 'prune', '-f'] },
};

/** Whom the kill hits: the daemon every other time, for most state is its own. */
const victims = ['daemon', 'monitor', 'daemon', 'runtime'] as const;
type Victim = (typeof victims)[number];

/** What starts a runtime; the others have none to hit. */
const startsRuntime = ['run', 'run --rm', 'run -t', 'start', 'restart', 'update', 'exec', 'exec -t'];

/** All processes of this moment: what comes later is what a deed has started. */
const processIds = (): number[] => readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));

/** Whether it is this engine's monitor, or its runtime (a sealed copy, or the program itself). */
function isVictim(pid: number, victim: Victim): boolean {
  try {
    const program = readlinkSync(`/proc/${pid}/exe`);
    if (!(victim === 'monitor' ? /\/conmon$/ : /(memfd:|\/)(crun|runc)( \(deleted\))?$/).test(program)) return false;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(host.daemon.execRoot);
  } catch {
    return false;
  }
}

/** Hits one of them within the given time, as soon as there is one. @returns whether it could */
async function hit(victim: Victim, withinMs: number, before: ReadonlySet<number>): Promise<boolean> {
  for (const late = performance.now() + withinMs; performance.now() < late; await sleep(0)) {
    const candidates = processIds().filter((pid) => victim === 'monitor' || !before.has(pid));
    const found = candidates.filter((pid) => isVictim(pid, victim));
    const pid = found[random(found.length)];
    if (pid === undefined) continue;
    await sleep(random(victim === 'monitor' ? 60 : 15));
    try {
      process.kill(pid, 'SIGKILL');
      return true;
    } catch {
      // It was quicker.
    }
  }
  return false;
}

/** What the client was told is done must be seen to be done. */
async function acknowledged(deed: string, victim: Victim, target: string, context: string): Promise<void> {
  const { status, body } = await host.daemon.api('GET', `/containers/${target}/json`);
  const state = (body as { State?: { Status: string; Running: boolean; ExitCode: number } }).State;
  if (['rm', 'rm -f', 'container prune'].includes(deed)) assert.equal(status, 404, `${context}: it was removed`);
  if (deed === 'stop' || deed === 'kill') assert.equal(state?.Status, 'exited', context);
  // Before it becomes its program, a container's own process is the runtime's: it may be the one that was killed.
  const isKilled = victim === 'runtime' && state?.ExitCode === 137;
  if (deed === 'start' || deed === 'restart') assert.ok(state?.Running === true || isKilled, context);
  if (deed === 'pause') assert.equal(state?.Status, 'paused', context);
  if (deed === 'unpause') assert.equal(state?.Status, 'running', context);
}

/** Everything that runs answers, everything else starts; then all goes. */
async function usable(context: string): Promise<void> {
  const lines = (await ok('ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.State}}')).split('\n').filter(Boolean);
  for (const line of lines) {
    const [id = '', state = ''] = line.split(' ');
    if (state === 'running') assert.equal(await ok('exec', id, 'echo', 'in'), 'in', context);
    else if (state === 'paused') await ok('unpause', id);
    else if (state !== 'restarting') await ok('start', id);
  }
  await host.daemon.clear();
  await quietly('volume', 'prune', '-af');
  await quietly('image', 'rm', '-f', 'committed:1');
}

host.scenario(
  `${kills} kills of daemon, monitor and runtime`,
  async (test) => {
    test.diagnostic(`WHERRY_KILLS_SEED=${seed} WHERRY_KILLS=${kills}`);
    const { daemon, docker } = host;
    writeFileSync(file('big'), Buffer.alloc(2_000_000, 'x'));
    const names = Object.keys(deeds);
    for (const deed of Object.values(deeds)) {
      await deed.ready?.();
      const started = performance.now();
      const { code, stderr } = await docker.run(deed.args());
      assert.ok(code === 0 || code === 3, stderr);
      deed.takes = performance.now() - started;
    }
    await usable('before the first kill');
    const counts: Record<string, number> = {};
    let order: string[] = [];
    for (let round = 0; round < kills; round++) {
      if (order.length === 0) order = [...names];
      const victim = victims[round % victims.length]!;
      const fitting = victim === 'runtime' ? startsRuntime : order;
      const deed = fitting[random(fitting.length)]!;
      order = order.filter((other) => other !== deed);
      const context = `round ${round}: ${victim} killed in '${deed}', WHERRY_KILLS_SEED=${seed}`;
      const { ready, args, takes = 100 } = deeds[deed]!;
      name = '';
      await ready?.();
      const target = name;
      const before = new Set(processIds());
      const work = docker.run(args());
      let struck = true;
      if (victim === 'daemon') {
        await sleep(random(Math.ceil(takes * 1.3)));
        await daemon.kill();
      } else struck = await hit(victim, takes * 1.3, before);
      const { code } = await work;
      const key = `${victim} ${struck ? (code === 0 ? 'done' : 'cut') : 'missed'}`;
      counts[key] = (counts[key] ?? 0) + 1;
      if (victim === 'daemon') await daemon.start();
      await engineTellsTheTruth(daemon, context);
      // A container without a monitor may have died of it (a closed output), rightly.
      if (code === 0 && target !== '' && victim !== 'monitor') await acknowledged(deed, victim, target, context);
      if (round % 4 === 3) await usable(context);
      if (round % 20 === 19) assert.deepEqual(await daemon.verify(), [], context);
    }
    await usable('at the end');
    assert.deepEqual(await daemon.verify(), [], 'at the end');
    test.diagnostic(JSON.stringify(counts));
  },
  { timeoutMs: 120_000 + kills * 10_000 },
);
