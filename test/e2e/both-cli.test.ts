/** Our CLI and the stock one drive the same daemon: what one makes, the other sees. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { repository, sharedDaemon } from '../support/daemon.ts';

const host = await sharedDaemon({ env: {} });

host.scenario('wherry and docker on one daemon', async () => {
  const { daemon, docker } = host;
  const wherry = daemon.cli(join(repository, 'bin/wherry'));
  const env = { WHERRY_SOURCE: '1' };
  assert.equal(
    (await wherry.run(['run', '-d', '--name', 'ours', 'busybox', 'sh', '-c', 'echo said; exec sleep 600'], { env }))
      .code,
    0,
  );
  assert.equal(await docker.ok('ps', '--format', '{{.Names}}'), 'ours');
  assert.equal(await docker.ok('logs', 'ours'), 'said');
  assert.equal((await wherry.run(['exec', 'ours', 'echo', 'in'], { env })).stdout, 'in\n');
  await docker.ok('run', '-d', '--name', 'theirs', 'busybox', 'sleep', '600');
  const format = ['ps', '-a', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.State}}'];
  assert.equal((await wherry.run(format, { env })).stdout, (await docker.run(format)).stdout);
  assert.equal((await wherry.run(['stop', '-t', '0', 'theirs'], { env })).stdout, 'theirs\n');
  assert.equal(await docker.ok('inspect', '-f', '{{.State.ExitCode}}', 'theirs'), '137');
  const { code, stderr } = await wherry.run(['run', '--rm', 'busybox', 'nope'], { env });
  assert.equal(code, 127);
  assert.match(stderr, /executable file not found in \$PATH/);
  assert.equal((await wherry.run(['rm', '-f', 'ours', 'theirs'], { env })).code, 0);
  assert.equal(await docker.ok('ps', '-aq'), '');
});
