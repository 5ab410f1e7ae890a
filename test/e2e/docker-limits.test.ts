/** Resource limits: applied, visible, changed live; OOM reported. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;
const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');

/** A file of a container's cgroup, v1 or v2 name. */
async function limit(name: string, controller: string, v1: string, modern: string): Promise<string> {
  const pid = await host.docker.inspect<number>(name, '.State.Pid');
  const line = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .split('\n')
    .map((each) => each.split(':'))
    .find((fields) => (v2 ? fields[0] === '0' : fields[1]!.split(',').includes(controller)))!;
  return readFileSync(join('/sys/fs/cgroup', v2 ? '' : controller, line[2]!, v2 ? modern : v1), 'utf8').trim();
}

scenario('memory, reservation, cpus, shares, cpuset, pids: in the cgroup and in inspect', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '-d',
    '--name',
    'lim',
    '-m',
    '64m',
    '--memory-reservation',
    '32m',
    '--cpus',
    '0.5',
    '-c',
    '512',
    '--cpuset-cpus',
    '0',
    '--pids-limit',
    '50',
    'busybox',
    'sleep',
    '600',
  );
  assert.equal(await limit('lim', 'memory', 'memory.limit_in_bytes', 'memory.max'), String(64 << 20));
  assert.equal(await limit('lim', 'memory', 'memory.soft_limit_in_bytes', 'memory.low'), String(32 << 20));
  assert.match(await limit('lim', 'cpu', 'cpu.cfs_quota_us', 'cpu.max'), /^50000/);
  assert.equal(await limit('lim', 'cpuset', 'cpuset.cpus', 'cpuset.cpus'), '0');
  assert.equal(await limit('lim', 'pids', 'pids.max', 'pids.max'), '50');
  assert.deepEqual(await docker.inspect('lim', '.HostConfig.NanoCpus'), 500_000_000);
  assert.deepEqual(await docker.inspect('lim', '.HostConfig.CpuShares'), 512);
  if (!v2) assert.equal(await limit('lim', 'cpu', 'cpu.shares', ''), '512');
  const stats = JSON.parse(await docker.ok('stats', '--no-stream', '--format', '{{json .}}', 'lim')) as Record<
    string,
    string
  >;
  assert.match(stats['MemUsage']!, / \/ 64MiB$/);
  assert.equal(stats['Name'], 'lim');
  assert.equal(stats['PIDs'], '1');
});

scenario('update changes a running container, and says so', async () => {
  const { docker } = host;
  assert.equal(
    await docker.ok(
      'update',
      '-m',
      '96m',
      '--memory-swap',
      '-1',
      '--cpus',
      '0.25',
      '--pids-limit',
      '20',
      '--restart',
      'on-failure:3',
      'lim',
    ),
    'lim',
  );
  assert.equal(await limit('lim', 'memory', 'memory.limit_in_bytes', 'memory.max'), String(96 << 20));
  assert.match(await limit('lim', 'cpu', 'cpu.cfs_quota_us', 'cpu.max'), /^25000/);
  assert.equal(await limit('lim', 'pids', 'pids.max', 'pids.max'), '20');
  assert.deepEqual(await docker.inspect('lim', '.HostConfig.RestartPolicy'), {
    Name: 'on-failure',
    MaximumRetryCount: 3,
  });
  assert.match(await docker.fails('update', '-m', '1m', 'lim'), /Minimum memory limit allowed is 6MB/);
  await docker.ok('rm', '-f', 'lim');
});

scenario('the pids limit holds', async () => {
  const { stderr } = await host.docker.run([
    'run',
    '--rm',
    '--pids-limit',
    '5',
    'busybox',
    'sh',
    '-c',
    'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait',
  ]);
  assert.match(stderr, /can't fork|Resource temporarily unavailable/);
});

scenario('out of memory: killed, reported by inspect and event', async () => {
  const { docker } = host;
  await using events = docker.start(
    'events',
    '--filter',
    'event=oom',
    '--format',
    '{{.Action}} {{.Actor.Attributes.name}}',
  );
  // tail keeps one endless line in memory.
  const { code } = await docker.run([
    'run',
    '--name',
    'oom',
    '-m',
    '16m',
    '--memory-swap',
    '16m',
    'busybox',
    'sh',
    '-c',
    'tail -n1 /dev/zero',
  ]);
  assert.equal(code, 137);
  assert.equal(await docker.inspect('oom', '.State.OOMKilled'), true);
  await events.saw(/oom oom/);
  await docker.ok('rm', 'oom');
});

scenario('block I/O weight and device limits are accepted where the kernel has them', async () => {
  const { code, stderr } = await host.docker.run(['run', '--rm', '--blkio-weight', '300', 'busybox', 'true']);
  assert.equal(code, 0, stderr);
});

scenario('cpu time shows in stats', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'busy', '--cpus', '0.3', 'busybox', 'sh', '-c', 'while :; do :; done');
  await until(
    async () => {
      const percent = await docker.ok('stats', '--no-stream', '--format', '{{.CPUPerc}}', 'busy');
      return parseFloat(percent) > 10 && parseFloat(percent) < 60;
    },
    { timeoutMs: 20_000, what: 'about 30 % of one CPU' },
  );
  await docker.ok('rm', '-f', 'busy');
});
