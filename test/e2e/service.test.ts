/** Running the engine as a service: `system doctor`, metrics on the socket and on TCP, the units of systemd. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { serviceUnit, socketUnit } from '../../src/cli/daemon/units.ts';
import { repository, sharedDaemon } from '../support/daemon.ts';
import { execute } from '../support/docker.ts';

const host = await sharedDaemon({ args: ['--metrics-addr', '127.0.0.1:0'] });
const { scenario } = host;

interface Report {
  Checks: { Id: string; State: string; Found: string; Mend?: string }[];
}

/** Where the daemon says that it serves metrics. */
function metricsUrl(): string {
  const port = /msg="metrics are served" host=127\.0\.0\.1 port=(\d+)/.exec(host.daemon.log)?.[1];
  assert.ok(port !== undefined, host.daemon.log);
  return `http://127.0.0.1:${port}`;
}

scenario('doctor: a machine on which this daemon runs has no failure', async () => {
  const wherry = host.daemon.cli(join(repository, 'bin/wherry'));
  const { code, stdout, stderr } = await wherry.run(['-H', host.daemon.host, 'system', 'doctor', '--format', 'json']);
  const { Checks } = JSON.parse(stdout) as Report;
  assert.deepEqual(
    Checks.filter(({ State }) => State === 'fail'),
    [],
    stderr,
  );
  assert.equal(code, 0);
  const found = Object.fromEntries(Checks.map(({ Id, Found }) => [Id, Found]));
  assert.match(found['socket'] ?? '', new RegExp(`^Wherry .* answers at ${host.daemon.socket}$`));
  assert.ok(found['data-root']?.startsWith(`${host.daemon.dataRoot} on `), found['data-root']);
  for (const { Found } of Checks) assert.doesNotMatch(Found, /cannot be told: /);
  const text = await wherry.ok('-H', host.daemon.host, 'system', 'doctor', 'socket', 'conmon');
  assert.match(
    text,
    /^ok {4}conmon {2}Monitor {2}conmon 2\S*\nok {4}socket {2}Daemon {3}Wherry .*\n2 ok, 0 warnings, 0 failures$/,
  );
});

scenario('doctor: without a daemon, and without a program in PATH', async () => {
  const { code, stdout } = await execute(
    join(repository, 'bin/wherry'),
    ['-H', 'unix:///nowhere/w.sock', 'system', 'doctor'],
    {
      env: { HOME: host.daemon.root, WHERRY_SOURCE: '1' },
    },
  );
  assert.ok(code === 0 || code === 1);
  assert.match(stdout, /^warn {2}socket +Daemon +does not run\n +→ wherry system start$/m);
  assert.match(stdout, /\n\d+ ok, \d+ warnings?, \d+ failures?\n$/);
});

scenario('metrics: on the socket and on TCP, with a running container', async () => {
  const { docker, daemon } = host;
  const labels = ['project=shop', 'service=web'].flatMap((each) => ['--label', `com.docker.compose.${each}`]);
  await docker.ok('run', '-d', '--name', 'metered', ...labels, 'busybox', 'sleep', '60');
  await docker.ok('create', '--name', 'idle', 'busybox', 'true');
  const { status, body } = await daemon.api('GET', '/metrics');
  assert.equal(status, 200);
  const scraped = await fetch(`${metricsUrl()}/metrics`);
  assert.equal(scraped.status, 200);
  assert.equal(scraped.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  for (const text of [String(body), await scraped.text()]) {
    const value = (series: string): number => {
      const line = text.split('\n').find((each) => each.startsWith(`${series} `));
      assert.ok(line !== undefined, `${series} in:\n${text}`);
      return Number(line.slice(series.length + 1));
    };
    const metered = 'name="metered",image="busybox",project="shop",service="web"';
    assert.equal(value('engine_daemon_container_states_containers{state="running"}'), 1);
    assert.equal(value('engine_daemon_container_states_containers{state="stopped"}'), 1);
    assert.equal(value('engine_daemon_container_actions_seconds_count{action="start"}'), 1);
    assert.ok(value('engine_daemon_events_total') >= 3);
    assert.ok(value(`wherry_container_cpu_seconds_total{${metered}}`) > 0);
    assert.ok(value(`wherry_container_memory_bytes{${metered}}`) > 0);
    assert.ok(value(`wherry_container_pids{${metered}}`) >= 1);
    assert.equal(value('wherry_http_requests_total{endpoint="containerStart",method="POST",code="204"}'), 1);
    assert.ok(value('process_resident_memory_bytes') > 1e7);
    assert.ok(value('process_open_fds') > 5);
    assert.ok(Math.abs(value('process_start_time_seconds') - Date.now() / 1000) < 120);
    assert.doesNotMatch(text, /idle/);
  }
});

scenario('metrics: nothing else is served on TCP', async () => {
  const url = metricsUrl();
  assert.equal((await fetch(`${url}/metrics`, { method: 'HEAD' })).status, 200);
  for (const [method, path] of [
    ['POST', '/metrics'],
    ['GET', '/'],
    ['GET', '/_ping'],
    ['GET', '/v1.51/metrics'],
    ['GET', '/containers/json'],
    ['POST', '/containers/create'],
  ] as const) {
    const answer = await fetch(`${url}${path}`, { method });
    assert.equal(answer.status, 404, `${method} ${path}`);
    assert.doesNotMatch(await answer.text(), /metered/);
  }
});

scenario('log: lines have priorities where standard error is the journal, and none elsewhere', async () => {
  assert.doesNotMatch(host.daemon.log, /^<\d>/m);
  const { stderr } = await execute('sh', [
    '-c',
    'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) WHERRY_SOURCE=1 exec "$0" --log-level nonsense',
    join(repository, 'bin/wherryd'),
  ]);
  assert.equal(stderr, '<3>wherryd: invalid logging level: nonsense\n');
});

const analyze = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find((path) => existsSync(path));

test('systemd accepts the units', {
  skip: analyze === undefined ? 'systemd-analyze is not installed' : false,
  timeout: 30_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-units-'));
  try {
    writeFileSync(join(folder, 'wherry.service'), serviceUnit(join(repository, 'bin/wherryd')));
    writeFileSync(join(folder, 'wherry.socket'), socketUnit('/run/wherry/wherry.sock', 'root'));
    const files = ['wherry.service', 'wherry.socket'].map((name) => join(folder, name));
    const { code, stderr } = await execute(analyze!, ['verify', '--man=no', ...files]);
    // What it says of other units of this machine is not ours.
    const ours = stderr.split('\n').filter((line) => line.includes('wherry'));
    assert.deepEqual({ code, ours }, { code: 0, ours: [] }, stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
