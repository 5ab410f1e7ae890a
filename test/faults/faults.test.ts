/**
 * What the world does to an engine: somebody flushes the firewall, deletes a bridge, a bound folder, a monitor; the disk answers with
 * errors; the clock jumps; memory and descriptors run out. What runs goes on or comes back, requests say what is wrong, and
 * afterwards ps is true, the store verifies, nothing is left.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon, ownSubnets, sharedDaemon } from '../support/daemon.ts';
import { Running, until } from '../support/docker.ts';
import { engineTellsTheTruth } from '../support/engine-truth.ts';
import { failingDisk, powerFails } from '../support/failing-disk.ts';
import { busyboxImage } from '../support/images.ts';
import { hashOf, processesOf } from '../support/leaks.ts';
import { packages } from '../support/peers.ts';

const host = await sharedDaemon({
  args: ownSubnets(),
  expectedErrors: [/the monitor of a container is gone/],
});
const { scenario } = host;
const ok = (...args: string[]): Promise<string> => host.docker.ok(...args);
const inspect = (name: string, template: string): Promise<string> => ok('inspect', '-f', template, name);

/** A container that serves one word on a published port. */
async function serve(name: string, ...more: string[]): Promise<number> {
  await ok(
    'run',
    '-d',
    '--name',
    name,
    '-p',
    '127.0.0.1::80',
    ...more,
    'busybox',
    'nc',
    '-ll',
    '-p',
    '80',
    '-e',
    'echo',
    name,
  );
  return Number((await ok('port', name, '80')).split(':').at(-1));
}

function ask(port: number): Promise<string> {
  return new Promise((done) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(1500, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    socket.on('error', () => {});
    socket.on('close', () => done(text.trim()));
  });
}

async function sound(daemon: Daemon, context: string): Promise<void> {
  await engineTellsTheTruth(daemon, context);
  assert.deepEqual(await daemon.verify(), [], context);
}

scenario('a flushed ruleset and a deleted bridge come back by themselves; ports and names answer again', async () => {
  const { daemon } = host;
  await ok('network', 'create', 'hurt');
  const port = await serve('web', '--network', 'hurt');
  assert.equal(await ask(port), 'web');
  const reach = ['run', '--rm', '--network', 'hurt', 'busybox', 'nc', '-w', '2', 'web', '80'];
  execFileSync('nft', ['flush', 'table', 'inet', `wherry_${hashOf(daemon.dataRoot)}`]);
  execFileSync('nft', ['delete', 'table', 'inet', `wherry_${hashOf(daemon.dataRoot)}`]);
  await until(async () => (await ask(port)) === 'web', { timeoutMs: 15_000, what: 'the firewall' });
  const link = await inspect('web', '{{range .NetworkSettings.Networks}}{{.NetworkID}}{{end}}');
  const bridge = execFileSync('ip', ['-o', 'link', 'show', 'type', 'bridge'], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.split(': ')[1] ?? '')
    .find((name) => name.endsWith(`-${link.slice(0, 7)}`));
  assert.ok(bridge !== undefined);
  execFileSync('ip', ['link', 'del', bridge]);
  await until(async () => (await ask(port)) === 'web', {
    timeoutMs: 15_000,
    what: 'the bridge, without anybody asking',
  });
  assert.equal(await ok(...reach), 'web');
  await sound(daemon, 'after the firewall and the bridge');
  await ok('rm', '-f', 'web');
  await ok('network', 'rm', 'hurt');
});

scenario('a bound folder that vanishes: what runs goes on, a start names it, others are not touched', async () => {
  const { daemon, docker } = host;
  const folder = join(daemon.root, 'bound');
  mkdirSync(folder);
  writeFileSync(join(folder, 'note'), 'kept');
  await ok('run', '-d', '--name', 'reader', '--mount', `type=bind,src=${folder},dst=/b`, 'busybox', 'sleep', '600');
  await ok('run', '-d', '--name', 'other', 'busybox', 'sleep', '600');
  rmSync(folder, { recursive: true });
  assert.equal(await ok('exec', 'reader', 'ls', '/b'), '');
  await ok('stop', '-t', '0', 'reader');
  const refused = await docker.run(['start', 'reader']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /bind source path does not exist: .*\/bound/);
  assert.equal(await inspect('reader', '{{.State.Status}}'), 'exited');
  mkdirSync(folder);
  await ok('start', 'reader');
  await daemon.restart();
  assert.equal(await inspect('other', '{{.State.Status}}'), 'running');
  await sound(daemon, 'after the folder');
  await ok('rm', '-f', 'reader', 'other');
});

scenario('a killed monitor: the container runs on, its end is noticed at once, policies hold', async () => {
  const { daemon } = host;
  const monitorOf = (id: string): number =>
    processesOf([daemon.execRoot]).find(({ line }) => line.includes('conmon') && line.includes(id))!.pid;
  const id = await ok('run', '-d', '--name', 'orphan', 'busybox', 'sleep', '600');
  const always = await ok('run', '-d', '--name', 'always', '--restart', 'always', 'busybox', 'sleep', '600');
  process.kill(monitorOf(id), 'SIGKILL');
  process.kill(monitorOf(always), 'SIGKILL');
  assert.equal(await ok('exec', 'orphan', 'echo', 'in'), 'in');
  const started = performance.now();
  await ok('stop', '-t', '0', 'orphan');
  assert.ok(performance.now() - started < 8000, 'stop does not wait for a monitor that is gone');
  assert.equal(await inspect('orphan', '{{.State.Status}}'), 'exited');
  const pid = await inspect('always', '{{.State.Pid}}');
  process.kill(Number(pid), 'SIGKILL');
  await until(async () => ![pid, '0'].includes(await inspect('always', '{{.State.Pid}}')), {
    timeoutMs: 15_000,
    what: 'the restart',
  });
  await sound(daemon, 'after the monitors');
  await ok('rm', '-f', 'orphan', 'always');
});

scenario('memory runs out for the daemon: it dies, its containers and their output do not', async () => {
  const group = memoryGroup('oom');
  using _ = { [Symbol.dispose]: () => group.remove() };
  await using daemon = await Daemon.open({ launcher: ['sh', '-c', `echo $$ >${group.admits} && exec "$@"`, 'sh'] });
  const { docker } = daemon;
  await docker.ok('load', '-q', '-i', await busyboxImage());
  await docker.ok('run', '-d', '--name', 'steady', 'busybox', 'sh', '-c', 'while :; do echo tick; sleep 0.1; done');
  const alive = (): boolean => existsSync(`/proc/${daemon.pid}/exe`);
  group.limit();
  for (let round = 0; alive() && round < 200; round++) {
    await Promise.all(
      Array.from({ length: 8 }, () => daemon.api('POST', '/v1.47/containers/create', spacious).catch(() => {})),
    );
  }
  assert.ok(!alive(), 'the kernel ends the daemon');
  await daemon.kill();
  group.unlimit();
  await daemon.start();
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Status}}', 'steady'), 'running');
  const before = (await docker.ok('logs', 'steady')).split('\n').length;
  await sleep(500);
  assert.ok((await docker.ok('logs', 'steady')).split('\n').length > before, 'its output goes on');
  await sound(daemon, 'after the daemon was killed for its memory');
});

scenario('memory runs out for one container: it alone is ended, and says so', async () => {
  const { daemon, docker } = host;
  await ok('run', '-d', '--name', 'beside', 'busybox', 'sleep', '600');
  const hog = await docker.run([
    'run',
    '--name',
    'hog',
    '-m',
    '16m',
    '--memory-swap',
    '16m',
    'busybox',
    'tail',
    '/dev/zero',
  ]);
  assert.equal(hog.code, 137);
  assert.equal(await inspect('hog', '{{.State.OOMKilled}} {{.State.ExitCode}}'), 'true 137');
  assert.equal(await inspect('beside', '{{.State.Status}}'), 'running');
  await sound(daemon, 'after the hog');
  await ok('rm', '-f', 'hog', 'beside');
});

scenario(
  'descriptors run out: requests are refused in words, and all works when there are some again',
  async () => {
    await using daemon = await Daemon.open({
      launcher: ['prlimit', '--nofile=160:160'],
      expectedErrors: [/EMFILE|too many open files/i, /request failed/],
    });
    await daemon.docker.ok('load', '-q', '-i', await busyboxImage());
    await daemon.docker.ok('run', '-d', '--name', 'before', 'busybox', 'sleep', '600');
    const sockets: Socket[] = [];
    for (let count = 0; count < 300; count++) {
      const socket = connect(daemon.socket);
      socket.on('error', () => {});
      sockets.push(socket);
    }
    await sleep(500);
    // Those that only wait are closed for it, or there is no room for it: either is an answer.
    const tried = await daemon.docker.run(['run', '--rm', 'busybox', 'echo', 'in'], { timeoutMs: 8000 });
    assert.ok(tried.code !== 0 || tried.stdout === 'in\n', tried.stdout);
    for (const socket of sockets) socket.destroy();
    await until(() => daemon.answers(), { timeoutMs: 10_000, what: 'an answer' });
    assert.equal(await daemon.docker.ok('run', '--rm', 'busybox', 'echo', 'again'), 'again');
    assert.equal(await daemon.docker.ok('exec', 'before', 'echo', 'in'), 'in');
    // Nearly out: something may fail anywhere in the middle of a start.
    for (let open = 40; open < 130; open += 6) {
      const held = Array.from({ length: open }, () => connect(daemon.socket).on('error', () => {}));
      await sleep(30);
      const tried = await daemon.docker.run(['run', '--rm', 'busybox', 'echo', 'in'], { timeoutMs: 3000 });
      assert.ok(tried.code !== 0 || tried.stdout === 'in\n', tried.stdout);
      for (const socket of held) socket.destroy();
    }
    await until(() => daemon.answers(), { timeoutMs: 10_000, what: 'an answer' });
    await sound(daemon, 'after descriptors ran out');
  },
  { timeoutMs: 120_000 },
);

scenario(
  'a disk that dies: errors say so, the daemon stays up; what was acknowledged is on it when it is back',
  async () => {
    using disk = failingDisk(256);
    await using daemon = await Daemon.open({
      dataRoot: disk.path,
      expectedErrors: [/EIO|(input|i)\/o(utput)? error|EROFS|request failed/i],
    });
    const { docker } = daemon;
    await docker.ok('load', '-q', '-i', await busyboxImage());
    await docker.ok('volume', 'create', 'notes');
    await docker.ok('run', '--rm', '-v', 'notes:/n', 'busybox', 'sh', '-c', 'echo precious >/n/note; sync');
    await docker.ok('run', '-d', '--name', 'before', '-v', 'notes:/n', 'busybox', 'sleep', '600');
    disk.dies();
    for (const args of [
      ['volume', 'create', 'later'],
      ['create', 'busybox'],
      ['tag', 'busybox', 'other'],
      ['network', 'create', 'later'],
      ['commit', 'before', 'never:1'],
      ['load', '-i', await busyboxImage()],
    ]) {
      const refused = await docker.run(args);
      assert.notEqual(refused.code, 0, args.join(' '));
      // ENOENT is what ext4 itself says in a folder that it cannot read any more.
      assert.match(refused.stderr, /input\/output error|EIO|read-only file system|ENOENT/i, args.join(' '));
    }
    assert.equal((await daemon.api('GET', '/_ping')).status, 200);
    // Its program lies on that disk: it may end by not being readable any more.
    assert.match(await docker.ok('ps', '-a', '--format', '{{.Names}}'), /before/);
    await powerFails(daemon, disk);
    assert.equal(await docker.ok('run', '--rm', '-v', 'notes:/n', 'busybox', 'cat', '/n/note'), 'precious');
    assert.equal(await docker.ok('inspect', '-f', '{{.State.Status}}', 'before'), 'exited');
    await sound(daemon, 'after the disk');
  },
  { timeoutMs: 120_000 },
);

scenario(
  'the clock jumps by days, both ways: times are right, waits are not shortened or stuck',
  async (test) => {
    const [library] = globSync(join(await packages('clock'), 'usr/lib/*/faketime/libfaketime.so.1'));
    if (library === undefined) return test.skip('no libfaketime for this machine');
    const setting = join(host.daemon.root, 'clock');
    const jump = (offset: string): void => writeFileSync(setting, `${offset}\n`);
    jump('+0');
    await using daemon = await Daemon.open({
      env: {
        LD_PRELOAD: library,
        FAKETIME_TIMESTAMP_FILE: setting,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DISABLE_SHM: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        DONT_FAKE_MONOTONIC: '1',
      },
    });
    const { docker } = daemon;
    await docker.ok('load', '-q', '-i', await busyboxImage());
    const health = ['--health-cmd', 'date +%s%N >>/beats', '--health-interval', '500ms'];
    await docker.ok('run', '-d', '--name', 'beats', ...health, 'busybox', 'sleep', '600');
    const beats = async (): Promise<number> =>
      Number((await docker.run(['exec', 'beats', 'sh', '-c', 'wc -l </beats'])).stdout);
    await using events = new Running(docker.file, ['-H', daemon.host, 'events', '--format', '{{.Action}}']);
    await sleep(300);
    for (const offset of ['+3d', '-3d', '+400d', '+0']) {
      jump(offset);
      await sleep(200);
      const before = await beats();
      await until(async () => (await beats()) > before, { timeoutMs: 15_000, what: `a health check after ${offset}` });
      const started = performance.now();
      await docker.ok('run', '-d', '--name', 'slow', 'busybox', 'sh', '-c', 'trap : TERM; while :; do sleep 0.1; done');
      await docker.ok('stop', '-t', '1', 'slow');
      const took = performance.now() - started;
      assert.ok(took > 900 && took < 9000, `stop -t 1 after ${offset} took ${took} ms`);
      const [begin, end] = (
        await docker.ok('inspect', '-f', '{{.State.StartedAt}} {{.State.FinishedAt}}', 'slow')
      ).split(' ');
      assert.ok(Math.abs(Date.parse(end!) - Date.parse(begin!)) < 4 * 86_400_000 * 101, `${begin} ${end}`);
      await docker.ok('rm', 'slow');
      await docker.ok('ps', '-a');
      assert.equal(await docker.ok('run', '--rm', 'busybox', 'echo', 'in'), 'in');
    }
    assert.equal(await docker.ok('inspect', '-f', '{{.State.Health.Status}}', 'beats'), 'healthy');
    assert.equal(events.stdout.match(/^destroy$/gm)?.length, 8, 'no event is lost or told twice');
    jump('-3d');
    await daemon.restart();
    assert.equal(await docker.ok('inspect', '-f', '{{.State.Status}}', 'beats'), 'running');
    assert.match(await docker.ok('ps', '--format', '{{.Status}}'), /^Up /);
    await sound(daemon, 'after the jumps');
    jump('+0');
  },
  { timeoutMs: 120_000 },
);

/** A request that takes the daemon memory. */
const spacious = { Image: 'busybox', Labels: { long: 'x'.repeat(4 << 20) } };

/** A memory cgroup of the test's own. */
function memoryGroup(name: string): { admits: string; limit(): void; unlimit(): void; remove(): void } {
  const unified = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const folder = `/sys/fs/cgroup/${unified ? '' : 'memory/'}test-${process.pid}-${name}`;
  const file = join(folder, unified ? 'memory.max' : 'memory.limit_in_bytes');
  mkdirSync(folder);
  return {
    admits: join(folder, 'cgroup.procs'),
    limit: () => {
      const used = Number(readFileSync(join(folder, unified ? 'memory.current' : 'memory.usage_in_bytes'), 'utf8'));
      writeFileSync(file, String(used + (4 << 20)));
    },
    unlimit: () => writeFileSync(file, unified ? 'max' : '-1'),
    remove: () => rmdirSync(folder),
  };
}
