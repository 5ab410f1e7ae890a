/** The life of containers through the stock CLI: states, signals, restarts, health, waits, removal, prune. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;
const state = (name: string): Promise<string> => host.docker.ok('inspect', '-f', '{{.State.Status}}', name);

scenario('create, start, stop, start, restart, kill, rm: states, codes and refusals', async () => {
  const { docker } = host;
  await docker.ok(
    'create',
    '--name',
    'life',
    '--stop-timeout',
    '1',
    'busybox',
    'sh',
    '-c',
    'trap "exit 5" TERM; while :; do sleep 0.1; done',
  );
  assert.equal(await state('life'), 'created');
  assert.equal(await docker.ok('start', 'life'), 'life');
  assert.equal(await state('life'), 'running');
  assert.match(
    await docker.fails('rm', 'life'),
    /cannot remove container "\/life": container is running: stop the container before removing or force remove/,
  );
  assert.equal(await docker.ok('stop', 'life'), 'life');
  assert.deepEqual(await docker.inspect('life', '.State.ExitCode'), 5);
  assert.equal(await docker.ok('stop', 'life'), 'life', 'stopping a stopped one is fine');
  assert.match(
    await docker.fails('kill', 'life'),
    /cannot kill container: life: container [0-9a-f]{64} is not running/,
  );
  const before = await docker.inspect<string>('life', '.State.StartedAt');
  assert.equal(await docker.ok('restart', '-t', '0', 'life'), 'life');
  assert.ok((await docker.inspect<string>('life', '.State.StartedAt')) > before);
  assert.equal(await docker.ok('kill', '-s', 'KILL', 'life'), 'life');
  await until(async () => (await state('life')) === 'exited', { what: 'exit' });
  assert.deepEqual(await docker.inspect('life', '.State.ExitCode'), 137);
  assert.match(await docker.fails('kill', '-s', 'NOPE', 'life'), /[Ii]nvalid signal: NOPE/);
  assert.equal(await docker.ok('rm', 'life'), 'life');
  assert.match(await docker.fails('start', 'life'), /No such container: life/);
  assert.match(await docker.fails('rm', 'life'), /No such container: life/);
});

scenario('stop: the signal of the container or of -s, the grace of -t, then KILL', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '-d',
    '--name',
    'sig',
    '--stop-signal',
    'USR1',
    'busybox',
    'sh',
    '-c',
    'trap "exit 11" USR1; trap "exit 12" INT; while :; do sleep 0.1; done',
  );
  await sleep(200);
  await docker.ok('stop', 'sig');
  assert.equal(await docker.inspect('sig', '.State.ExitCode'), 11);
  await docker.ok('start', 'sig');
  await sleep(200);
  await docker.ok('stop', '-s', 'INT', 'sig');
  assert.equal(await docker.inspect('sig', '.State.ExitCode'), 12);
  await docker.ok('run', '-d', '--name', 'deaf', 'busybox', 'sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done');
  const started = performance.now();
  await docker.ok('stop', '-t', '1', 'deaf');
  const took = performance.now() - started;
  assert.ok(took > 900 && took < 9000, `${took} ms`);
  assert.equal(await docker.inspect('deaf', '.State.ExitCode'), 137);
  await docker.ok('rm', 'sig', 'deaf');
});

scenario('pause and unpause freeze for real', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'ice', 'busybox', 'sh', '-c', 'while :; do date +%s%N; sleep 0.05; done');
  assert.equal(await docker.ok('pause', 'ice'), 'ice');
  assert.equal(await state('ice'), 'paused');
  const count = (await docker.ok('logs', 'ice')).length;
  await sleep(300);
  assert.equal((await docker.ok('logs', 'ice')).length, count);
  assert.match(await docker.ok('ps', '--format', '{{.Status}}'), /\(Paused\)/);
  assert.match(await docker.fails('pause', 'ice'), /is already paused/);
  assert.match(await docker.fails('exec', 'ice', 'true'), /is paused/);
  assert.equal(await docker.ok('unpause', 'ice'), 'ice');
  await until(async () => (await docker.ok('logs', 'ice')).length > count, { what: 'it to go on' });
  assert.match(await docker.fails('unpause', 'ice'), /is not paused/);
  await docker.ok('pause', 'ice');
  await docker.ok('rm', '-f', 'ice');
});

scenario('rename, and the names of others', async () => {
  const { docker } = host;
  await docker.ok('create', '--name', 'one', 'busybox');
  await docker.ok('create', '--name', 'two', 'busybox');
  await docker.ok('rename', 'one', 'uno');
  assert.match(await docker.fails('rename', 'uno', 'two'), /Conflict\. The container name "\/two" is already in use/);
  assert.match(await docker.fails('rename', 'one', 'x1'), /No such container: one/);
  const id = await docker.ok('inspect', '-f', '{{.Id}}', 'uno');
  assert.equal(await docker.ok('inspect', '-f', '{{.Name}}', id.slice(0, 6)), '/uno');
  await docker.ok('rm', 'uno', 'two');
});

scenario('wait: returns the code, for those that ended already, too', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'wt', 'busybox', 'sh', '-c', 'sleep 0.5; exit 3');
  assert.equal(await docker.ok('wait', 'wt'), '3');
  assert.equal(await docker.ok('wait', 'wt'), '3');
  await docker.ok('rm', 'wt');
});

scenario('--rm removes container, name and anonymous volumes, however it ends', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--rm', '--name', 'gone', '-v', '/v', 'busybox', 'sleep', '600');
  await docker.ok('kill', 'gone');
  await until(async () => (await docker.ok('ps', '-aq')) === '', { what: 'the removal' });
  assert.equal(await docker.ok('volume', 'ls', '-q'), '');
  await docker.ok('run', '--rm', '--name', 'gone', 'busybox', 'true');
});

scenario('restart policies: on-failure counts, always goes on, a stop stays', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'fail', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'exit 9');
  await until(async () => (await state('fail')) === 'exited' && (await docker.inspect('fail', '.RestartCount')) === 2, {
    what: 'two restarts',
  });
  assert.equal(await docker.inspect('fail', '.State.ExitCode'), 9);
  await docker.ok('run', '-d', '--name', 'zero', '--restart', 'on-failure', 'busybox', 'true');
  await sleep(500);
  assert.equal(await state('zero'), 'exited');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'ever',
    '--restart',
    'always',
    'busybox',
    'sh',
    '-c',
    'echo life; sleep 0.2; exit 1',
  );
  await until(async () => (await docker.inspect<number>('ever', '.RestartCount')) >= 3, { what: 'restarts' });
  assert.ok((await docker.ok('logs', 'ever')).split('\n').length >= 3, 'the log goes on');
  await docker.ok('stop', 'ever');
  const count = await docker.inspect('ever', '.RestartCount');
  await sleep(1000);
  assert.equal(await state('ever'), 'exited');
  assert.equal(await docker.inspect('ever', '.RestartCount'), count);
  await docker.ok('rm', 'fail', 'zero', 'ever');
});

scenario('restarts back off, and show as Restarting', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'back', '--restart', 'unless-stopped', 'busybox', 'false');
  await sleep(2500);
  const count = await docker.inspect<number>('back', '.RestartCount');
  assert.ok(count >= 3 && count <= 6, `100 + 200 + 400 + 800 ms …: ${count}`);
  await until(async () => (await state('back')) === 'restarting', { what: 'state restarting' });
  assert.match(await docker.ok('ps', '--format', '{{.Status}}'), /^Restarting \(1\)/);
  await docker.ok('rm', '-f', 'back');
});

scenario('rm -f takes a container that is being started, by a person or by its policy', async () => {
  const { docker } = host;
  for (let round = 0; round < 16; round++) {
    await docker.ok('create', '--name', 'asked', 'busybox', 'sleep', '600');
    await docker.ok('run', '-d', '--name', 'again', '--restart', 'always', 'busybox', 'true');
    const starting = docker.run(['start', 'asked']);
    await sleep(round * 12);
    await docker.ok('rm', '-f', 'asked', 'again');
    await starting;
    assert.equal(await docker.ok('ps', '-aq'), '', `round ${round}`);
  }
});

scenario('health: starting, healthy, unhealthy, start period, events, ps', async () => {
  const { docker } = host;
  await using events = docker.start('events', '--filter', 'container=hc', '--format', '{{.Action}}');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'hc',
    '--health-cmd',
    'test -e /ok',
    '--health-interval',
    '300ms',
    '--health-retries',
    '2',
    '--health-timeout',
    '2s',
    '--health-start-period',
    '1s',
    '--health-start-interval',
    '100ms',
    'busybox',
    'sleep',
    '600',
  );
  const health = (): Promise<string> => docker.ok('inspect', '-f', '{{.State.Health.Status}}', 'hc');
  assert.equal(await health(), 'starting');
  await sleep(600);
  assert.equal(await health(), 'starting', 'failures in the start period do not count');
  await docker.ok('exec', 'hc', 'touch', '/ok');
  await until(async () => (await health()) === 'healthy', { what: 'healthy' });
  assert.match(await docker.ok('ps', '--format', '{{.Status}}', '--filter', 'health=healthy'), /\(healthy\)$/);
  await docker.ok('exec', 'hc', 'rm', '/ok');
  await until(async () => (await health()) === 'unhealthy', { what: 'unhealthy' });
  const log = await docker.inspect<{ ExitCode: number }[]>('hc', '.State.Health.Log');
  assert.equal(log.at(-1)!.ExitCode, 1);
  assert.ok(log.length <= 5);
  await events.saw(/health_status: healthy[\s\S]*health_status: unhealthy/);
  await docker.ok('rm', '-f', 'hc');
  await docker.ok('run', '-d', '--name', 'nohc', '--no-healthcheck', 'busybox', 'sleep', '600');
  assert.equal(await docker.ok('inspect', '-f', '{{json .State.Health}}', 'nohc'), 'null');
  await docker.ok('rm', '-f', 'nohc');
});

scenario('exec: options, codes, detach, stdin, privileges', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'ex', '-e', 'A=outer', '-w', '/tmp', 'busybox', 'sleep', '600');
  assert.equal(
    await docker.ok('exec', '-e', 'B=inner', 'ex', 'sh', '-c', 'echo $A $B; pwd; id -u'),
    'outer inner\n/tmp\n0',
  );
  assert.equal(
    await docker.ok('exec', '-w', '/etc', '-u', '33:50', 'ex', 'sh', '-c', 'pwd; id -u; id -g'),
    '/etc\n33\n50',
  );
  assert.equal((await docker.run(['exec', 'ex', 'sh', '-c', 'exit 42'])).code, 42);
  const missing = await docker.run(['exec', 'ex', 'nope']);
  assert.equal(missing.code, 127);
  assert.match(missing.stdout, /exec: "nope": executable file not found in \$PATH/);
  const refused = await docker.run(['exec', 'ex', '/etc/passwd']);
  assert.equal(refused.code, 126);
  assert.match(refused.stdout, /permission denied/);
  assert.equal((await docker.run(['exec', '-i', 'ex', 'cat'], { input: 'through' })).stdout, 'through');
  assert.equal(await docker.ok('exec', '-d', 'ex', 'sh', '-c', 'echo done > /tmp/done'), '');
  await until(async () => (await docker.run(['exec', 'ex', 'cat', '/tmp/done'])).stdout === 'done\n', {
    what: 'the detached exec',
  });
  assert.notEqual(
    await docker.ok('exec', '--privileged', 'ex', 'grep', 'CapEff', '/proc/self/status'),
    await docker.ok('exec', 'ex', 'grep', 'CapEff', '/proc/self/status'),
  );
  const { stdout, stderr } = await docker.run(['exec', 'ex', 'sh', '-c', 'echo o; echo e >&2']);
  assert.deepEqual([stdout, stderr], ['o\n', 'e\n']);
  await docker.ok('stop', '-t', '0', 'ex');
  assert.match(await docker.fails('exec', 'ex', 'true'), /container [0-9a-f]{64} is not running/);
  await docker.ok('rm', 'ex');
});

scenario('many at once: runs and execs side by side', async () => {
  const { docker } = host;
  const outputs = await Promise.all(
    Array.from({ length: 12 }, (_, index) => docker.ok('run', '--rm', 'busybox', 'echo', String(index))),
  );
  assert.deepEqual(
    outputs,
    Array.from({ length: 12 }, (_, index) => String(index)),
  );
  await docker.ok('run', '-d', '--name', 'many', 'busybox', 'sleep', '600');
  const execs = await Promise.all(
    Array.from({ length: 12 }, (_, index) => docker.ok('exec', 'many', 'echo', String(index))),
  );
  assert.deepEqual(execs, outputs);
  await docker.ok('rm', '-f', 'many');
});

scenario('container prune and system prune take what is stopped', async () => {
  const { docker } = host;
  const dead = await docker.ok('create', '--label', 'keep=no', 'busybox');
  const kept = await docker.ok('create', '--label', 'keep=yes', 'busybox');
  await docker.ok('run', '-d', '--name', 'alive', 'busybox', 'sleep', '600');
  assert.match(await docker.ok('container', 'prune', '-f', '--filter', 'label!=keep=yes'), new RegExp(dead));
  assert.equal((await docker.ok('ps', '-aq', '--no-trunc')).includes(kept), true);
  await docker.ok('network', 'create', 'unused');
  const pruned = await docker.ok('system', 'prune', '-f');
  assert.match(pruned, new RegExp(`Deleted Containers:\n${kept}`));
  assert.match(pruned, /Deleted Networks:\nunused/);
  assert.equal(await state('alive'), 'running');
  await docker.ok('rm', '-f', 'alive');
});
