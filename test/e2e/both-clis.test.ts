/** The stock docker CLI and wherry on one daemon: what both do, both show alike; what only wherry has, it does. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { repository, sharedDaemon } from '../support/daemon.ts';
import type { Docker } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;
let own: Docker | undefined;
function wherry(): Docker {
  own ??= host.daemon.cli(join(repository, 'bin/wherry'));
  return own;
}
const busybox = ['busybox', 'sh', '-c'];

scenario('lists and inspections are the same, letter by letter', async () => {
  const { docker } = host;
  await docker.ok('network', 'create', '--label', 'a=b', 'both-net');
  await docker.ok('volume', 'create', '--label', 'tier=db', 'both-vol');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'both-one',
    '--network',
    'both-net',
    '-v',
    'both-vol:/data',
    '-p',
    '127.0.0.1::80',
    '-l',
    'x=y',
    'busybox',
    'sleep',
    '1000',
  );
  await docker.run(['run', '--name', 'both-two', ...busybox, 'exit 3']);
  const commands = [
    [
      'ps',
      '-a',
      '--format',
      '{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}} {{.Labels}} {{.Mounts}} {{.Networks}} {{.Ports}}',
    ],
    ['ps', '-aq', '--no-trunc'],
    ['ps', '-a', '--filter', 'exited=3', '--format', 'table {{.Names}}\t{{.Image}}'],
    ['ps', '--format', 'json', '--no-trunc', '--filter', 'name=nobody'],
    ['images'],
    ['images', '--digests', '--no-trunc'],
    ['images', '--format', '{{json .}}'],
    ['network', 'ls', '--no-trunc'],
    ['network', 'ls', '--format', '{{.Name}}/{{.Driver}}/{{.Internal}}/{{.Labels}}'],
    ['network', 'inspect', 'both-net'],
    ['volume', 'ls'],
    ['volume', 'inspect', 'both-vol'],
    ['inspect', 'both-one'],
    [
      'inspect',
      '-f',
      '{{.State.ExitCode}} {{range .Mounts}}{{.Name}}:{{.Destination}}{{end}} {{json .Config.Labels}}',
      'both-two',
      'both-one',
    ],
    ['inspect', '--type', 'image', 'busybox'],
    ['history', 'busybox'],
    ['history', '--no-trunc', '--format', '{{.ID}} {{.CreatedBy}} {{.Size}}', 'busybox'],
    ['port', 'both-one'],
    ['diff', 'both-one'],
    ['logs', 'both-two'],
    ['top', 'both-one', '-o', 'pid,comm'],
    ['info', '--format', '{{.ServerVersion}} {{.Driver}} {{json .Plugins}}'],
    ['version', '--format', '{{.Server.Version}} {{.Server.APIVersion}}'],
  ];
  // What is shown depends on the version spoken: an older stock command line shows no counts of containers, say.
  const env = { DOCKER_API_VERSION: await docker.ok('version', '--format', '{{.Client.APIVersion}}') };
  for (const command of commands) {
    const [theirs, ours] = [await docker.run(command), await wherry().run(command, { env })];
    assert.equal(ours.stdout, theirs.stdout, command.join(' '));
    assert.equal(ours.code, theirs.code, command.join(' '));
  }
  const rows = ['system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}'] as const;
  const [theirs, ours] = [await docker.ok(...rows), await wherry().ok(...rows)];
  assert.ok(ours.startsWith(`${theirs}\nImage Archives `), 'df: Docker’s rows, then those that make the sum');
  await docker.ok('rm', '-f', '-t', '0', 'both-one').catch(() => docker.ok('rm', '-f', 'both-one'));
  await docker.ok('rm', 'both-two');
  await docker.ok('network', 'rm', 'both-net');
  await docker.ok('volume', 'rm', 'both-vol');
});

scenario('failures have the same exit code and the same core of words', async () => {
  const { docker } = host;
  await docker.ok('create', '--name', 'both-made', 'busybox', 'true');
  const commands: [string[], RegExp][] = [
    [['run', '--rm', 'busybox', 'nosuch'], /executable file not found in \$PATH/],
    [['run', '--rm', ...busybox, 'exit 42'], /^$/],
    [['run', '--bogus', 'busybox'], /unknown flag: --bogus/],
    [['run', '--name', 'both-made', 'busybox'], /The container name "\/both-made" is already in use/],
    [['run', '-v', 'rel/x:/y', 'busybox'], /includes invalid characters for a local volume name/],
    [['exec', 'both-made', 'true'], /is not running/],
    [['inspect', 'nobody'], /[Nn]o such object: nobody/],
    [['rm', 'nobody'], /No such container: nobody/],
    [['rmi', 'nobody'], /No such image: nobody/],
    [['network', 'rm', 'nobody'], /network nobody not found/],
    [['volume', 'rm', 'nobody'], /no such volume/],
    [['kill', 'both-made'], /is not running/],
    [['ps', '--filter', 'bogus=1'], /invalid filter 'bogus'/],
    [['cp', 'both-made:/nowhere', '-'], /Could not find the file \/nowhere/],
  ];
  for (const [command, words] of commands) {
    const [theirs, ours] = [await docker.run(command), await wherry().run(command)];
    assert.equal(ours.code, theirs.code, `${command.join(' ')}: ${ours.stderr}`);
    if (words.source === '^$') continue;
    assert.match(theirs.stderr, words, `docker ${command.join(' ')}`);
    assert.match(ours.stderr, words, `wherry ${command.join(' ')}`);
  }
  await docker.ok('rm', 'both-made');
});

scenario('wherry runs, attaches, execs, copies and removes', async () => {
  const { docker } = host;
  assert.equal(await wherry().ok('run', '--rm', '-e', 'A=1', '-w', '/tmp', ...busybox, 'echo $A; pwd'), '1\n/tmp');
  assert.equal(
    (await wherry().run(['run', '--rm', '-i', 'busybox', 'cat'], { input: 'through stdin' })).stdout,
    'through stdin',
  );
  await wherry().ok(
    'run',
    '-d',
    '--name',
    'mine',
    '--restart',
    'unless-stopped',
    '-p',
    '127.0.0.1::80',
    'busybox',
    'sleep',
    '1000',
  );
  assert.equal(
    await docker.ok('inspect', '-f', '{{index .HostConfig.Annotations "io.wherry.restart-unhealthy"}}', 'mine'),
    'true',
  );
  assert.match(await wherry().ok('ps'), /EXPOSURE[\s\S]*loopback/);
  assert.equal(await wherry().ok('exec', 'mine', 'echo', 'inside'), 'inside');
  await wherry().ok('exec', 'mine', 'sh', '-c', 'echo content > /tmp/file');
  assert.ok((await wherry().bytes(['cp', 'mine:/tmp/file', '-'])).stdout.includes('content'));
  assert.match((await wherry().run(['stop', '-t', '1', 'mine'])).stderr, /was killed/);
  await wherry().ok('rm', 'mine');
  assert.equal(await wherry().ok('ps', '-aq'), '');
});

scenario('what only wherry has: volumes renamed and brought back', async () => {
  await wherry().ok('volume', 'create', 'notes');
  await wherry().ok('run', '--rm', '-v', 'notes:/n', ...busybox, 'echo kept > /n/f');
  await wherry().ok('volume', 'rename', 'notes', 'journal');
  await wherry().ok('volume', 'rm', 'journal');
  assert.match(await wherry().ok('volume', 'trash'), /^journal /m);
  await wherry().ok('volume', 'restore', 'journal');
  assert.equal(await wherry().ok('run', '--rm', '-v', 'journal:/n', 'busybox', 'cat', '/n/f'), 'kept');
  await wherry().ok('volume', 'rm', 'journal');
});

scenario('help teaches, completion completes', async () => {
  assert.match(await wherry().ok('--help'), /Common Commands:[\s\S]*run\s+Create and run/);
  assert.match(await wherry().ok('run', '--help'), /--publish[\s\S]*Examples:/);
  assert.match(await wherry().ok('completion', 'bash'), /complete/);
  assert.match(await wherry().ok('__complete', 'ru'), /^run\b/m);
  const typo = await wherry().run(['rnu']);
  assert.match(typo.stderr, /unknown command|is not a (docker|wherry) command/);
  assert.notEqual(typo.code, 0);
});
