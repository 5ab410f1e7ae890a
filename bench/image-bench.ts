/** Images: load, pull, push and unpack, beside dockerd and podman, and what the daemon weighs while it pulls 2 GB. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '../test/support/docker.ts';
import { RegistryService } from '../test/support/peers.ts';
import type { Engine } from './engines.ts';
import {
  bigTar,
  debianTar,
  dockerArchive,
  layerOf,
  manyFilesTar,
  publish,
  smallTar,
  splitTar,
} from './image-fixtures.ts';
import { type Summary, summary, time } from './measure.ts';
import type { Column, Report } from './report.ts';
import { registryAddress } from './uplink.ts';

type Row = (
  what: string,
  atMost: number,
  run: (engine: Engine) => string[],
  prepare?: (engine: Engine) => Promise<void>,
) => Promise<void>;

/** A row as a person works: whole commands, engines in turn, images removed before each cold round. */
function rowsOf(report: Report, engines: readonly Engine[], rounds: number): Row {
  return (what, atMost, run, prepare = removeImages) =>
    report.compare(
      what,
      Object.fromEntries(
        engines.map((engine): [string, Column] => [
          engine.name,
          { prepare: () => prepare(engine), run: () => command(engine, run(engine)) },
        ]),
      ),
      [{ of: 'wherry', by: 'dockerd', atMost }],
      { rounds, warmUps: 1, pauseMs: 500 },
    );
}

export async function benchArchives(report: Report, engines: readonly Engine[], rounds: number): Promise<void> {
  const row = rowsOf(report, engines, rounds);
  const debian = await dockerArchive('bench-debian', [await layerOf(await debianTar())]);
  const many = await dockerArchive('bench-many', [await layerOf(await manyFilesTar(60_000))]);
  await row('load of a 200 MB Debian image', 1, () => ['load', '-q', '-i', debian]);
  await row('unpack of an image with 60,000 small files (load)', 1, () => ['load', '-q', '-i', many]);
  for (const engine of engines) await removeImages(engine);
}

export async function benchRegistry(report: Report, engines: readonly Engine[], rounds: number): Promise<void> {
  const row = rowsOf(report, engines, rounds);
  const debian = await layerOf(await debianTar());
  const eight = await Promise.all((await splitTar(debian.tar, 8)).map(layerOf));
  const [before, after] = [await layerOf(await smallTar('before')), await layerOf(await smallTar('after'))];
  const archive = await dockerArchive('bench-debian', [debian]);
  await using source = await RegistryService.open({ host: registryAddress });
  await using target = await RegistryService.open({ host: registryAddress });
  await publish(source.address, 'debian', [debian]);
  await publish(source.address, 'eight', eight);
  await publish(source.address, 'before', [debian, before]);
  await publish(source.address, 'after', [debian, after]);

  await row('pull of the Debian image, one gzip layer, cold', 0.9, () => ['pull', '-q', `${source.address}/debian`]);
  await row('pull of the same in eight layers, cold', 0.7, () => ['pull', '-q', `${source.address}/eight`]);
  await row(
    'pull with one changed small layer',
    0.5,
    () => ['pull', '-q', `${source.address}/after`],
    async (engine) => {
      await removeImages(engine);
      await command(engine, ['pull', '-q', `${source.address}/before`]);
    },
  );
  await row(
    'push of the loaded Debian image to an empty registry',
    0.7,
    () => ['push', '-q', `${target.address}/debian`],
    async (engine) => {
      await removeImages(engine);
      await command(engine, ['load', '-q', '-i', archive]);
      await command(engine, ['tag', 'bench-debian', `${target.address}/debian`]);
      target.clear();
    },
  );

  const big = await Promise.all(['a', 'b', 'c', 'd'].map(async (seed) => layerOf(await bigTar(512, seed))));
  await publish(source.address, 'big', big);
  await weighPull(report, engines, `${source.address}/big`);
  for (const engine of engines) await removeImages(engine);
}

/** The daemon's peak of resident memory while it pulls. */
async function weighPull(report: Report, engines: readonly Engine[], image: string): Promise<void> {
  const values: Record<string, Summary> = {};
  for (const engine of engines.filter(({ pid }) => pid > 0)) {
    await removeImages(engine);
    // "5" sets the peak back to what is resident now (proc(5), clear_refs).
    writeFileSync(`/proc/${engine.pid}/clear_refs`, '5');
    await command(engine, ['pull', '-q', image]);
    const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${engine.pid}/status`, 'utf8'))?.[1]) / 1000;
    values[engine.name] = summary([peak]);
    await removeImages(engine);
  }
  report.add({
    what: 'peak of the daemon while it pulls 2 GB',
    unit: 'MB',
    values,
    limits: [{ of: 'wherry', by: 150, atMost: 1 }],
  });
}

function command(engine: Engine, words: string[]): Promise<number> {
  const verify = engine.name === 'podman' && ['pull', 'push'].includes(words[0]!) ? ['--tls-verify=false'] : [];
  return time([...engine.client, words[0]!, ...verify, ...words.slice(1)], engine.env);
}

async function removeImages(engine: Engine): Promise<void> {
  const listed = await execute(engine.client[0]!, [...engine.client.slice(1), 'images', '-aq'], { env: engine.env });
  const ids = [...new Set(listed.stdout.split('\n').filter(Boolean))];
  if (ids.length > 0) await time([...engine.client, 'rmi', '-f', ...ids], engine.env);
  await sleep(300);
}
