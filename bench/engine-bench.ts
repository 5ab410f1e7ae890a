/** Containers: run, exec, fifty at once, the command line's start, and what daemon and monitors weigh. */
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../test/support/images.ts';
import { type Engine, openWherry } from './engines.ts';
import { memory, processes, type Summary, summary, time } from './measure.ts';
import type { Column, Report } from './report.ts';

const wherry = join(resolve(import.meta.dirname, '..'), 'bin/wherry');

export async function benchEngine(
  report: Report,
  engines: readonly Engine[],
  rounds: number,
  docker: string,
): Promise<void> {
  const settings = { rounds };
  const column = (task: () => Promise<number>): Column => ({ run: task });
  const on = (name: Engine['name'], args: string[]): Column | undefined => {
    const engine = engines.find((candidate) => candidate.name === name);
    return engine === undefined ? undefined : column(() => time([...engine.client, ...args], engine.env));
  };
  const ours = engines.find(({ name }) => name === 'wherry');
  const own = (args: string[]): Column | undefined =>
    ours === undefined ? undefined : column(() => time([wherry, ...args], ours.env));
  const hello = ['run', '--rm', 'busybox', 'echo', 'hi'];
  await report.compare(
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
    settings,
  );
  for (const engine of engines)
    await time([...engine.client, 'run', '-d', '--name', 'bench-exec', 'busybox', 'sleep', '10000'], engine.env);
  const exec = ['exec', 'bench-exec', 'true'];
  await report.compare(
    'exec true in a running container',
    { wherry: on('wherry', exec), 'wherry exec': own(exec), dockerd: on('dockerd', exec), podman: on('podman', exec) },
    [{ of: 'wherry', by: 'dockerd', atMost: 0.35 }],
    settings,
  );
  for (const engine of engines) await time([...engine.client, 'rm', '-f', 'bench-exec'], engine.env);
  const fifty = (name: Engine['name']): Column | undefined => {
    const one = on(name, hello);
    if (one === undefined) return undefined;
    return column(async () => {
      const started = performance.now();
      await Promise.all(Array.from({ length: 50 }, () => one.run()));
      return performance.now() - started;
    });
  };
  await report.compare(
    '50 of these at once, wall',
    { wherry: fifty('wherry'), dockerd: fifty('dockerd') },
    [{ of: 'wherry', by: 'dockerd', atMost: 0.25 }],
    { rounds: Math.max(2, Math.min(3, rounds)) },
  );
  await report.compare(
    'start of the command line (wherry version)',
    {
      wherry: own(['version', '--format', '{{.Client.Version}}']),
      'wherry ps -q': own(['ps', '-q']),
      'node -e 0': column(() => time([process.execPath, '-e', '0'], process.env)),
    },
    [
      { of: 'wherry', by: 'node -e 0', atMost: 1.5 },
      { of: 'wherry ps -q', by: 'node -e 0', atMost: 1.5 },
    ],
    settings,
  );
  if (ours !== undefined) await weigh(report, docker);
}

/** A fresh daemon idle, and what twenty running containers add, their monitors included. */
async function weigh(report: Report, docker: string): Promise<void> {
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
    const one = (value: number): Summary => summary([value]);
    const growth = (after.rss - before.rss) / count;
    report.add({
      what: 'memory of an idle daemon',
      unit: 'MB',
      values: { rss: one(idle.rss), pss: one(idle.pss) },
      limits: [{ of: 'rss', by: 80, atMost: 1 }],
    });
    report.add({
      what: 'memory per running container, monitor included',
      unit: 'MB',
      values: {
        'rss of the monitor': one(mean((value) => value.rss)),
        'pss of the monitor': one(mean((value) => value.pss)),
        'growth of the daemon': one(growth),
        'monitor and growth': one(mean((value) => value.rss) + growth),
      },
      limits: [{ of: 'monitor and growth', by: 3, atMost: 1 }],
    });
    for (let index = 0; index < count; index++) await time([...fresh.client, 'rm', '-f', `weigh-${index}`], fresh.env);
  } finally {
    await fresh.close();
  }
}
