/**
 * Builds: a rebuild of nothing, a first build, large contexts, a large file and its way out, beside dockerd's BuildKit.
 *
 * What is to be cold is cold by being new: a folder of its own for each round (of hard links: it costs nothing) and a variable that no
 * step before it had. Nothing is pruned between rounds: ext4 does not use an inode again for a minute and more after its file is deleted,
 * and looks past each such one for every file that is created; after a prune, all would be measured that way.
 */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execute } from '../test/support/docker.ts';
import { packages, RegistryService } from '../test/support/peers.ts';
import type { Engine } from './engines.ts';
import { type Summary, summary, time } from './measure.ts';
import type { Column, Report } from './report.ts';
import { registryAddress } from './uplink.ts';

const own = resolve(import.meta.dirname, '..', 'bin/wherry');

/** One way of building: a client and the engine that it drives. */
interface Way {
  name: string;
  engine: Engine;
  build: string[];
  env: NodeJS.ProcessEnv;
}

export async function benchBuilds(report: Report, engines: readonly Engine[], rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-bench-build-'));
  try {
    const bench = new BuildBench(report, await waysOf(engines, folder), folder, rounds);
    await bench.rebuilds();
    await bench.manyFiles();
    await bench.largeFile();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function waysOf(engines: readonly Engine[], folder: string): Promise<Way[]> {
  const newer = await packages('newer');
  const config = join(folder, 'config');
  mkdirSync(config);
  symlinkSync(join(newer, 'usr/libexec/docker/cli-plugins'), join(config, 'cli-plugins'));
  const docker = join(newer, 'usr/bin/docker');
  return engines.flatMap((engine): Way[] => {
    if (engine.pid === 0) return [];
    const env = { ...engine.env, DOCKER_CONFIG: config };
    const buildx = { engine, env, build: [docker, 'buildx', 'build', '--progress', 'quiet'] };
    if (engine.name !== 'wherry') return [{ name: engine.name, ...buildx }];
    return [
      { name: 'wherry', engine, env, build: [own, 'build', '--progress', 'quiet'] },
      { name: 'wherry by buildx', ...buildx },
    ];
  });
}

class BuildBench {
  readonly #report: Report;
  readonly #ways: readonly Way[];
  readonly #folder: string;
  readonly #rounds: number;
  #round = 0;

  constructor(report: Report, ways: readonly Way[], folder: string, rounds: number) {
    this.#report = report;
    this.#ways = ways;
    this.#folder = folder;
    this.#rounds = rounds;
  }

  async rebuilds(): Promise<void> {
    const context = this.#context('stages', thirtySteps);
    writeFiles(context, 5000, 100);
    await this.#prune();
    await this.#coldRow('first build of 30 steps in 5 stages, 5,000 files', 0.8, this.#rounds, context);
    await this.#row('rebuild of the same, nothing changed', 0.5, this.#rounds, (way) => ({
      run: () => this.#build(way, context),
    }));
  }

  async manyFiles(): Promise<void> {
    const rounds = Math.max(2, Math.ceil(this.#rounds / 3));
    const context = this.#context('many', `FROM busybox\n${nonce}\nRUN --mount=type=bind,target=/context true\n`);
    writeFiles(context, 100_000, 400);
    await this.#coldRow('context of 100,000 small files, transferred and hashed', 0.7, rounds, context);
    const values: Record<string, Summary> = {};
    for (const way of this.#ways) {
      const fresh = this.#fresh(context);
      resetPeak(way.engine.pid);
      await this.#build(way, fresh);
      values[way.name] = summary([peak(way.engine.pid)]);
    }
    this.#report.add({
      what: 'peak of the daemon with a context of 100,000 files',
      unit: 'MB',
      values,
      limits: [{ of: 'wherry', by: 250, atMost: 1 }],
    });
    await this.#prune();
  }

  async largeFile(): Promise<void> {
    const rounds = Math.max(2, Math.ceil(this.#rounds / 3));
    const context = this.#context('large', `FROM busybox\n${nonce}\nCOPY large /\n`);
    writeLarge(join(context, 'large'), 1024);
    await this.#coldRow('COPY of a 1 GB file', 1, rounds, context);
    await using target = await RegistryService.open({ host: registryAddress });
    const name = `${target.address}/large`;
    await this.#row('export of its 1 GB layer, compressed (push to an empty registry)', 0.7, rounds, (way) => ({
      prepare: async () => {
        await command(way, ['rmi', '-f', name]).catch(() => {});
        // What was compressed once must not be there any more.
        await prune(way);
        await this.#build(way, context, ['-t', name]);
        target.clear();
      },
      run: () => time([...way.engine.client, 'push', '-q', name], way.env),
    }));
  }

  #context(name: string, dockerfile: string): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    writeFileSync(join(folder, 'Dockerfile'), dockerfile);
    return folder;
  }

  /** The same files in a folder that no builder knows, built with a variable that no step had. */
  #fresh(context: string): string {
    const folder = `${context}-${++this.#round}`;
    execFileSync('cp', ['-al', context, folder]);
    const dockerfile = readFileSync(join(context, 'Dockerfile'), 'utf8');
    rmSync(join(folder, 'Dockerfile'));
    writeFileSync(join(folder, 'Dockerfile'), dockerfile.replaceAll(nonce, `ENV ROUND=${this.#round}`));
    return folder;
  }

  async #prune(): Promise<void> {
    for (const way of this.#ways) await prune(way);
  }

  #coldRow(what: string, atMost: number, rounds: number, context: string): Promise<void> {
    return this.#row(what, atMost, rounds, (way) => {
      let fresh = '';
      return {
        prepare: async () => {
          fresh = this.#fresh(context);
        },
        run: () => this.#build(way, fresh),
      };
    });
  }

  #build(way: Way, context: string, more: readonly string[] = []): Promise<number> {
    return time([...way.build, ...more, context], way.env);
  }

  #row(what: string, atMost: number, rounds: number, column: (way: Way) => Column): Promise<void> {
    const columns = Object.fromEntries(this.#ways.map((way) => [way.name, column(way)]));
    const limits = ['wherry', 'wherry by buildx'].map((of) => ({ of, by: 'dockerd', atMost }));
    return this.#report.compare(what, columns, limits, { rounds, warmUps: 1, pauseMs: 300 });
  }
}

/** Where a variable stands that is another in each round. */
const nonce = '# round';

/** Five stages of six steps; two of them in parallel. */
const thirtySteps = ['one', 'two', 'three', 'four', 'five']
  .map((name, index) =>
    [
      `FROM ${['busybox', 'one', 'one', 'busybox', 'four'][index]} AS ${name}`,
      nonce,
      `WORKDIR /${name}`,
      `COPY folder-${index} .`,
      `RUN echo first of ${name} > first`,
      `ENV NAME=${name}`,
      `RUN echo second of $NAME > second && ls > list`,
      ...(name === 'five' ? ['COPY --from=two /two /two', 'COPY --from=three /three /three', 'COPY . /all'] : []),
      `RUN ls / > listing`,
    ].join('\n'),
  )
  .join('\n');

async function prune(way: Way): Promise<void> {
  await command(way, ['image', 'prune', '-f']);
  await command(way, ['builder', 'prune', '-af']);
}

async function command({ engine, env }: Way, args: readonly string[]): Promise<void> {
  const { code, stderr } = await execute(engine.client[0]!, args, { env, timeoutMs: 120_000 });
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr.trim()}`);
}

/** Small ones of different sizes, evenly in folders. */
function writeFiles(root: string, count: number, folders: number): void {
  for (let folder = 0; folder < folders; folder++) {
    const path = join(root, `folder-${folder}`);
    mkdirSync(path);
    for (let file = folder; file < count; file += folders)
      writeFileSync(join(path, `file-${file}.txt`), `${file}\n`.repeat(1 + (file % 200)));
  }
}

/** Half of it is noise, so that compressing it is neither idle nor vain. */
function writeLarge(path: string, megabytes: number): void {
  if (existsSync(path)) return;
  const file = openSync(path, 'w');
  const block = Buffer.alloc(1 << 20);
  let state = 1;
  for (let written = 0; written < megabytes; written++) {
    for (let at = 0; at < block.length; at += 8) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      block.writeUInt32LE(state, at);
      block.writeUInt32LE(at & 0xff, at + 4);
    }
    writeSync(file, block);
  }
  closeSync(file);
}

/** "5" sets the peak back to what is resident now (proc(5), clear_refs). */
function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function peak(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000;
}
