/**
 * A host with the unified hierarchy alone, as far as this one can play it: a mount namespace whose /sys/fs/cgroup is the v2 tree. Where
 * v1 has the controllers, the v2 tree has none of them, so limits are discarded with Docker's warnings; all else is as on a v2 host.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { sharedDaemon } from '../support/daemon.ts';

const unified = '/sys/fs/cgroup/unified';
const plainV2 = statfsSync('/sys/fs/cgroup').type === 0x63677270;
const skip = plainV2 || existsSync(unified) ? undefined : 'this host has no cgroup v2 tree';
const takeV1Away =
  'mount --make-rslave / && mount --bind "$0" /mnt && umount -l /sys/fs/cgroup && mount --move /mnt /sys/fs/cgroup && exec "$@"';
const launcher = plainV2 || skip !== undefined ? [] : ['unshare', '-m', 'sh', '-c', takeV1Away, unified];
const host = await sharedDaemon({ launcher, expectedErrors: [/request failed.*(NanoCPUs|pids\.max)/] });
const controllers = plainV2
  ? readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8')
  : readFileSync(`${unified}/cgroup.controllers`, 'utf8');

host.scenario(
  'it says so, and picks a runtime that can run here',
  async () => {
    assert.equal(await host.docker.ok('info', '-f', '{{.CgroupVersion}} {{.CgroupDriver}}'), '2 cgroupfs');
    assert.equal(await host.docker.ok('run', '--rm', 'busybox', 'echo', 'hi'), 'hi');
    // A private cgroup namespace is v2's default: the container sees itself as the root.
    assert.match(await host.docker.ok('run', '--rm', 'busybox', 'cat', '/proc/self/cgroup'), /^0::\/$/m);
    assert.match(
      await host.docker.ok('run', '--rm', '--cgroupns', 'host', 'busybox', 'cat', '/proc/self/cgroup'),
      /^0::\/wherry-[0-9a-f]{8}\/[0-9a-f]{64}$/m,
    );
  },
  { skip },
);

host.scenario(
  'exec, pause, top, stats, kill, restart',
  async () => {
    await host.docker.ok('run', '-d', '--name', 'box', 'busybox', 'sleep', '1000');
    assert.equal(await host.docker.ok('exec', 'box', 'echo', 'in'), 'in');
    await host.docker.ok('pause', 'box');
    assert.match(await host.docker.ok('ps', '--format', '{{.Status}}'), /Paused/);
    await host.docker.ok('unpause', 'box');
    assert.match(await host.docker.ok('top', 'box'), /sleep 1000/);
    assert.match(await host.docker.ok('stats', '--no-stream', '--format', '{{.Name}} {{.CPUPerc}}', 'box'), /^box \d/);
    await host.docker.ok('restart', '-t', '0', 'box');
    await host.docker.ok('kill', 'box');
    assert.equal(await host.docker.ok('wait', 'box'), '137');
    await host.docker.ok('rm', 'box');
  },
  { skip },
);

host.scenario(
  'devices are guarded by a program',
  async () => {
    const script = 'mknod /tmp/n c 1 3 && echo x > /tmp/n && echo null; mknod /tmp/d b 8 0; head -c1 /tmp/d';
    const { stdout, stderr } = await host.docker.run(['run', '--rm', 'busybox', 'sh', '-c', script]);
    assert.equal(stdout, 'null\n');
    assert.match(stderr, /\/tmp\/d: Operation not permitted/);
  },
  { skip },
);

host.scenario(
  'limits whose controller is missing are left out with a warning',
  async () => {
    const created = await host.docker.run([
      'run',
      '--rm',
      '-m',
      '64m',
      '--cpu-shares',
      '512',
      'busybox',
      'echo',
      'ran',
    ]);
    assert.equal(created.stdout, 'ran\n');
    assert.match(created.stderr, /does not support memory limit capabilities.*Limitation discarded/);
    assert.match(created.stderr, /does not support CPU shares.*Shares discarded/);
    const refused = await host.docker.run(['run', '--rm', '--cpus', '0.5', 'busybox', 'true']);
    assert.equal(refused.code, 125);
    assert.match(refused.stderr, /NanoCPUs can not be set/);
  },
  { skip: skip ?? (/\bmemory\b/.test(controllers) ? 'this host has the controllers' : undefined) },
);

host.scenario(
  'the daemon is killed: containers run on and are adopted',
  async () => {
    await host.docker.ok('run', '-d', '--name', 'on', 'busybox', 'sh', '-c', 'sleep 2; echo later; exit 3');
    await host.daemon.restart();
    assert.equal(await host.docker.ok('wait', 'on'), '3');
    assert.equal(await host.docker.ok('logs', 'on'), 'later');
    await host.docker.ok('rm', 'on');
  },
  { skip },
);
