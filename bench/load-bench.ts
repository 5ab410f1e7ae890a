/**
 * Under load, and as it grows: published ports from another network namespace, names, a gigabyte of log lines, a thousand containers, the
 * start of a daemon that has them, a run beside one, ten and a hundred that run. Fixed amounts of work, so that every row is a time.
 */
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from './engines.ts';
import { memory, type Summary, summary, time } from './measure.ts';
import type { Column, Report } from './report.ts';
import { uplink, uplinkAddress, uplinkHost } from './uplink.ts';

const program = join(resolve(import.meta.dirname), 'load-program.cjs');
const gigabyte = 1_000_000_000;

export async function benchLoad(report: Report, engines: readonly Engine[], rounds: number): Promise<void> {
  const few = { rounds: Math.max(3, Math.ceil(rounds / 3)), warmUps: 1 };
  const parts = { port: ports, names, logs, running: growth, thousand };
  for (const [word, part] of Object.entries(parts)) if (report.wants(word)) await part(report, engines, few);
}

interface Rounds {
  rounds: number;
  warmUps: number;
}

/** Columns for the engines that could be made ready; what is wrong with the others is said. */
async function columns(
  report: Report,
  what: string,
  engines: readonly Engine[],
  ready: (engine: Engine) => Promise<() => Promise<number>>,
): Promise<Record<string, Column>> {
  const found: Record<string, Column> = {};
  for (const engine of engines) {
    try {
      found[engine.name] = { run: await ready(engine) };
    } catch (error) {
      report.missing.push(`${what}, ${engine.name}: ${(error as Error).message.split('\n')[0]}`);
    }
  }
  return found;
}

const call = (engine: Engine, ...args: string[]): Promise<number> => time([...engine.client, ...args], engine.env);

/** The host's own Node, in a container: the machine's root is lent to it, read-only. */
const node = (...args: string[]): string[] => ['busybox', 'chroot', '/host', process.execPath, program, ...args];
const lent = ['-v', '/:/host:ro'];

async function ports(report: Report, engines: readonly Engine[], rounds: Rounds): Promise<void> {
  const outside = await otherNamespace();
  try {
    for (const engine of engines) {
      await call(
        engine,
        'run',
        '-d',
        '--name',
        'bench-server',
        '-p',
        '7700:7700',
        '-p',
        '7701:7701',
        ...lent,
        ...node('serve'),
      );
    }
    await sleep(1000);
    // Wherry is in the host's namespace, the peers in their own: each is asked from the other side of a veth pair.
    const ask = (engine: Engine, ...args: string[]): (() => Promise<number>) => {
      const address = engine.name === 'wherry' ? outside.host : uplinkAddress(engine.name === 'dockerd' ? 1 : 2);
      const enter = engine.name === 'wherry' ? outside.enter : [];
      return () => own([...enter, process.execPath, program, ...args, address]);
    };
    const limits = [{ of: 'wherry', by: 'dockerd', atMost: 1 }];
    for (const [what, args] of [
      ['published port, from another network namespace: 4 GB out', ['receive', '7700', String(4 * gigabyte)]],
      ['published port, from another network namespace: 5,000 connections, 32 at once', ['connect', '7701', '5000']],
    ] as const) {
      await report.compare(
        what,
        await columns(report, what, engines, (engine) => Promise.resolve(ask(engine, ...args))),
        limits,
        rounds,
      );
    }
  } finally {
    for (const engine of engines) await call(engine, 'rm', '-f', 'bench-server').catch(() => {});
    outside.close();
  }
}

async function names(report: Report, engines: readonly Engine[], rounds: Rounds): Promise<void> {
  const what = 'names of containers: 20,000 queries, 32 at once';
  const ready = async (engine: Engine): Promise<() => Promise<number>> => {
    await call(engine, 'network', 'create', 'bench-names');
    await call(engine, 'run', '-d', '--name', 'bench-named', '--network', 'bench-names', 'busybox', 'sleep', '10000');
    await call(
      engine,
      'run',
      '-d',
      '--name',
      'bench-asker',
      '--network',
      'bench-names',
      ...lent,
      'busybox',
      'sleep',
      '10000',
    );
    const server = await text(
      engine,
      'exec',
      'bench-asker',
      'sh',
      '-c',
      "sed -n 's/^nameserver //p' /etc/resolv.conf | head -1",
    );
    const args = [
      'exec',
      'bench-asker',
      'chroot',
      '/host',
      process.execPath,
      program,
      'resolve',
      'bench-named',
      '20000',
      server.trim(),
    ];
    return () => own([...engine.client, ...args], engine.env);
  };
  await report.compare(
    what,
    await columns(report, what, engines, ready),
    [{ of: 'wherry', by: 'dockerd', atMost: 1 }],
    rounds,
  );
  for (const engine of engines) {
    await call(engine, 'rm', '-f', 'bench-named', 'bench-asker').catch(() => {});
    await call(engine, 'network', 'rm', 'bench-names').catch(() => {});
  }
}

async function logs(report: Report, engines: readonly Engine[]): Promise<void> {
  const line = 'x'.repeat(99);
  const bounded = ['--log-opt', 'max-size=10m', '--log-opt', 'max-file=3'];
  const what = '1 GB of 100-byte log lines';
  const ours = engines.find(({ name }) => name === 'wherry');
  const before = ours === undefined ? 0 : memory(ours.pid).rss;
  let most = before;
  const watch = setInterval(() => {
    if (ours !== undefined) most = Math.max(most, memory(ours.pid).rss);
  }, 200);
  const print = (engine: Engine): (() => Promise<number>) => {
    const options = engine.name === 'podman' ? ['--log-opt', 'max-size=30m'] : bounded;
    return async () => {
      const started = performance.now();
      await call(
        engine,
        'run',
        '-d',
        '--name',
        'bench-logs',
        ...options,
        'busybox',
        'sh',
        '-c',
        `yes ${line} | head -c ${gigabyte}`,
      );
      await call(engine, 'wait', 'bench-logs');
      const ms = performance.now() - started;
      await call(engine, 'rm', '-f', 'bench-logs');
      return ms;
    };
  };
  await report.compare(
    what,
    await columns(report, what, engines, (engine) => Promise.resolve(print(engine))),
    [{ of: 'wherry', by: 'dockerd', atMost: 1 }],
    { rounds: 2, warmUps: 0 },
  );
  clearInterval(watch);
  if (ours === undefined) return;
  const one = (value: number): Summary => summary([value]);
  report.add({
    what: 'what the daemon grows by meanwhile, at most',
    unit: 'MB',
    values: { wherry: one(most - before) },
    limits: [{ of: 'wherry', by: 20, atMost: 1 }],
  });
}

/** `run` and `ps` beside one, ten, a hundred containers that run. */
async function growth(report: Report, engines: readonly Engine[], rounds: Rounds): Promise<void> {
  const daemons = engines.filter(({ pid }) => pid > 0);
  let running = 0;
  try {
    for (const count of [1, 10, 100]) {
      for (; running < count; running++) {
        for (const engine of daemons)
          await call(engine, 'run', '-d', '--name', `bench-grow-${running}`, 'busybox', 'sleep', '10000');
      }
      for (const [verb, args] of [
        ['run --rm', ['run', '--rm', 'busybox', 'true']],
        ['ps', ['ps', '-q']],
      ] as const) {
        const what = `${verb} beside ${count} running`;
        const measured = await columns(report, what, daemons, (engine) => Promise.resolve(() => call(engine, ...args)));
        await report.compare(what, measured, [{ of: 'wherry', by: 'dockerd', atMost: 1 }], rounds);
      }
    }
  } finally {
    for (const engine of daemons) {
      const all = Array.from({ length: running }, (_, index) => `bench-grow-${index}`);
      if (all.length > 0) await call(engine, 'rm', '-f', ...all).catch(() => {});
    }
  }
}

/** A thousand stopped and a hundred running: `ps -a`, and the start of a daemon that was killed. podman has none. */
async function thousand(report: Report, engines: readonly Engine[], rounds: Rounds): Promise<void> {
  const daemons = engines.filter(({ pid }) => pid > 0);
  for (const engine of daemons) {
    for (let at = 0; at < 1000; at += 10) {
      await Promise.all(
        Array.from({ length: 10 }, () =>
          post(engine, '/containers/create', { Image: 'busybox', Labels: { bench: 'many' } }),
        ),
      );
    }
  }
  const listed = 'ps -a with 1,000 containers';
  const limits = [{ of: 'wherry', by: 'dockerd', atMost: 1 }];
  const list = await columns(report, listed, daemons, (engine) => Promise.resolve(() => call(engine, 'ps', '-a')));
  await report.compare(listed, list, limits, rounds);
  for (const engine of daemons) {
    for (let index = 0; index < 100; index++)
      await call(engine, 'run', '-d', '--label', 'bench=many', 'busybox', 'sleep', '10000');
  }
  const started = 'start of a killed daemon with 1,000 stopped and 100 running containers';
  const start = await columns(report, started, daemons, (engine) => {
    if (engine.restart === undefined) throw new Error('cannot be started again here');
    return Promise.resolve(engine.restart);
  });
  await report.compare(started, start, limits, { rounds: 3, warmUps: 0 });
  for (const engine of daemons) {
    const ids = (await text(engine, 'ps', '-aq', '--filter', 'label=bench=many')).split('\n').filter(Boolean);
    for (let at = 0; at < ids.length; at += 50)
      await call(engine, 'rm', '-f', ...ids.slice(at, at + 50)).catch(() => {});
  }
}

/** A namespace beside the host's, on a veth pair of its own. */
async function otherNamespace(): Promise<{ enter: string[]; host: string; close: () => void }> {
  const keeper = spawn('unshare', ['-n', 'sh', '-c', 'ip link set lo up; echo ready; exec sleep 100000'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await new Promise((done) => keeper.stdout.once('data', done));
  await uplink(keeper.pid!, 3);
  return {
    enter: ['nsenter', `--net=/proc/${keeper.pid}/ns/net`],
    host: uplinkHost(3),
    close: () => void keeper.kill('SIGKILL'),
  };
}

/** The time that a program itself says it took, in ms. */
async function own(command: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const ms = Number(/^ms (\d+(\.\d+)?)$/m.exec(await output(command, env))?.[1] ?? Number.NaN);
  if (Number.isNaN(ms)) throw new Error(`${command.slice(-3).join(' ')} did not come to its end`);
  return ms;
}

const text = (engine: Engine, ...args: string[]): Promise<string> => output([...engine.client, ...args], engine.env);

function output(command: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((done, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env });
    let out = '';
    let complaint = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString('utf8')));
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString('utf8')));
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? done(out) : reject(new Error(complaint.trim().slice(-300)))));
  });
}

function post(engine: Engine, path: string, body: object): Promise<void> {
  const socketPath = engine.env['DOCKER_HOST']!.replace('unix://', '');
  return new Promise((done, reject) => {
    const message = request(
      { socketPath, method: 'POST', path, headers: { 'Content-Type': 'application/json' } },
      (answer) => {
        answer.resume();
        answer.on('end', () =>
          answer.statusCode === 201 ? done() : reject(new Error(`${path}: ${answer.statusCode}`)),
        );
      },
    );
    message.on('error', reject);
    message.end(JSON.stringify(body));
  });
}
