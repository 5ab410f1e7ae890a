/** Terminals: TTY, resize, attach, detach keys, through a pseudo terminal. */
import assert from 'node:assert/strict';
import { sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;

scenario('run -it: a terminal with the size of ours, Ctrl-D and Ctrl-C', async () => {
  await using shell = host.docker.terminal('run', '--rm', '-it', 'busybox', 'sh');
  shell.write('tty; stty size; echo $TERM\n');
  await shell.saw(/\/dev\/(pts\/\d|console)[\s\S]*30 90[\s\S]*xterm/);
  shell.write('sleep 100\n');
  await shell.saw(/sleep 100/);
  await until(async () => (await host.docker.run(['ps', '-q'])).stdout !== '', { what: 'the container' });
  shell.write('\u0003');
  shell.write('echo after-$?\n');
  await shell.saw(/after-130/);
  shell.write('\u0004');
  assert.equal(await shell.ended(), 0);
});

scenario('the exit code of a terminal container', async () => {
  await using shell = host.docker.terminal(
    'run',
    '--rm',
    '-it',
    'busybox',
    'sh',
    '-c',
    'echo out; echo err >&2; exit 6',
  );
  assert.equal(await shell.ended(), 6);
  assert.match(shell.stdout, /out\r\nerr\r\n/, 'both streams are one, with carriage returns');
});

scenario('detach keys leave it running, attach comes back', async () => {
  const { docker } = host;
  {
    await using first = docker.terminal('run', '-it', '--name', 'det', 'busybox', 'sh');
    first.write('echo here-$((40+2))\n');
    await first.saw(/here-42/);
    first.write('\u0010\u0011');
    await first.ended(5000);
  }
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', 'det'), 'true');
  {
    await using again = docker.terminal('attach', '--detach-keys', 'ctrl-a,x', 'det');
    again.write('echo back-$((40+3))\n');
    await again.saw(/back-43/);
    again.write('\u0001x');
    await again.ended(5000);
  }
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', 'det'), 'true');
  {
    await using exec = docker.terminal('exec', '-it', 'det', 'sh');
    exec.write('stty size; exit 7\n');
    assert.equal(await exec.ended(), 7);
  }
  assert.match(await docker.ok('logs', 'det'), /here-42[\s\S]*back-43/);
  await docker.ok('rm', '-f', 'det');
});

scenario('resize reaches the program', async () => {
  const { docker, daemon } = host;
  await docker.ok(
    'run',
    '-dit',
    '--name',
    'size',
    'busybox',
    'sh',
    '-c',
    'trap "stty size" WINCH; while :; do sleep 0.1; done',
  );
  await until(
    async () => {
      const { status } = await daemon.api('POST', '/containers/size/resize?h=33&w=77');
      return status === 200 && /33 77/.test(await docker.ok('logs', 'size'));
    },
    { what: 'the new size' },
  );
  assert.equal((await daemon.api('POST', '/containers/size/resize?h=x&w=7')).status, 400);
  await docker.ok('rm', '-f', 'size');
  assert.equal((await daemon.api('POST', '/containers/size/resize?h=3&w=7')).status, 404);
});

scenario('attach without a terminal: output from now on, stdin, signals by proxy', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '-di',
    '--name',
    'att',
    'busybox',
    'sh',
    '-c',
    'trap "echo got term; exit 4" TERM; while read line; do echo "line $line"; done',
  );
  {
    await using attached = docker.start('attach', 'att');
    attached.write('one\n');
    await attached.saw(/line one/);
    // The client may leave the stream at a SIGTERM of its own, so that what comes after is in the log and not always here.
    attached.child.kill('SIGTERM');
    assert.equal(await attached.ended(), 4);
  }
  assert.equal(await docker.ok('logs', 'att'), 'line one\ngot term');
  assert.match(await docker.fails('attach', 'att'), /cannot attach to a stopped container/);
  await docker.ok('rm', '-f', 'att');
});

scenario('start -ai gives stdin to a created container', async () => {
  const { docker } = host;
  await docker.ok('create', '-i', '--name', 'sai', 'busybox', 'cat');
  const { stdout, code } = await docker.run(['start', '-ai', 'sai'], { input: 'fed\n' });
  assert.deepEqual([stdout, code], ['fed\n', 0]);
  await docker.ok('rm', 'sai');
});
