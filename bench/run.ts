/**
 * `npm run bench`: Wherry beside dockerd and podman in one run, commands interleaved so that the machine's moods hit all alike. Prints
 * medians and ratios and writes bench/results.json. `npm run bench -- 5` sets the rounds (default 15).
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../test/support/images.ts';
import { dockerCli } from '../test/support/peers.ts';
import { type Engine, openDockerd, openPodman, openWherry } from './engines.ts';
import { memory, processes, type Summary, summary, time } from './measure.ts';

interface Row {
  what: string;
  unit: 'ms' | 'MB';
  values: Record<string, Summary>;
  /** Column to at most ratio, as the issue asks. */
  limits: { of: string; by: string; atMost: number }[];
}

const rounds = Number(process.argv[2] ?? 15);
const root = resolve(import.meta.dirname, '..');
const wherry = join(root, 'bin/wherry');
const engines: Engine[] = [];
const rows: Row[] = [];
const missing: string[] = [];

async function open(name: string, task: () => Promise<Engine>): Promise<void> {
  try {
    engines.push(await task());
  } catch (error) {
    missing.push(`${name}: ${(error as Error).message.split('\n')[0]}`);
  }
}

/** Measures `command` on every column in turn, `rounds` times after two warm-ups. */
async function compare(
  what: string,
  columns: Record<string, (() => Promise<number>) | undefined>,
  limits: Row['limits'],
  count = rounds,
): Promise<void> {
  const samples: Record<string, number[]> = {};
  for (let round = -2; round < count; round++) {
    for (const [name, run] of Object.entries(columns)) {
      if (run === undefined) continue;
      const ms = await run();
      if (round >= 0) (samples[name] ??= []).push(ms);
      await sleep(60);
    }
  }
  rows.push({
    what,
    unit: 'ms',
    values: Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, summary(values)])),
    limits,
  });
  show(rows.at(-1)!);
}

function show(row: Row): void {
  const columns = Object.entries(row.values).map(
    ([name, { median, min, max }]) => `${name} ${median.toFixed(1)} (${min.toFixed(0)}–${max.toFixed(0)})`,
  );
  const ratios = row.limits.flatMap(({ of, by, atMost }) => {
    const [a, b] = [row.values[of]?.median, row.values[by]?.median];
    if (a === undefined || b === undefined) return [`${of}/${by}: not measured`];
    return [`${of}/${by} ${(a / b).toFixed(2)} (at most ${atMost.toFixed(2)}${a / b <= atMost ? '' : ', MISSED'})`];
  });
  process.stdout.write(`${row.what}\n    ${columns.join('   ')} ${row.unit}\n    ${ratios.join('   ')}\n`);
}

const docker = await dockerCli();
await open('wherry', () => openWherry(docker));
await open('dockerd', () => openDockerd(docker));
await open('podman', openPodman);
try {
  const image = await busyboxImage();
  for (const engine of engines.slice()) {
    try {
      await time([...engine.client, 'load', '-q', '-i', image], engine.env);
      await time([...engine.client, 'run', '--rm', 'busybox', 'true'], engine.env);
    } catch (error) {
      missing.push(`${engine.name}: ${(error as Error).message}`);
      engines.splice(engines.indexOf(engine), 1);
      await engine.close();
    }
  }
  process.stdout.write(
    `${engines.map(({ name, version }) => `${name} ${version}`).join(', ')}; ${cpus().length} cores, ${rounds} rounds\n\n`,
  );
  const on = (name: Engine['name'], args: string[]): (() => Promise<number>) | undefined => {
    const engine = engines.find((candidate) => candidate.name === name);
    return engine === undefined ? undefined : () => time([...engine.client, ...args], engine.env);
  };
  const ours = engines.find(({ name }) => name === 'wherry');
  const own = (args: string[]): (() => Promise<number>) | undefined =>
    ours === undefined ? undefined : () => time([wherry, ...args], ours.env);
  const hello = ['run', '--rm', 'busybox', 'echo', 'hi'];
  await compare(
    'run --rm busybox echo hi, bridge network',
    {
      wherry: on('wherry', hello),
      'wherry run': own(hello),
      dockerd: on('dockerd', hello),
      podman: on('podman', hello),
    },
    [
      { of: 'wherry', by: 'dockerd', atMost: 0.2 },
      { of: 'wherry', by: 'podman', atMost: 0.2 },
      { of: 'wherry run', by: 'dockerd', atMost: 0.25 },
    ],
  );
  for (const engine of engines)
    await time([...engine.client, 'run', '-d', '--name', 'bench-exec', 'busybox', 'sleep', '10000'], engine.env);
  const exec = ['exec', 'bench-exec', 'true'];
  await compare(
    'exec true in a running container',
    { wherry: on('wherry', exec), 'wherry exec': own(exec), dockerd: on('dockerd', exec), podman: on('podman', exec) },
    [{ of: 'wherry', by: 'dockerd', atMost: 0.35 }],
  );
  for (const engine of engines) await time([...engine.client, 'rm', '-f', 'bench-exec'], engine.env);
  const fifty = (name: Engine['name']): (() => Promise<number>) | undefined => {
    const one = on(name, hello);
    if (one === undefined) return undefined;
    return async () => {
      const started = performance.now();
      await Promise.all(Array.from({ length: 50 }, one));
      return performance.now() - started;
    };
  };
  await compare(
    '50 of these at once, wall',
    { wherry: fifty('wherry'), dockerd: fifty('dockerd') },
    [{ of: 'wherry', by: 'dockerd', atMost: 0.25 }],
    Math.max(2, Math.min(3, rounds)),
  );
  await compare(
    'start of the command line (wherry version)',
    {
      wherry: own(['version', '--format', '{{.Client.Version}}']),
      'node -e 0': () => time([process.execPath, '-e', '0'], process.env),
    },
    [{ of: 'wherry', by: 'node -e 0', atMost: 1.5 }],
  );
  if (ours !== undefined) await weigh(ours);
} finally {
  for (const engine of engines) await engine.close();
}
for (const line of missing) process.stdout.write(`not measured: ${line}\n`);
writeFileSync(
  join(root, 'bench/results.json'),
  `${JSON.stringify({ date: new Date().toISOString(), engines: engines.map(({ name, version }) => ({ name, version })), rows, missing }, undefined, 2)}\n`,
);
process.exit(0);

/** A fresh daemon idle, and what ten running containers add, their monitors included. */
async function weigh(engine: Engine): Promise<void> {
  const fresh = await openWherry(docker);
  try {
    await sleep(1500);
    const idle = memory(fresh.pid);
    await time([...fresh.client, 'load', '-q', '-i', await busyboxImage()], fresh.env);
    const before = memory(fresh.pid);
    const count = 20;
    for (let index = 0; index < count; index++)
      await time([...fresh.client, 'run', '-d', '--name', `weigh-${index}`, 'busybox', 'sleep', '10000'], fresh.env);
    await sleep(1000);
    const after = memory(fresh.pid);
    const monitors = processes('conmon', 'weigh-').map((pid) => memory(pid));
    const mean = (pick: (value: { rss: number; pss: number }) => number): number =>
      monitors.reduce((sum, value) => sum + pick(value), 0) / monitors.length;
    const one = (value: number): Summary => ({ median: value, min: value, max: value, runs: 1 });
    rows.push({
      what: 'memory of an idle daemon',
      unit: 'MB',
      values: { rss: one(idle.rss), pss: one(idle.pss) },
      limits: [],
    });
    rows.push({
      what: 'memory per running container, monitor included',
      unit: 'MB',
      values: {
        'rss of the monitor': one(mean((value) => value.rss)),
        'pss of the monitor': one(mean((value) => value.pss)),
        'growth of the daemon': one((after.rss - before.rss) / count),
      },
      limits: [],
    });
    for (const row of rows.slice(-2)) show(row);
    for (let index = 0; index < count; index++) await time([...fresh.client, 'rm', '-f', `weigh-${index}`], fresh.env);
  } finally {
    await fresh.close();
  }
  void engine;
}
