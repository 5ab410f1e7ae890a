/** The stock docker CLI against the server and an engine in memory. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Running, withServer } from '../../test/support/server.ts';
import { type ProgramResult, runProgram } from '../std/index.ts';

const missing = await runProgram('docker', ['--version']).then(
  () => undefined,
  () => 'no docker CLI on this machine',
);

function docker({ path, folder }: Running, args: string[], input?: string | Uint8Array): Promise<ProgramResult> {
  return runProgram('docker', args, {
    env: { PATH: process.env['PATH'], HOME: folder, DOCKER_CONFIG: folder, DOCKER_HOST: `unix://${path}` },
    signal: AbortSignal.timeout(20_000),
    maxOutput: 16 << 20,
    ...(input === undefined ? {} : { input }),
  });
}

async function succeeds(running: Running, args: string[], input?: string | Uint8Array): Promise<string> {
  const result = await docker(running, args, input);
  assert.equal(result.code, 0, `docker ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

describe('docker CLI', { skip: missing ?? false }, () => {
  test('run: output, exit codes, stdin, errors', async () => {
    await withServer({}, async (running) => {
      assert.equal(await succeeds(running, ['run', '--rm', 'busybox', 'echo', 'hi']), 'hi\n');
      const failing = await docker(running, ['run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
      assert.deepEqual([failing.code, failing.stdout, failing.stderr], [7, 'out\n', 'err\n']);
      assert.equal(await succeeds(running, ['run', '-i', '--rm', 'busybox', 'cat'], 'to and fro'), 'to and fro');
      assert.equal((await docker(running, ['run', '--rm', 'busybox', 'nosuch'])).code, 127);
      assert.match((await docker(running, ['run', '--rm', 'nosuchimage'])).stderr, /manifest unknown/);
    });
  });

  test('10 MB in, and 10 MB out', async () => {
    await withServer({}, async (running) => {
      assert.equal(
        await succeeds(running, ['run', '-i', '--rm', 'busybox', 'count'], Buffer.alloc(10_000_000)),
        '10000000\n',
      );
      assert.equal((await succeeds(running, ['run', '--rm', 'busybox', 'flood', '10000000'])).length, 10_000_000);
    });
  });

  test('run -d, ps, exec, logs, inspect, cp, top, stats, rename, kill, rm', async () => {
    await withServer({}, async (running) => {
      const id = (
        await succeeds(running, ['run', '-d', '--name', 'web', 'busybox', 'sh', '-c', 'echo started; sleep 60'])
      ).trim();
      assert.match(id, /^[0-9a-f]{64}$/);
      assert.equal((await succeeds(running, ['ps', '-q', '--no-trunc'])).trim(), id);
      assert.equal(await succeeds(running, ['exec', 'web', 'echo', 'inside']), 'inside\n');
      assert.equal(await succeeds(running, ['exec', '-i', 'web', 'cat'], 'in'), 'in');
      assert.equal((await docker(running, ['exec', 'web', 'sh', '-c', 'exit 4'])).code, 4);
      assert.equal(await succeeds(running, ['exec', '-d', 'web', 'true']), '');
      assert.equal(await succeeds(running, ['logs', 'web']), 'started\n');
      assert.equal(await succeeds(running, ['inspect', '-f', '{{.State.Status}} {{.Name}}', 'web']), 'running /web\n');
      await succeeds(running, ['cp', 'web:/etc/passwd', join(running.folder, 'passwd')]);
      assert.match(await readFile(join(running.folder, 'passwd'), 'utf8'), /^root:/);
      await writeFile(join(running.folder, 'in.txt'), 'x');
      await succeeds(running, ['cp', join(running.folder, 'in.txt'), 'web:/root/']);
      assert.match(await succeeds(running, ['top', 'web']), /PID/);
      assert.match(await succeeds(running, ['stats', '--no-stream', 'web']), /web/);
      await succeeds(running, ['rename', 'web', 'www']);
      await succeeds(running, ['kill', 'www']);
      assert.equal(await succeeds(running, ['wait', 'www']), '137\n');
      assert.equal(await succeeds(running, ['rm', 'www']), 'www\n');
      assert.match((await docker(running, ['rm', 'www'])).stderr, /No such container: www/);
    });
  });

  test('logs -f ends with the container; events show its life', async () => {
    await withServer({}, async (running) => {
      await succeeds(running, ['run', '-d', '--name', 'brief', 'busybox', 'sh', '-c', 'echo one; sleep 0.3; echo two']);
      assert.equal(await succeeds(running, ['logs', '-f', 'brief']), 'one\ntwo\n');
      const until = String(Math.trunc(Date.now() / 1000) + 1);
      const events = await succeeds(running, ['events', '--since', '1', '--until', until, '--format', '{{.Action}}']);
      assert.deepEqual(events.trim().split('\n'), ['create', 'start', 'die']);
    });
  });

  test('images, networks, volumes, system', async () => {
    await withServer({}, async (running) => {
      assert.match(await succeeds(running, ['version']), /28\.5\.2/);
      assert.match(await succeeds(running, ['images']), /busybox +latest/);
      assert.match(await succeeds(running, ['pull', 'busybox']), /up to date/);
      assert.match(await succeeds(running, ['history', 'busybox']), /CMD/);
      await succeeds(running, ['tag', 'busybox', 'other:1']);
      assert.ok((await succeeds(running, ['save', 'busybox'])).length >= 1024);
      assert.match(await succeeds(running, ['load'], 'tar'), /Loaded image/);
      await succeeds(running, ['network', 'create', 'net']);
      assert.match(await succeeds(running, ['network', 'ls']), /net/);
      await succeeds(running, ['network', 'rm', 'net']);
      assert.equal(await succeeds(running, ['volume', 'create', 'vol']), 'vol\n');
      assert.match(await succeeds(running, ['volume', 'inspect', 'vol']), /"Driver": "local"/);
      await succeeds(running, ['volume', 'rm', 'vol']);
      assert.match(await succeeds(running, ['system', 'df']), /Local Volumes/);
      assert.match((await docker(running, ['swarm', 'ca'])).stderr, /not a swarm manager/);
    });
  });

  test('a terminal: run -t and -it under a pty', async (context) => {
    const script = await runProgram('script', ['--version']).catch(() => undefined);
    if (script === undefined) return context.skip('no script(1) to make a terminal with');
    await withServer({}, async (running) => {
      const command = 'docker run -it --rm busybox sh -c "echo on a terminal"';
      const result = await runProgram('script', ['-qec', command, '/dev/null'], {
        env: { PATH: process.env['PATH'], HOME: running.folder, DOCKER_HOST: `unix://${running.path}` },
        signal: AbortSignal.timeout(20_000),
      });
      assert.match(result.stdout, /on a terminal/);
    });
    return undefined;
  });
});
