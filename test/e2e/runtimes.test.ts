/** Both OCI runtimes, the daemon's own settings, several daemons side by side, its other sockets, TLS. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { cannotRun, Daemon, type DaemonOptions, repository } from '../support/daemon.ts';
import { Docker, execute, must, until } from '../support/docker.ts';
import { busyboxImage } from '../support/images.ts';
import { dockerCli, freePort } from '../support/peers.ts';

const opened = new Set<Daemon>();
after(async () => {
  for (const daemon of opened) await daemon[Symbol.asyncDispose]();
});

async function open(options: DaemonOptions = {}): Promise<Daemon> {
  const daemon = await Daemon.open(options);
  opened.add(daemon);
  await daemon.docker.ok('load', '-q', '-i', await busyboxImage());
  return daemon;
}

async function close(daemon: Daemon): Promise<void> {
  opened.delete(daemon);
  await daemon[Symbol.asyncDispose]();
}

const reason = cannotRun();
const scenario = (name: string, body: () => Promise<void>, skip = reason): void => {
  test(name, { timeout: 60_000, ...(skip === undefined ? {} : { skip }) }, body);
};

/** Runs the daemon with these flags only, until it ends by itself. */
const daemonEnds = (args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  execute(join(repository, 'bin/wherryd'), args, { env: { WHERRY_SOURCE: '1' }, timeoutMs: 15_000 });

for (const runtime of ['crun', 'runc']) {
  const missing = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/local/sbin'].some((folder) =>
    existsSync(join(folder, runtime)),
  )
    ? undefined
    : `${runtime} is not installed`;
  scenario(
    `${runtime}: run, exec, kill, logs, limits, pause, tty, errors, a killed daemon`,
    async () => {
      const daemon = await open({ args: ['--default-runtime', runtime] });
      const { docker } = daemon;
      assert.equal(await docker.ok('info', '-f', '{{.DefaultRuntime}}'), runtime);
      assert.equal((await docker.run(['run', '--rm', '-i', 'busybox', 'cat'], { input: 'in' })).stdout, 'in');
      assert.equal((await docker.run(['run', '--rm', 'busybox', 'sh', '-c', 'exit 9'])).code, 9);
      await docker.ok(
        'run',
        '-d',
        '--name',
        'box',
        '-m',
        '64m',
        '--pids-limit',
        '40',
        '--cpus',
        '0.5',
        '--init',
        '-u',
        '33',
        '--cap-drop',
        'ALL',
        '--read-only',
        '--tmpfs',
        '/tmp',
        '-p',
        '127.0.0.1::80',
        'busybox',
        'sh',
        '-c',
        'echo begun; exec sleep 600',
      );
      assert.equal(await docker.ok('inspect', '-f', '{{.HostConfig.Runtime}}', 'box'), runtime);
      assert.equal(
        await docker.ok('exec', 'box', 'sh', '-c', 'id -u; grep CapEff /proc/self/status; touch /x 2>&1; true'),
        '33\nCapEff:\t0000000000000000\ntouch: /x: Read-only file system',
      );
      assert.equal((await docker.run(['exec', 'box', 'sh', '-c', 'exit 4'])).code, 4);
      const missing = await docker.run(['exec', 'box', 'nope']);
      assert.equal(missing.code, 127);
      assert.match(missing.stdout, /exec: "nope": executable file not found in \$PATH/);
      assert.equal(await docker.ok('logs', 'box'), 'begun');
      await docker.ok('update', '-m', '80m', '--memory-swap', '-1', 'box');
      assert.match(await docker.ok('stats', '--no-stream', '--format', '{{.MemUsage}}', 'box'), /\/ 80MiB$/);
      await docker.ok('pause', 'box');
      await docker.ok('unpause', 'box');
      await daemon.restart();
      assert.equal(await docker.ok('exec', 'box', 'echo', 'still'), 'still');
      await docker.ok('kill', '-s', 'TERM', 'box');
      await until(async () => (await docker.ok('inspect', '-f', '{{.State.Status}}', 'box')) === 'exited', {
        what: 'the end',
      });
      assert.equal(await docker.inspect('box', '.State.ExitCode'), 143);
      {
        await using shell = docker.terminal('run', '--rm', '-it', 'busybox', 'sh', '-c', 'stty size; tty; exit 3');
        assert.equal(await shell.ended(), 3);
        assert.match(shell.stdout, /30 90[\s\S]*\/dev\//);
      }
      assert.match(
        await docker.fails('run', '--rm', 'busybox', 'nope'),
        /^127: .*exec: "nope": executable file not found in \$PATH/s,
      );
      assert.match(await docker.fails('run', '--rm', 'busybox', '/nope'), /^127: .*no such file or directory/s);
      assert.match(await docker.fails('run', '--rm', 'busybox', '/etc/passwd'), /^126: .*permission denied/s);
      assert.match(
        await docker.ok('run', '--rm', 'busybox', 'sh', '-c', 'unshare -U true 2>&1 || true'),
        /not permitted/,
      );
      await close(daemon);
    },
    reason ?? missing,
  );
}

scenario('--runtime of one container; runtimes of daemon.json', async () => {
  const folder = join(repository, 'node_modules/.cache');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `daemon-${process.pid}.json`);
  const runc = (await must('sh', ['-c', 'PATH=$PATH:/usr/sbin:/sbin command -v runc || command -v crun'])).trim();
  writeFileSync(
    file,
    JSON.stringify({
      runtimes: { mine: { path: runc } },
      labels: ['site=test'],
      'log-driver': 'local',
      'log-opts': { 'max-size': '1m' },
      'default-ulimits': { nofile: { Name: 'nofile', Soft: 99, Hard: 100 } },
      'default-shm-size': '8M',
      init: true,
      dns: ['192.0.2.7'],
      mtu: 1400,
      'default-address-pools': [{ base: '10.216.0.0/24', size: 28 }],
      debug: true,
    }),
  );
  const daemon = await open({ args: ['--config-file', file] });
  const { docker } = daemon;
  assert.equal(await docker.ok('run', '--rm', '--runtime', 'mine', 'busybox', 'echo', 'by mine'), 'by mine');
  assert.match(
    await docker.ok('info', '-f', '{{json .Labels}} {{.LoggingDriver}} {{.Debug}}'),
    /\["site=test"\] local true/,
  );
  assert.equal(
    await docker.ok(
      'run',
      '--rm',
      'busybox',
      'sh',
      '-c',
      'ulimit -n; grep -c "size=8192k" /proc/mounts; cat /sys/class/net/eth0/mtu; grep nameserver /etc/resolv.conf',
    ),
    '99\n1\n1400\nnameserver 192.0.2.7',
  );
  assert.match(await docker.ok('run', '--rm', 'busybox', 'cat', '/proc/1/comm'), /init|tini|catatonit/);
  await docker.ok('network', 'create', 'pooled');
  assert.match(
    await docker.ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', 'pooled'),
    /^10\.216\.0\.\d+\/28$/,
  );
  await close(daemon);
});

scenario('flags and files that are wrong: exit 1 and the reason, nothing started', async () => {
  const daemon = await open();
  const file = join(daemon.root, 'bad.json');
  const fails = async (text: string | undefined, args: string[], pattern: RegExp): Promise<void> => {
    if (text !== undefined) writeFileSync(file, text);
    const { code, stderr } = await daemonEnds(args);
    assert.equal(code, 1, stderr);
    assert.match(stderr, pattern);
  };
  const own = ['--data-root', join(daemon.root, 'd2'), '--exec-root', join(daemon.root, 'r2')];
  await fails(
    '{ "debug": tru',
    [...own, '--config-file', file],
    /unable to configure the daemon with file .*bad\.json/,
  );
  await fails(
    '{ "nonsense": 1 }',
    [...own, '--config-file', file],
    /the following directives don't match any configuration option: nonsense/,
  );
  await fails(
    '{ "mtu": 1400 }',
    [...own, '--config-file', file, '--mtu', '1300'],
    /specified both as a flag and in the configuration file: mtu/,
  );
  await fails(undefined, [...own, '--config-file', join(daemon.root, 'none.json')], /no such file or directory/);
  await fails(undefined, [...own, '--nope'], /unknown flag: --nope/);
  await fails(undefined, [...own, '-H', 'ftp://x'], /invalid host "ftp:\/\/x"/);
  await fails(undefined, [...own, '-H', 'tcp://0.0.0.0:0'], /without TLS/);
  await fails(undefined, [...own, '--log-level', 'loud'], /invalid logging level: loud/);
  await fails(
    undefined,
    [...own, '--default-runtime', 'nope', '-H', `unix://${daemon.root}/x.sock`, '--bridge', 'none'],
    /nope/,
  );
  await fails(undefined, daemon.arguments(), /process with PID \d+ is still running/);
  await fails(undefined, [...own, '-H', daemon.host, '--bridge', 'none'], /another process listens on/);
  assert.equal(await daemon.docker.ok('run', '--rm', 'busybox', 'echo', 'unharmed'), 'unharmed');
  const { stdout, code } = await daemonEnds(['--version']);
  assert.deepEqual([code, /^Wherry version \d/.test(stdout)], [0, true]);
  assert.equal((await daemonEnds(['--validate', '--mtu', '1300'])).stdout, 'configuration OK\n');
  assert.match((await daemonEnds(['--help'])).stdout, /--data-root/);
  assert.equal(readFileSync(daemon.pidfile, 'utf8').trim(), String(daemon.pid));
  await daemon.kill('SIGTERM');
  assert.equal(existsSync(daemon.pidfile), false, 'the pidfile goes with the daemon');
  writeFileSync(daemon.pidfile, '999999\n');
  await daemon.start();
  await close(daemon);
});

scenario('two daemons side by side see nothing of each other', async () => {
  const [one, two] = [await open(), await open()];
  await one.docker.ok('run', '-d', '--name', 'same', 'busybox', 'nc', '-ll', '-p', '80', '-e', 'echo', 'one');
  await two.docker.ok('run', '-d', '--name', 'same', 'busybox', 'nc', '-ll', '-p', '80', '-e', 'echo', 'two');
  await one.docker.ok('network', 'create', 'shared');
  assert.notEqual(
    await one.docker.ok('inspect', '-f', '{{.Id}}', 'same'),
    await two.docker.ok('inspect', '-f', '{{.Id}}', 'same'),
  );
  assert.match(await two.docker.fails('network', 'inspect', 'shared'), /network shared not found/);
  const address = (daemon: Daemon): Promise<string> =>
    daemon.docker.ok('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'same');
  assert.notEqual(
    (await address(one)).split('.').slice(0, 3).join('.'),
    (await address(two)).split('.').slice(0, 3).join('.'),
    'the bridges have subnets of their own',
  );
  for (const [daemon, words] of [
    [one, 'one'],
    [two, 'two'],
  ] as const) {
    const target = await address(daemon);
    await until(
      async () =>
        (await daemon.docker.run(['exec', 'same', 'sh', '-c', `nc -w 1 ${target} 80 < /dev/null`])).stdout.trim() ===
        words,
      { what: `${words} answers itself` },
    );
  }
  assert.notEqual(
    (await one.docker.run(['exec', 'same', 'sh', '-c', `nc -w 1 ${await address(two)} 80 < /dev/null`])).stdout.trim(),
    'two',
    'their containers do not meet',
  );
  await close(one);
  assert.equal(await two.docker.ok('exec', 'same', 'echo', 'lives'), 'lives');
  await close(two);
});

scenario('a read-only socket shows and refuses; a project socket shows one project', async () => {
  const daemon = await open();
  await close(daemon);
  const sockets = await Daemon.open({
    args: [
      '--read-only-socket',
      join(daemon.root, '..', `wherry-ro-${process.pid}.sock`),
      '--project-socket',
      `shop=${join(daemon.root, '..', `wherry-shop-${process.pid}.sock`)}`,
    ],
  });
  opened.add(sockets);
  await sockets.docker.ok('load', '-q', '-i', await busyboxImage());
  const cli = await dockerCli();
  const at = (name: string): Docker =>
    sockets.cli(cli, `unix://${join(sockets.root, '..', `wherry-${name}-${process.pid}.sock`)}`);
  await sockets.docker.ok('run', '-d', '--name', 'seen', 'busybox', 'sh', '-c', 'echo log; exec sleep 600');
  await sockets.docker.ok(
    'run',
    '-d',
    '--name',
    'till',
    '-l',
    'com.docker.compose.project=shop',
    'busybox',
    'sleep',
    '600',
  );
  assert.equal(await at('ro').ok('ps', '--format', '{{.Names}}'), 'till\nseen');
  assert.equal(await at('ro').ok('logs', 'seen'), 'log');
  for (const args of [
    ['rm', '-f', 'seen'],
    ['run', 'busybox'],
    ['exec', 'seen', 'true'],
    ['network', 'create', 'x1'],
    ['rmi', 'busybox'],
  ]) {
    assert.match(await at('ro').fails(...args), /read-only/i, args.join(' '));
  }
  assert.equal(await at('shop').ok('ps', '--format', '{{.Names}}'), 'till');
  assert.match(await at('shop').fails('stop', 'seen'), /No such container: seen|not part of|project/);
  assert.match(await at('shop').fails('exec', 'seen', 'true'), /No such container: seen|project/);
  await at('shop').ok('stop', '-t', '0', 'till');
  assert.equal(await sockets.docker.ok('ps', '--format', '{{.Names}}'), 'seen');
  await close(sockets);
});

scenario('mutual TLS on TCP: only clients with a certificate of the CA', async () => {
  const scratch = await open();
  await close(scratch);
  mkdirSync(scratch.root, { recursive: true });
  const at = (name: string): string => join(scratch.root, name);
  const openssl = (...args: string[]): Promise<string> => must('openssl', args);
  for (const ca of ['ca', 'other-ca'])
    await openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${ca}`,
      '-keyout',
      at(`${ca}-key.pem`),
      '-out',
      at(`${ca}.pem`),
    );
  writeFileSync(at('server.ext'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n');
  writeFileSync(at('client.ext'), 'extendedKeyUsage=clientAuth\n');
  for (const [name, ca, ext] of [
    ['server', 'ca', 'server'],
    ['client', 'ca', 'client'],
    ['stranger', 'other-ca', 'client'],
  ] as const) {
    await openssl(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      at(`${name}-key.pem`),
      '-out',
      at(`${name}.csr`),
    );
    await openssl(
      'x509',
      '-req',
      '-in',
      at(`${name}.csr`),
      '-CA',
      at(`${ca}.pem`),
      '-CAkey',
      at(`${ca}-key.pem`),
      '-days',
      '2',
      '-extfile',
      at(`${ext}.ext`),
      '-out',
      at(`${name}.pem`),
    );
  }
  const port = await freePort();
  const daemon = await open({
    args: [
      '-H',
      `tcp://127.0.0.1:${port}`,
      '--tlsverify',
      '--tlscacert',
      at('ca.pem'),
      '--tlscert',
      at('server.pem'),
      '--tlskey',
      at('server-key.pem'),
    ],
  });
  const remote = daemon.cli(await dockerCli(), `tcp://127.0.0.1:${port}`);
  const tls = (name: string): string[] => [
    '--tlsverify',
    '--tlscacert',
    at('ca.pem'),
    '--tlscert',
    at(`${name}.pem`),
    '--tlskey',
    at(`${name}-key.pem`),
  ];
  assert.equal(await remote.ok(...tls('client'), 'run', '--rm', 'busybox', 'echo', 'over TLS'), 'over TLS');
  assert.equal(
    (await remote.run([...tls('client'), 'run', '--rm', '-i', 'busybox', 'cat'], { input: 'both ways' })).stdout,
    'both ways',
  );
  assert.match(await remote.fails(...tls('stranger'), 'ps'), /tls|certificate|handshake|remote error/i);
  assert.match(await remote.fails('ps'), /HTTP request to an HTTPS server|Cannot connect|malformed|reset|EOF|read: /i);
  await close(daemon);
  const { rmSync } = await import('node:fs');
  rmSync(scratch.root, { recursive: true, force: true });
});

scenario('TERM leaves containers running, and the next daemon takes them over', async () => {
  const daemon = await open();
  const { docker } = daemon;
  await docker.ok('run', '-d', '--name', 'stays', 'busybox', 'sleep', '600');
  const pid = await docker.inspect('stays', '.State.Pid');
  assert.equal(await daemon.kill('SIGTERM'), 0);
  assert.ok(existsSync(`/proc/${String(pid)}`));
  await daemon.start();
  assert.equal(await docker.inspect('stays', '.State.Pid'), pid);
  process.kill(daemon.pid, 'SIGHUP');
  await until(() => /configuration reloaded/.test(daemon.log), { what: 'the reload' });
  await close(daemon);
});

interface PipeBinding {
  Pipe: new (type: number) => { bind(path: string): number; fd: number; close(): void };
  constants: { SERVER: number };
}

scenario('a service manager hands over the socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-activation-'));
  const { Pipe, constants } = (process as unknown as { binding(name: string): PipeBinding }).binding('pipe_wrap');
  const socket = new Pipe(constants.SERVER);
  assert.equal(socket.bind(join(folder, 'api.sock')), 0);
  const log = openSync(join(folder, 'log'), 'a');
  const flags = ['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'run'), '--bridge', 'none'];
  const child = spawn(
    'sh',
    ['-c', 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$0" "$@"', join(repository, 'bin/wherryd'), ...flags],
    { stdio: ['ignore', log, log, socket.fd], env: { ...process.env, WHERRY_SOURCE: '1' } },
  );
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  try {
    const docker = new Docker(await dockerCli(), `unix://${join(folder, 'api.sock')}`, folder);
    await until(async () => (await docker.run(['version'])).code === 0, {
      timeoutMs: 15_000,
      what: () => `an answer; the log:\n${readFileSync(join(folder, 'log'), 'utf8')}`,
    });
  } finally {
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    closeSync(log);
    socket.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
