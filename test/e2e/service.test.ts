/** The service: doctor, metrics, units, the journal, and a machine that goes down. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { repository, sharedDaemon } from '../support/daemon.ts';
import { execute, type Outcome, until } from '../support/docker.ts';

/** What the daemon takes for systemctl. */
const scratch = mkdtempSync(join(tmpdir(), 'wherry-service-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const programs = join(scratch, 'bin');
const systemState = join(scratch, 'state');
mkdirSync(programs);
writeFileSync(join(programs, 'systemctl'), `#!/bin/sh\ncat ${systemState}\n`);
chmodSync(join(programs, 'systemctl'), 0o755);
writeFileSync(systemState, 'running\n');

const port = await freePort();
const env: Record<string, string> = { PATH: `${programs}:${process.env['PATH']}` };
const host = await sharedDaemon({ args: ['--metrics-addr', `127.0.0.1:${port}`], env });
const { scenario } = host;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port: found } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return found;
}

const wherry = (words: readonly string[], prefix: readonly string[] = []): Promise<Outcome> => {
  const [file, ...args] = [...prefix, join(repository, 'bin/wherry'), ...words];
  return execute(file!, args, { env: { WHERRY_SOURCE: '1', DOCKER_HOST: undefined, DOCKER_CONTEXT: undefined } });
};

interface Examined {
  Checks: { Id: string; State: string; Found: string; Mend: string[] }[];
  Ok: number;
  Failures: number;
}

const scrape = async (path = '/metrics', method = 'GET'): Promise<{ status: number; text: string }> => {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: answer.status, text: await answer.text() };
};

/** The value of a series; labels as they stand in the text. */
function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  assert.ok(line !== undefined, `${series} in\n${text.slice(0, 3000)}`);
  return Number(line.slice(series.length + 1));
}

scenario('doctor finds the daemon and what it stands on', async () => {
  const { code, stdout, stderr } = await wherry(['-H', host.daemon.host, 'system', 'doctor', '--format', 'json']);
  const { Checks, Ok, Failures } = JSON.parse(stdout) as Examined;
  assert.equal(stderr, '');
  assert.equal(code, Failures === 0 ? 0 : 1);
  assert.ok(Ok > 15, stdout);
  const of = (id: string) => Checks.find(({ Id }) => Id === id)!;
  for (const id of [
    'namespaces',
    'links',
    'overlay',
    'cgroups',
    'runtime',
    'conmon',
    'nftables',
    'forwarding',
    'engine',
  ])
    assert.equal(of(id).State, 'ok', JSON.stringify(of(id)));
  assert.match(of('engine').Found, /^Wherry answers at /);
  assert.match(of('addresses').Found, /^1 network,/);
  assert.ok(Checks.every(({ State, Mend }) => State === 'ok' || State === 'skip' || Mend.length > 0));
  const verified = await wherry(['-H', host.daemon.host, 'system', 'verify', '--quick', '--quiet']);
  assert.equal(verified.code, 0, verified.stderr);
  const after = await wherry(['-H', host.daemon.host, 'system', 'doctor', 'verify']);
  assert.match(after.stdout, /\nok {4}verify +today, all was well\n\n1 ok, 0 warnings, 0 failures\n$/);
});

scenario('doctor without a daemon, as an ordinary user', async () => {
  const nobody = [
    'setpriv',
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    '--inh-caps=+dac_read_search',
    '--ambient-caps=+dac_read_search',
  ];
  const { code, stdout, stderr } = await wherry(['-H', 'unix:///nonexistent/w.sock', 'system', 'doctor'], nobody);
  assert.equal(stderr, '');
  assert.ok(code === 0 || code === 1);
  assert.match(stdout, /\nwarn {2}engine +does not run: there is no \/nonexistent\/w\.sock\n/);
  assert.match(stdout, /\n- {5}overlay +not tried: needs root\n/);
  assert.doesNotMatch(stdout, /check itself failed/);
  assert.match(stdout, /\n\d+ ok, \d+ warnings?, \d+ failures?( \(\d+ not checked\))?\n$/);
  const denied = await wherry(['-H', host.daemon.host, 'system', 'doctor', 'engine'], nobody);
  assert.match(denied.stdout, /\nwarn {2}engine +\S+ is not for nobody\n {6}→ sudo usermod -aG \S+ nobody/);
});

scenario('metrics: a container under load, on the socket and on TCP', async () => {
  const { docker, daemon } = host;
  await docker.ok(
    'run',
    '-d',
    '--name',
    'busy',
    '--memory',
    '64m',
    '--label',
    'com.docker.compose.project=shop',
    '--label',
    'com.docker.compose.service=web',
    '--health-cmd',
    'test -e /gone',
    '--health-interval',
    '200ms',
    'busybox',
    'sh',
    '-c',
    'while :; do :; done',
  );
  const labels = 'name="busy",image="busybox",compose_project="shop",compose_service="web"';
  let text = '';
  await until(
    async () => {
      ({ text } = await scrape());
      return (
        /engine_daemon_health_checks_failed_total [1-9]/.test(text) &&
        Number(/wherry_container_cpu_user_seconds_total\{name="busy".*\} (\S+)/.exec(text)?.[1]) > 0
      );
    },
    { what: 'a failed check and a tick of work', timeoutMs: 15_000 },
  );
  assert.equal(valueOf(text, 'engine_daemon_container_states_containers{state="running"}'), 1);
  assert.equal(valueOf(text, `wherry_container_memory_limit_bytes{${labels}}`), 64 << 20);
  assert.ok(valueOf(text, `wherry_container_memory_working_set_bytes{${labels}}`) > 0);
  assert.ok(valueOf(text, `wherry_container_pids{${labels}}`) >= 1);
  assert.ok(valueOf(text, `wherry_container_network_receive_packets_total{${labels},interface="eth0"}`) >= 0);
  assert.ok(Math.abs(valueOf(text, `wherry_container_start_time_seconds{${labels}}`) - Date.now() / 1000) < 60);
  assert.equal(valueOf(text, 'engine_daemon_container_actions_seconds_count{action="start"}'), 1);
  assert.equal(valueOf(text, 'engine_daemon_network_actions_seconds_count{action="allocate"}'), 1);
  assert.ok(valueOf(text, 'engine_daemon_events_total') > 2);
  assert.ok(valueOf(text, 'process_resident_memory_bytes') > 1e7);
  assert.ok(Math.abs(valueOf(text, 'process_start_time_seconds') - Date.now() / 1000) < 300);
  assert.ok(valueOf(text, 'wherry_http_requests_total{endpoint="containerStart",method="POST",code="204"}') >= 1);
  assert.equal(valueOf(text, 'wherry_last_verify_problems'), 0);
  assert.doesNotMatch(text, /wherry_disk_usage_bytes/, 'nobody has asked for what takes the disk');
  await daemon.api('GET', '/wherry/df');
  const { body } = await daemon.api('GET', '/metrics');
  await until(async () => /wherry_disk_usage_bytes\{type="Images"\} [1-9]/.test((await scrape()).text), {
    what: 'the figures of df',
  });
  assert.match(String(body), /^# HELP engine_daemon_engine_info /);
  wellFormed(text);
  await docker.ok('rm', '-f', 'busy');
  await until(async () => !(await scrape()).text.includes('name="busy"'), { what: 'the series to end' });
});

/** Each series below its own TYPE, each name told once, each line of the format. */
function wellFormed(text: string): void {
  const told = new Set<string>();
  let name = '';
  for (const line of text.trimEnd().split('\n')) {
    const [, type] = /^# TYPE (\w+) (?:counter|gauge|histogram)$/.exec(line) ?? [];
    if (type !== undefined) {
      assert.ok(!told.has(type), `${type} twice`);
      told.add(type);
      name = type;
    } else if (!/^# HELP \w+ ./.test(line)) {
      assert.match(line, /^\w+(\{(\w+="([^"\\\n]|\\["\\n])*",?)+\})? (-?[\d.e+-]+|[+-]Inf|NaN)$/);
      assert.ok(line.startsWith(name), `${line} below ${name}`);
    }
  }
  assert.ok(told.size > 40);
}

scenario('metrics-addr serves nothing else', async () => {
  assert.equal((await scrape('/metrics', 'HEAD')).status, 200);
  for (const path of ['/', '/info', '/containers/json', '/v1.51/metrics', '/images/json'])
    assert.equal((await scrape(path)).status, 404, path);
  for (const method of ['POST', 'PUT', 'DELETE']) assert.equal((await scrape('/metrics', method)).status, 405, method);
  assert.equal((await scrape('/containers/create', 'POST')).status, 404);
});

scenario('the daemon stops: containers run on; the machine goes down: they end in order and come back', async () => {
  const { docker, daemon } = host;
  const project = (service: string, needs = ''): string[] =>
    ['project=shop', `service=${service}`, `depends_on=${needs}`].flatMap((pair) => [
      '--label',
      `com.docker.compose.${pair}`,
    ]);
  // Each writes down when it was asked to end.
  const stops = 'trap "cat /proc/uptime >> /told/$NAME; sleep 0.2; exit 0" TERM; sleep 600 & wait';
  const start = (name: string, ...words: string[]): Promise<string> =>
    docker.ok(
      'run',
      '-d',
      '--name',
      name,
      '-e',
      `NAME=${name}`,
      '-v',
      'told:/told',
      ...words,
      'busybox',
      'sh',
      '-c',
      stops,
    );
  await start('db', '--restart', 'unless-stopped', ...project('db'));
  await start('app', '--restart', 'always', ...project('app', 'db:service_started:false'));
  await start('once');
  const pid = await docker.ok('inspect', '-f', '{{.State.Pid}}', 'db');
  // The journal is where its standard error leads from now on.
  const { dev, ino } = statSync(daemon.logFile);
  env['JOURNAL_STREAM'] = `${dev}:${ino}`;
  const logged = daemon.log.length;
  await daemon.restart('SIGTERM');
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Pid}}', 'db'), pid, 'the same process');
  const lines = daemon.log.slice(logged).trimEnd().split('\n');
  const own = lines.slice(lines.findIndex((line) => line.includes("Processing signal 'SIGTERM'")) + 1);
  assert.ok(own.length > 0 && own.every((line) => /^<[3467]>time="[^"]+" level=\w+ msg=/.test(line)), lines.join('\n'));

  writeFileSync(systemState, 'stopping\n');
  assert.equal(await daemon.kill('SIGTERM'), 0);
  writeFileSync(systemState, 'running\n');
  const told = (name: string): number =>
    Number.parseFloat(readFileSync(join(daemon.dataRoot, 'volumes/told/_data', name), 'utf8'));
  assert.ok(told('db') - told('app') > 0.15, 'who depends on another ends before it is asked');
  assert.ok(told('once') > 0);
  await daemon.start();
  const state = (name: string): Promise<string> =>
    docker.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', name);
  await until(async () => (await state('db')) === 'running 0' && (await state('app')) === 'running 0', {
    what: 'both to be back',
  });
  assert.equal(await state('once'), 'exited 0');
});

const analyze = await execute('systemd-analyze', ['--version']);
test('systemd finds nothing wrong with the units', {
  skip: analyze.code === 0 ? false : 'no systemd-analyze on this machine',
  timeout: 30_000,
}, async () => {
  const { stdout } = await wherry(['system', 'install', '--print']);
  const units = [...stdout.matchAll(/^# \/etc\/systemd\/system\/(\S+)\n([\s\S]*?)(?=\n# \/etc|(?![\s\S]))/gm)].map(
    ([, name, text]) => {
      writeFileSync(join(scratch, name!), text!);
      return join(scratch, name!);
    },
  );
  assert.equal(units.length, 2);
  const { code, stdout: out, stderr } = await execute('systemd-analyze', ['verify', ...units]);
  assert.deepEqual([code, out, stderr], [0, '', '']);
});
