/** What the stock CLI shows: logs, events, stats, top, ps, inspect, system df, info, version. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;

scenario('logs: streams, tail, timestamps, since, until, details, follow', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '--name',
    'log',
    'busybox',
    'sh',
    '-c',
    'for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; sleep 0.02; done; printf tail',
  );
  const { stdout, stderr } = await docker.run(['logs', 'log']);
  assert.equal(stdout, 'out1\nout2\nout3\nout4\nout5\ntail');
  assert.equal(stderr, 'err1\nerr2\nerr3\nerr4\nerr5\n');
  assert.equal((await docker.run(['logs', '-n', '1', 'log'])).stdout, 'tail');
  const tail = await docker.run(['logs', '--tail', '3', 'log']);
  assert.equal((tail.stdout + tail.stderr).split(/\n|(?<=tail)/).filter(Boolean).length, 3);
  const stamped = (await docker.ok('logs', '-t', 'log')).split('\n');
  assert.match(stamped[0]!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out1$/);
  const third = stamped[2]!.split(' ')[0]!;
  assert.equal((await docker.ok('logs', '--since', third, 'log')).split('\n')[0], 'out3');
  assert.equal((await docker.ok('logs', '--until', third, 'log')).split('\n').at(-1), 'out3');
  assert.equal(await docker.ok('logs', '--since', '1h', '--until', '30m', 'log'), '');
  assert.match(await docker.fails('logs', 'nothing'), /No such container: nothing/);
  await docker.ok('rm', 'log');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'flw',
    'busybox',
    'sh',
    '-c',
    'for i in 1 2 3 4; do echo line$i; sleep 0.3; done',
  );
  await using follow = docker.start('logs', '-f', 'flw');
  assert.equal(await follow.ended(), 0, 'follow ends with the container');
  assert.equal(follow.stdout, 'line1\nline2\nline3\nline4\n');
  await docker.ok('rm', 'flw');
});

scenario('log drivers: long lines whole, rotation bounded, local, none, tag and labels', async () => {
  const { docker } = host;
  const long = await docker.ok(
    'run',
    '--name',
    'long',
    'busybox',
    'sh',
    '-c',
    'head -c 100000 /dev/zero | tr "\\\\0" x; echo; echo end',
  );
  assert.equal(long.length, 100_004);
  assert.equal(await docker.ok('logs', 'long'), long);
  await docker.ok('rm', 'long');
  await docker.ok(
    'run',
    '--name',
    'rot',
    '--log-opt',
    'max-size=20k',
    '--log-opt',
    'max-file=2',
    'busybox',
    'sh',
    '-c',
    'i=0; while [ $i -lt 4000 ]; do i=$((i+1)); echo "line number $i"; done',
  );
  await sleep(300);
  const kept = (await docker.ok('logs', 'rot')).split('\n');
  assert.equal(kept.at(-1), 'line number 4000');
  assert.ok(kept.length < 4000 && kept.length > 100, `${kept.length} lines are kept`);
  await docker.ok('rm', 'rot');
  await docker.ok('run', '--name', 'loc', '--log-driver', 'local', 'busybox', 'echo', 'kept');
  assert.equal(await docker.ok('logs', 'loc'), 'kept');
  assert.equal(await docker.ok('inspect', '-f', '{{.HostConfig.LogConfig.Type}}', 'loc'), 'local');
  await docker.ok('run', '--name', 'non', '--log-driver', 'none', 'busybox', 'echo', 'not kept');
  assert.match(await docker.fails('logs', 'non'), /configured logging driver does not support reading/);
  await docker.ok('rm', 'loc', 'non');
  assert.match(
    await docker.fails('run', '--log-opt', 'nonsense=1', 'busybox', 'true'),
    /unknown log opt 'nonsense' for json-file log driver/,
  );
  await docker.ok('container', 'prune', '-f');
});

scenario('events: actions in order, filters, since and until', async () => {
  const { docker } = host;
  const since = (Date.now() / 1000 - 0.001).toFixed(3);
  await using live = docker.start('events', '--format', '{{.Type}} {{.Action}}');
  await sleep(300);
  await docker.ok('network', 'create', 'evnet');
  await docker.ok('volume', 'create', 'evvol');
  await docker.ok('run', '--rm', '--name', 'ev', '--network', 'evnet', '-v', 'evvol:/v', 'busybox', 'true');
  await docker.ok('tag', 'busybox', 'ev:tag');
  await docker.ok('rmi', 'ev:tag');
  await docker.ok('network', 'rm', 'evnet');
  await docker.ok('volume', 'rm', 'evvol');
  await live.saw(/volume destroy/);
  const wanted = [
    'network create',
    'volume create',
    'container create',
    'network connect',
    'container start',
    'container die',
    'network disconnect',
    'container destroy',
    'image tag',
    'image untag',
    'network destroy',
    'volume destroy',
  ];
  const seen = live.stdout.split('\n');
  let at = -1;
  for (const event of wanted) {
    const next = seen.indexOf(event, at + 1);
    assert.ok(next > at, `${event} after ${seen[at]}: ${seen.join(', ')}`);
    at = next;
  }
  const until_ = (Date.now() / 1000).toFixed(3);
  assert.equal(
    await docker.ok(
      'events',
      '--since',
      since,
      '--until',
      until_,
      '--filter',
      'type=container',
      '--filter',
      'event=die',
      '--format',
      '{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}',
    ),
    'ev 0',
  );
  const line = JSON.parse(
    (
      await docker.ok(
        'events',
        '--since',
        since,
        '--until',
        until_,
        '--filter',
        'event=start',
        '--format',
        '{{json .}}',
      )
    ).split('\n')[0]!,
  ) as Record<string, unknown>;
  assert.equal(line['status'], 'start');
  assert.equal(line['from'], 'busybox');
  assert.equal(line['scope'], 'local');
});

scenario('ps: columns, filters, quiet, last, size, format', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'web', '-l', 'app=x', '-p', '127.0.0.1::80', 'busybox', 'sleep', '600');
  await docker.ok('create', '--name', 'idle', 'busybox', 'true');
  await docker.run(['run', '--name', 'done', 'busybox', 'sh', '-c', 'echo x > /f; exit 3']);
  const lines = (await docker.ok('ps', '-a')).split('\n');
  assert.match(lines[0]!, /^CONTAINER ID\s+IMAGE\s+COMMAND\s+CREATED\s+STATUS\s+PORTS\s+NAMES$/);
  assert.match(lines[1]!, /"sh -c 'echo x > \/f;…".*Exited \(3\) .* ago\s+done$/);
  assert.match(lines[2]!, /Created\s+idle$/);
  assert.match(lines[3]!, /Up .*127\.0\.0\.1:\d+->80\/tcp\s+web$/);
  const names = (...filters: string[]): Promise<string> =>
    docker.ok('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((filter) => ['--filter', filter]));
  assert.equal(await names('status=exited'), 'done');
  assert.equal(await names('exited=3'), 'done');
  assert.equal(await names('label=app=x'), 'web');
  assert.equal(await names('name=^/w'), 'web');
  assert.equal(await names('ancestor=busybox', 'status=created'), 'idle');
  const port = (await docker.ok('port', 'web', '80/tcp')).split(':').pop()!;
  assert.equal(await names(`publish=${port}`), 'web');
  assert.equal(await names('publish=80'), '');
  assert.equal(await names('expose=80'), 'web');
  assert.equal(await names('before=done'), 'idle\nweb');
  assert.equal(await names('since=web'), 'done\nidle');
  assert.equal(await names('network=bridge', 'status=running'), 'web');
  assert.match(await docker.fails('ps', '--filter', 'bogus=1'), /invalid filter 'bogus'/);
  assert.equal(await docker.ok('ps', '-lq', '--no-trunc'), await docker.ok('inspect', '-f', '{{.Id}}', 'done'));
  assert.match(await docker.ok('ps', '-as', '--format', '{{.Names}} {{.Size}}'), /done 2B \(virtual [\d.]+MB\)/);
});

scenario('inspect: what clients read has the right types', async () => {
  const { docker } = host;
  const [web] = JSON.parse(await docker.ok('inspect', 'web')) as [Record<string, never>];
  const value = web as unknown as {
    Name: string;
    Path: string;
    Args: string[];
    Image: string;
    Created: string;
    RestartCount: number;
    Driver: string;
    LogPath: string;
    Platform: string;
    State: { Status: string; Pid: number; StartedAt: string; FinishedAt: string; Error: string };
    Config: { Image: string; Cmd: string[]; Env: string[]; Hostname: string; Entrypoint: null };
    HostConfig: {
      Binds: null;
      PidsLimit: null;
      NetworkMode: string;
      RestartPolicy: { Name: string; MaximumRetryCount: number };
      ShmSize: number;
      IpcMode: string;
    };
    NetworkSettings: {
      Ports: Record<string, unknown>;
      Networks: Record<string, { IPAddress: string }>;
      IPAddress: string;
    };
    Mounts: unknown[];
  };
  assert.equal(value.Name, '/web');
  assert.deepEqual([value.Path, value.Args], ['sleep', ['600']]);
  assert.match(value.Image, /^sha256:[0-9a-f]{64}$/);
  assert.match(value.Created, /^\d{4}-\d\d-\d\dT[\d:]+\.\d{1,9}Z$/);
  assert.equal(value.State.Status, 'running');
  assert.equal(value.State.FinishedAt, '0001-01-01T00:00:00Z');
  assert.ok(value.State.Pid > 0);
  assert.equal(value.Config.Image, 'busybox');
  assert.equal(value.Config.Entrypoint, null);
  assert.equal(value.HostConfig.Binds, null);
  assert.equal(value.HostConfig.PidsLimit, null);
  assert.equal(value.HostConfig.NetworkMode, 'bridge');
  assert.equal(value.HostConfig.ShmSize, 67_108_864);
  assert.equal(value.NetworkSettings.Networks['bridge']!.IPAddress, value.NetworkSettings.IPAddress);
  assert.deepEqual(Object.keys(value.NetworkSettings.Ports), ['80/tcp']);
  assert.deepEqual(value.Mounts, []);
  assert.equal(
    await docker.ok('inspect', '-f', '{{range $p, $c := .NetworkSettings.Ports}}{{$p}}{{end}}', 'web'),
    '80/tcp',
  );
  assert.match(await docker.ok('inspect', '-s', '-f', '{{.SizeRw}} {{.SizeRootFs}}', 'done'), /^2 \d{6,}$/);
  assert.match(await docker.fails('inspect', 'nothing'), /No such object: nothing/);
  assert.equal(await docker.ok('inspect', '--type', 'network', '-f', '{{.Name}}', 'bridge'), 'bridge');
});

scenario('top, stats, port, df, info, version', async () => {
  const { docker } = host;
  assert.match(await docker.ok('top', 'web'), /^UID\s+PID\s+PPID\s+C\s+STIME\s+TTY\s+TIME\s+CMD\n.*sleep 600$/);
  assert.match(await docker.ok('top', 'web', '-o', 'pid,comm'), /^PID\s+COMMAND\n\d+\s+sleep$/);
  assert.match(await docker.fails('top', 'idle'), /is not running/);
  assert.match(await docker.ok('stats', '--no-stream', '--no-trunc'), /web\s+[\d.]+%\s+[\d.]+(KiB|MiB|B) \/ [\d.]+GiB/);
  await using stats = docker.start('stats', '--format', '{{.Name}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}', 'web');
  await until(() => (stats.stdout.match(/web .*B \/ .*B .*B \/ .*B \d/g) ?? []).length >= 2, { what: 'two samples' });
  assert.match(await docker.ok('port', 'web'), /^80\/tcp -> 127\.0\.0\.1:\d+$/);
  const df = await docker.ok('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}');
  assert.match(df, /^Images 1 1\nContainers 3 1\nLocal Volumes 0 0\nBuild Cache 0 0$/);
  assert.match(await docker.ok('system', 'df', '-v'), /web[\s\S]*Local Volumes space usage/);
  const info = JSON.parse(await docker.ok('info', '--format', '{{json .}}')) as Record<string, unknown>;
  assert.deepEqual(
    [info['Containers'], info['ContainersRunning'], info['ContainersStopped'], info['Images']],
    [3, 1, 2, 1],
  );
  assert.equal(info['Driver'], 'overlay2');
  assert.equal(info['DockerRootDir'], host.daemon.dataRoot);
  assert.match(await docker.ok('info'), /Storage Driver: overlay2[\s\S]*Cgroup Version: [12]/);
  assert.match(
    await docker.ok('version', '--format', '{{.Server.Version}} {{.Server.APIVersion}} {{.Server.MinAPIVersion}}'),
    /^28\.\d+\.\d+ 1\.51 1\.24$/,
  );
  await docker.ok('rm', '-f', 'web', 'idle', 'done');
});
