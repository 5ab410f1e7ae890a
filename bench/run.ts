/**
 * `npm run bench`: Wherry beside dockerd and podman in one run, commands interleaved. Prints medians and ratios and writes
 * bench/results.json, docs/bench.md and a picture of each suite. `npm run bench -- 5 engine` sets the rounds and the suites (engine, archives, registry, builds,
 * compose, load; default all).
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { busyboxImage } from '../test/support/images.ts';
import { dockerCli } from '../test/support/peers.ts';
import { benchBuilds } from './build-bench.ts';
import { benchCompose } from './compose-bench.ts';
import { benchEngine } from './engine-bench.ts';
import { type Engine, openDockerd, openPodman, openWherry } from './engines.ts';
import { benchArchives, benchRegistry } from './image-bench.ts';
import { benchLoad } from './load-bench.ts';
import { time } from './measure.ts';
import { machine, writePage } from './page.ts';
import { Report } from './report.ts';

type Suite = (report: Report, engines: readonly Engine[], rounds: number, docker: string) => Promise<void>;

const suites: Readonly<Record<string, Suite>> = {
  engine: benchEngine,
  // A round of these takes a minute and more.
  archives: (report, engines, rounds) => benchArchives(report, engines, Math.max(2, Math.ceil(rounds / 3))),
  registry: (report, engines, rounds) => benchRegistry(report, engines, Math.max(2, Math.ceil(rounds / 3))),
  builds: benchBuilds,
  compose: benchCompose,
  load: benchLoad,
};
const words = process.argv.slice(2);
const rounds = Number(words.find((word) => /^\d+$/.test(word)) ?? 15);
const wanted = words.filter((word) => word in suites);
const only = words.find((word) => word.startsWith('only='))?.slice('only='.length);
const file = join(resolve(import.meta.dirname, '..'), 'bench/results.json');
const docker = await dockerCli();
const engines: Engine[] = [];
const results = (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}) as Record<string, unknown>;
const absent: string[] = [];

async function open(name: string, task: () => Promise<Engine>): Promise<void> {
  let engine: Engine | undefined;
  try {
    engine = await task();
    await time([...engine.client, 'load', '-q', '-i', await busyboxImage()], engine.env);
    await time([...engine.client, 'run', '--rm', 'busybox', 'true'], engine.env);
    engines.push(engine);
  } catch (error) {
    absent.push(`${name}: ${(error as Error).message.split('\n')[0]}`);
    await engine?.close();
  }
}

await open('wherry', () => openWherry(docker));
await open('dockerd', () => openDockerd(docker));
await open('podman', openPodman);
try {
  const versions = engines.map(({ name, version }) => ({ name, version }));
  process.stdout.write(
    `${versions.map(({ name, version }) => `${name} ${version}`).join(', ')}; ${cpus().length} cores, ${rounds} rounds\n\n`,
  );
  for (const [name, suite] of Object.entries(suites)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const report = new Report(only === undefined ? undefined : new RegExp(only));
    report.missing.push(...absent);
    await suite(report, engines, rounds, docker);
    for (const line of report.missing) process.stdout.write(`not measured: ${line}\n`);
    if (only !== undefined) continue;
    const { rows, missing } = report;
    results[name] = { date: new Date().toISOString(), machine: machine(), engines: versions, rounds, rows, missing };
    writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
    writePage();
  }
} finally {
  for (const engine of engines) await engine.close();
}
process.exit(0);
