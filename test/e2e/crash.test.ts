/** kill -9 of the daemon at any moment: containers, logs, ports and exit codes survive; the next daemon knows all of it. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownSubnets, sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
import { inventory, processesOf } from '../support/leaks.ts';

const host = await sharedDaemon({ args: ownSubnets(), expectedErrors: [/the monitor of a container is gone/] });
const { scenario } = host;
const inspect = (name: string, template: string): Promise<string> => host.docker.ok('inspect', '-f', template, name);

function answer(port: number): Promise<string> {
  return new Promise((done) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    socket.on('error', () => {});
    socket.on('close', () => done(text.trim()));
  });
}

scenario('running containers run on; ps, exec, logs, stop work after; not one line is missing', async () => {
  const { docker, daemon } = host;
  await docker.ok(
    'run',
    '-d',
    '--name',
    'counter',
    'busybox',
    'sh',
    '-c',
    'i=0; while :; do i=$((i+1)); echo $i; [ $((i % 200)) = 0 ] && sleep 0.02; done',
  );
  const pid = await inspect('counter', '{{.State.Pid}}');
  await sleep(200);
  await daemon.kill();
  await sleep(500);
  await daemon.start();
  assert.equal(await inspect('counter', '{{.State.Status}} {{.State.Pid}}'), `running ${pid}`);
  assert.match(await docker.ok('ps', '--format', '{{.Names}} {{.Status}}'), /^counter Up/);
  assert.equal(await docker.ok('exec', 'counter', 'echo', 'in'), 'in');
  await sleep(100);
  await docker.ok('stop', '-t', '0', 'counter');
  const lines = (await docker.ok('logs', 'counter')).split('\n').map(Number);
  assert.ok(lines.length > 1000, `${lines.length} lines`);
  const gap = lines.findIndex((line, index) => index > 0 && line !== lines[index - 1]! + 1);
  assert.equal(gap, -1, `${lines[gap - 1]} is followed by ${lines[gap]}`);
  await docker.ok('rm', 'counter');
});

scenario('containers that end meanwhile: exit codes, output, policies, --rm', async () => {
  const { docker, daemon } = host;
  const wait = 'sleep 0.7;';
  await docker.ok('run', '-d', '--name', 'ends', 'busybox', 'sh', '-c', `echo first; ${wait} echo last; exit 23`);
  await docker.ok('run', '-d', '--name', 'gone', '--rm', 'busybox', 'sh', '-c', `${wait} exit 1`);
  await docker.ok(
    'run',
    '-d',
    '--name',
    'again',
    '--restart',
    'always',
    'busybox',
    'sh',
    '-c',
    `echo up; ${wait} exit 1`,
  );
  await docker.ok('run', '-d', '--name', 'okonce', '--restart', 'on-failure', 'busybox', 'sh', '-c', wait);
  await docker.ok(
    'run',
    '-d',
    '--name',
    'oomed',
    '-m',
    '16m',
    '--memory-swap',
    '16m',
    'busybox',
    'sh',
    '-c',
    `${wait} tail -n1 /dev/zero`,
  );
  await daemon.kill();
  await sleep(1500);
  await daemon.start();
  assert.equal(await inspect('ends', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 23');
  assert.equal(await docker.ok('logs', 'ends'), 'first\nlast');
  assert.equal(await docker.ok('wait', 'ends'), '23');
  const finished = Date.parse(await inspect('ends', '{{.State.FinishedAt}}'));
  assert.ok(Date.now() - finished < 10_000 && Date.now() - finished > 300, 'the end is when it ended');
  await until(async () => !(await docker.ok('ps', '-a', '--format', '{{.Names}}')).includes('gone'), { what: '--rm' });
  await until(async () => (await docker.ok('logs', 'again')).split('\n').length >= 2, { what: 'the restart' });
  assert.equal(await inspect('okonce', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 0');
  assert.equal(await inspect('oomed', '{{.State.ExitCode}}'), '137');
  await docker.ok('rm', '-f', 'ends', 'again', 'okonce', 'oomed');
});

scenario('a monitor that is late, not gone, is waited for; a signal to what has just ended is no error', async () => {
  const { docker, daemon } = host;
  await docker.ok('run', '-d', '--name', 'late', 'busybox', 'sleep', '600');
  const pid = Number(await inspect('late', '{{.State.Pid}}'));
  const monitor = processesOf([daemon.root]).find(({ line }) => line.includes('conmon'))!.pid;
  await daemon.kill();
  process.kill(monitor, 'SIGSTOP');
  process.kill(pid, 'SIGKILL');
  const starting = daemon.start();
  await sleep(3000);
  process.kill(monitor, 'SIGCONT');
  await starting;
  assert.equal(await inspect('late', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
  await docker.ok('start', 'late');
  const again = Number(await inspect('late', '{{.State.Pid}}'));
  const held = processesOf([daemon.root]).find(({ line }) => line.includes('conmon'))!.pid;
  process.kill(held, 'SIGSTOP');
  process.kill(again, 'SIGKILL');
  await sleep(100);
  const killed = await docker.run(['kill', 'late']);
  assert.match(killed.stderr, /cannot kill container: late: container [0-9a-f]{64} is not running/);
  const stopping = docker.ok('stop', 'late');
  await sleep(300);
  process.kill(held, 'SIGCONT');
  await stopping;
  assert.equal(await inspect('late', '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
  await docker.ok('rm', 'late');
});

scenario('published ports answer without a daemon, and names resolve with the next', async () => {
  const { docker, daemon } = host;
  await docker.ok('network', 'create', 'net');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'srv',
    '--network',
    'net',
    '-p',
    '127.0.0.1::80',
    'busybox',
    'nc',
    '-ll',
    '-p',
    '80',
    '-e',
    'echo',
    'served',
  );
  await docker.ok('run', '-d', '--name', 'cli', '--network', 'net', 'busybox', 'sleep', '600');
  const port = Number((await docker.ok('port', 'srv', '80/tcp')).split(':').pop());
  await until(async () => (await answer(port)) === 'served', { what: 'the port' });
  const ip = await inspect('srv', '{{.NetworkSettings.Networks.net.IPAddress}}');
  await daemon.kill();
  for (let turn = 0; turn < 5; turn++) {
    assert.equal(await answer(port), 'served', 'the port answers without the daemon');
    await sleep(100);
  }
  await daemon.start();
  assert.equal(await answer(port), 'served');
  assert.equal(await docker.ok('exec', 'cli', 'sh', '-c', 'nc -w 2 srv 80 < /dev/null'), 'served');
  assert.equal(await inspect('srv', '{{.NetworkSettings.Networks.net.IPAddress}}'), ip);
  assert.equal(Number((await docker.ok('port', 'srv', '80/tcp')).split(':').pop()), port);
  const other = await docker.ok('run', '-d', '--network', 'net', 'busybox', 'sleep', '600');
  assert.notEqual(
    await inspect(other, '{{.NetworkSettings.Networks.net.IPAddress}}'),
    ip,
    'addresses in use stay taken',
  );
  await docker.ok('rm', '-f', 'srv', 'cli', other);
  await docker.ok('network', 'rm', 'net');
});

scenario('health checks go on, paused stays paused, limits can be changed, attach works', async () => {
  const { docker, daemon } = host;
  await docker.ok(
    'run',
    '-d',
    '--name',
    'sick',
    '--health-cmd',
    'test ! -e /bad',
    '--health-interval',
    '200ms',
    '--health-retries',
    '1',
    'busybox',
    'sleep',
    '600',
  );
  await docker.ok('run', '-d', '--name', 'cold', 'busybox', 'sleep', '600');
  await docker.ok('pause', 'cold');
  await docker.ok('run', '-di', '--name', 'talk', 'busybox', 'sh', '-c', 'while read l; do echo "said $l"; done');
  await until(async () => (await inspect('sick', '{{.State.Health.Status}}')) === 'healthy', { what: 'healthy' });
  await daemon.restart();
  assert.equal(await inspect('cold', '{{.State.Status}}'), 'paused');
  await docker.ok('unpause', 'cold');
  await docker.ok('exec', 'sick', 'touch', '/bad');
  await until(async () => (await inspect('sick', '{{.State.Health.Status}}')) === 'unhealthy', { what: 'unhealthy' });
  await docker.ok('update', '--pids-limit', '33', 'sick');
  {
    await using attached = docker.start('attach', 'talk');
    attached.write('hi\n');
    await attached.saw(/said hi/);
  }
  await docker.ok('rm', '-f', 'sick', 'cold', 'talk');
});

scenario('volumes and images are as they were; half-made things are gone', async () => {
  const { docker, daemon } = host;
  await docker.ok('run', '--rm', '-v', 'keep:/k', 'busybox', 'sh', '-c', 'echo safe > /k/f');
  await daemon.restart();
  assert.equal(await docker.ok('run', '--rm', '-v', 'keep:/k', 'busybox', 'cat', '/k/f'), 'safe');
  await docker.ok('volume', 'rm', 'keep');
});

scenario('what should run is started again, though others that run are probed and forwarded', async () => {
  const { docker, daemon } = host;
  await docker.ok(
    'run',
    '-d',
    '--name',
    'probed',
    '--health-cmd',
    'true',
    '--health-interval',
    '1s',
    'busybox',
    'sleep',
    '600',
  );
  await docker.ok('run', '-d', '--name', 'always', '--restart', 'always', 'busybox', 'sleep', '600');
  const pid = Number(await inspect('always', '{{.State.Pid}}'));
  await daemon.kill();
  process.kill(pid, 'SIGKILL');
  await daemon.start();
  await until(async () => (await inspect('always', '{{.State.Running}}')) === 'true', { what: 'the restart' });
  assert.notEqual(Number(await inspect('always', '{{.State.Pid}}')), pid);
  await docker.ok('rm', '-f', 'probed', 'always');
});

scenario(
  'killed at random moments of run, stop and rm: what is listed works, what is removed is gone',
  async () => {
    const { docker, daemon } = host;
    let seed = 20_240_501;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((seed / 2_147_483_648) * below);
    };
    for (let round = 0; round < 14; round++) {
      const name = `r${round}x`;
      const work = (async () => {
        const { code } = await docker.run([
          'run',
          '-d',
          '--name',
          name,
          '-p',
          '127.0.0.1::80',
          '-v',
          '/anon',
          'busybox',
          'sleep',
          '600',
        ]);
        if (code !== 0) return;
        if ((await docker.run(['stop', '-t', '0', name])).code === 0) await docker.run(['rm', '-v', name]);
      })();
      await sleep(random(260));
      await daemon.kill();
      await work;
      await daemon.start();
      const listed = (await docker.ok('ps', '-a', '--format', '{{.Names}} {{.State}}')).split('\n').filter(Boolean);
      for (const line of listed) {
        const [found = '', state = ''] = line.split(' ');
        assert.equal(found, name);
        assert.match(state, /^(created|running|exited)$/, line);
        if (state === 'running') assert.equal(await docker.ok('exec', found, 'echo', 'ok'), 'ok');
        else await docker.ok('start', found);
        assert.equal(await inspect(found, '{{.State.Running}}'), 'true', `round ${round}`);
        await docker.ok('rm', '-f', '-v', found);
      }
      await docker.ok('run', '--rm', '--name', name, 'busybox', 'true');
      assert.deepEqual(await daemon.verify(), [], `round ${round}: the store is as it should be`);
      assert.deepEqual(
        processesOf([daemon.root]).filter(({ line }) => line.includes('conmon')),
        [],
        `round ${round}: no monitor is left`,
      );
    }
    assert.equal(await docker.ok('ps', '-aq'), '');
    await docker.ok('volume', 'prune', '-af');
    await until(() => ![...inventory().keys()].some((key) => key.startsWith(`mount ${daemon.root}/`)), {
      timeoutMs: 15_000,
      what: 'mounts to go',
    });
  },
  { timeoutMs: 100_000 },
);

scenario('after a reboot: nothing runs, policies start what should run, the rest is exited', async () => {
  const { docker, daemon } = host;
  await docker.ok('run', '-d', '--name', 'plain', 'busybox', 'sleep', '600');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'ever',
    '--restart',
    'always',
    '-p',
    '127.0.0.1::80',
    'busybox',
    'nc',
    '-ll',
    '-p',
    '80',
    '-e',
    'echo',
    'ever',
  );
  await docker.ok('run', '-d', '--name', 'halted', '--restart', 'unless-stopped', 'busybox', 'sleep', '600');
  await docker.ok('stop', '-t', '0', 'halted');
  await docker.ok('run', '-d', '--name', 'temp', '--rm', 'busybox', 'sleep', '600');
  await daemon.kill();
  const pids: number[] = [];
  for (const { pid, line } of processesOf([daemon.root])) {
    assert.match(line, /conmon/);
    pids.push(pid);
  }
  const { readFileSync, readdirSync } = await import('node:fs');
  const children = readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        return pids.includes(Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]));
      } catch {
        return false;
      }
    });
  for (const pid of [...pids, ...children.map(Number)]) process.kill(pid, 'SIGKILL');
  await sleep(200);
  // As after a reboot: nothing of /run is there, nor any mount.
  const mounts = [...inventory().keys()]
    .filter((key) => key.startsWith(`mount ${daemon.root}/`))
    .map((key) => key.slice(6));
  const { execute } = await import('../support/docker.ts');
  for (const mount of mounts.reverse()) await execute('umount', ['-l', mount]);
  rmSync(daemon.execRoot, { recursive: true, force: true });
  await execute('ip', ['link', 'del', daemon.bridge]);
  await daemon.start();
  assert.equal(await inspect('plain', '{{.State.Status}}'), 'exited');
  await until(async () => (await inspect('ever', '{{.State.Status}}')) === 'running', { what: 'always' });
  const port = Number((await docker.ok('port', 'ever', '80/tcp')).split(':').pop());
  await until(async () => (await answer(port)) === 'ever', { what: 'its port' });
  assert.equal(await inspect('halted', '{{.State.Status}}'), 'exited');
  await until(async () => !/temp/.test(await docker.ok('ps', '-a', '--format', '{{.Names}}')), {
    what: '--rm of temp',
  });
  await docker.ok('start', 'plain');
  await docker.ok('rm', '-f', 'plain', 'ever', 'halted');
});
