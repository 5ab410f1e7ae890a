/** wherryd as an ordinary user: namespaces, a way out, published ports with the client's address, kills, an end that leaves nothing. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { repository } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
import { firstError } from '../support/first-error.ts';
import { busyboxImage } from '../support/images.ts';
import { cannotLaunch, newerPasta, RootlessDaemon, type RootlessDaemonOptions } from '../support/rootless-daemon.ts';

const skip = cannotLaunch() ?? false;
let pasta: string | undefined;
let withoutPasta: string | undefined;
if (skip === false) {
  try {
    pasta = await newerPasta();
  } catch (error) {
    withoutPasta = (error as Error).message;
  }
}

function scenario(
  name: string,
  body: (daemon: RootlessDaemon) => Promise<void>,
  options: RootlessDaemonOptions = {},
  reason?: string,
): void {
  test(name, { skip: skip || (reason ?? false), timeout: 180_000 }, () =>
    firstError(async () => {
      await using daemon = await RootlessDaemon.open(options);
      await daemon.docker.ok('load', '-q', '-i', await busyboxImage());
      await body(daemon);
    }),
  );
}

const page = 'mkdir /www && echo hello >/www/index.html && exec httpd -vv -f -p 80 -h /www';

scenario(
  'ports, the way out, kills',
  async (daemon) => {
    const { docker } = daemon;
    const ok = (...args: string[]): Promise<string> => docker.ok(...args);
    assert.match(
      await ok('info', '-f', '{{.SecurityOptions}} {{.DockerRootDir}}'),
      /name=rootless.* .*home\/\.local\/share\/wherry/,
    );
    const version = daemon.runAsUser(daemon.program('wherry'), 'ps', '--format', '{{.ID}}');
    assert.equal(version.code, 0, version.stderr);

    await ok(
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '8088:80',
      '-p',
      '127.0.0.1:8089:80',
      '-p',
      '8090:53/udp',
      'busybox',
      'sh',
      '-c',
      page,
    );
    const get = (host: string, port: number): string => {
      const { stdout } = daemon.runAsUser('curl', '-s', '--max-time', '5', `http://${host}:${port}/`);
      return stdout;
    };
    const fetchFromClient = (port: number): string =>
      daemon.fromClient('curl', '-s', '--max-time', '5', `http://${daemon.here}:${port}/`);
    await until(() => get('127.0.0.1', 8088) === 'hello\n', { what: 'the page' });
    assert.equal(get('[::1]', 8088), 'hello\n');
    assert.equal(get('127.0.0.1', 8089), 'hello\n');
    assert.equal(get(daemon.here, 8088), 'hello\n', 'from the host, by its other address');
    assert.equal(fetchFromClient(8088), 'hello\n');
    assert.equal(daemon.fromClient('curl', '-s', '--max-time', '5', 'http://[fd57:3a7e::1]:8088/'), 'hello\n', 'IPv6');
    assert.throws(() => fetchFromClient(8089), 'what is published on the loopback stays there');
    await until(async () => (await docker.run(['logs', 'web'])).stderr.includes(`${daemon.there}]`), {
      what: 'the client’s own address',
    });

    // UDP: the machine's own Node echoes, and says who asked.
    const node = process.execPath.startsWith(repository)
      ? join(daemon.root, 'checkout', relative(repository, process.execPath))
      : process.execPath;
    const echo =
      "const s=require('node:dgram').createSocket('udp4');s.on('message',(m,r)=>s.send(`${m} from ${r.address}`,r.port,r.address));s.bind(9)";
    await ok(
      'run',
      '-d',
      '--name',
      'echo',
      '-p',
      '8091:9/udp',
      '-v',
      '/:/host:ro',
      'busybox',
      'chroot',
      '/host',
      node,
      '-e',
      echo,
    );
    const ask = `const s=require('node:dgram').createSocket('udp4');const f=()=>s.send('ping',8091,'${daemon.here}');s.on('message',(m)=>{console.log(String(m));process.exit()});f();setInterval(f,200);setTimeout(()=>process.exit(),8000)`;
    assert.equal(daemon.fromClient(process.execPath, '-e', ask), `ping from ${daemon.there}\n`);

    // The way out: a server beyond the cable.
    const serving = "require('node:net').createServer((s)=>s.end('outside\\n')).listen(7070)";
    const server = spawn('nsenter', ['-t', String(daemon.clientPid), '-n', process.execPath, '-e', serving], {
      stdio: 'ignore',
    });
    try {
      await until(
        async () =>
          (await docker.run(['run', '--rm', 'busybox', 'nc', '-w', '2', daemon.there, '7070'])).stdout === 'outside\n',
        {
          what: 'an answer from outside',
        },
      );
    } finally {
      server.kill('SIGKILL');
    }

    // Taken, and privileged.
    const taken = await docker.run(['run', '--rm', '-p', '8088:80', 'busybox', 'true']);
    assert.match(taken.stderr, /Bind for 0\.0\.0\.0:8088 failed: port is already allocated \(by container "web"\)/);
    const privileged = await docker.run(['run', '--rm', '-p', '81:80', 'busybox', 'true']);
    assert.match(
      privileged.stderr,
      /cannot expose privileged port 81, you can add 'net\.ipv4\.ip_unprivileged_port_start=81'/,
    );
    const [busy = '', ...words] = daemon.asUser('busybox', 'nc', '-l', '-p', '8099');
    const other = spawn(busy, words, { stdio: 'ignore' });
    try {
      await until(
        async () =>
          /address already in use/.test((await docker.run(['run', '--rm', '-p', '8099:80', 'busybox', 'true'])).stderr),
        {
          what: 'a port of somebody else',
        },
      );
    } finally {
      other.kill('SIGKILL');
    }
    assert.match(
      await ok('run', '--rm', '-p', '0:80', '-p', '8100-8110:81', 'busybox', 'echo', 'any port'),
      /any port/,
    );

    // Killed from outside and from inside, all goes on.
    const pid = await ok('inspect', '-f', '{{.State.Pid}}', 'web');
    for (const who of ['launcher', 'daemon'] as const) {
      await daemon.kill('SIGKILL', who === 'launcher' ? daemon.pid : daemon.insidePid);
      assert.equal(fetchFromClient(8088), 'hello\n', `without ${who}`);
      await daemon.start();
      assert.equal(await ok('inspect', '-f', '{{.State.Pid}}', 'web'), pid);
      assert.equal(await ok('exec', 'web', 'id', '-u'), '0');
      assert.equal(get('127.0.0.1', 8088), 'hello\n', `after ${who}`);
      assert.equal(fetchFromClient(8088), 'hello\n', `after ${who}`);
    }
    // A second one of the same user is told.
    const second = daemon.runAsUser(daemon.program('wherryd'));
    assert.equal(second.code, 1);
    assert.match(second.stderr, /failed to start daemon: wherryd with PID \d+ runs/);

    await ok('rm', '-f', 'web', 'echo');
    await until(() => !daemon.processes().some((line) => line.includes('8088:')), {
      what: 'the port to be given back',
    });
    // Started again in order while something runs: it is left alone.
    await ok('run', '-d', '--name', 'stays', '-p', '8088:80', 'busybox', 'sh', '-c', page);
    assert.equal(await daemon.kill('SIGTERM'), 0);
    assert.equal(fetchFromClient(8088), 'hello\n');
    await daemon.start();
    assert.equal(await ok('inspect', '-f', '{{.State.Running}}', 'stays'), 'true');
  },
  pasta === undefined ? {} : { programs: pasta },
  withoutPasta,
);

scenario('images built, composed, committed, with all their owners', async (daemon) => {
  const { docker } = daemon;
  const context = join(daemon.home, 'context');
  mkdirSync(context);
  writeFileSync(
    join(context, 'Dockerfile'),
    'FROM busybox\nRUN touch /made && chown 33:44 /made\nRUN stat -c %u:%g /made\nUSER 33\n',
  );
  const built = daemon.runAsUser(daemon.program('wherry'), 'build', '-q', '-t', 'built', context);
  assert.equal(built.code, 0, built.stderr);
  assert.equal(await docker.ok('run', '--rm', 'built', 'stat', '-c', '%u:%g', '/made'), '33:44');
  writeFileSync(
    join(context, 'compose.yaml'),
    'services:\n  one: {image: built, command: sleep 100, ports: ["8092:80"], volumes: ["data:/data"]}\n  two: {image: busybox, command: ping one, depends_on: [one]}\nvolumes: {data: {}}\n',
  );
  const up = daemon.runAsUser(daemon.program('wherry'), 'compose', '-f', join(context, 'compose.yaml'), 'up', '-d');
  assert.equal(up.code, 0, up.stderr);
  assert.match(await docker.ok('exec', 'context-two-1', 'ping', '-c1', '-W2', 'one'), /1 packets received/);
  // Debian 12 has a pasta that cannot be trusted: slirp4netns is the way out, and ports are relayed.
  if (/may deliver data twice/.test(daemon.log)) {
    assert.match(daemon.log, /published ports are relayed/);
    const serving =
      "require('node:net').createServer({allowHalfOpen:true},(s)=>{s.on('error',()=>{});s.resume();s.write('banner ');setTimeout(()=>s.end('end'),400)}).listen(7070)";
    const server = spawn('nsenter', ['-t', String(daemon.clientPid), '-n', process.execPath, '-e', serving], {
      stdio: 'ignore',
    });
    try {
      await until(
        async () =>
          (await docker.run(['run', '--rm', 'busybox', 'nc', '-w', '2', daemon.there, '7070'])).stdout === 'banner end',
        { what: 'an answer from outside' },
      );
    } finally {
      server.kill('SIGKILL');
    }
  }
  const down = daemon.runAsUser(
    daemon.program('wherry'),
    'compose',
    '-f',
    join(context, 'compose.yaml'),
    'down',
    '-v',
    '-t',
    '0',
  );
  assert.equal(down.code, 0, down.stderr);
});

scenario(
  'a sandbox that was prepared for nothing: one id, no tap; ports are relayed',
  async (daemon) => {
    const { docker } = daemon;
    assert.match(daemon.log, /only one id/);
    assert.match(daemon.log, /no way out of the containers/);
    await docker.ok('run', '-d', '--name', 'web', '-p', '8088:80', 'busybox', 'sh', '-c', page);
    assert.match(daemon.log, /published ports are relayed/);
    await until(
      () => daemon.runAsUser('curl', '-s', '--max-time', '5', 'http://127.0.0.1:8088/').stdout === 'hello\n',
      {
        what: 'the page',
      },
    );
    assert.equal(daemon.fromClient('curl', '-s', '--max-time', '5', `http://${daemon.here}:8088/`), 'hello\n');
    await until(async () => (await docker.run(['logs', 'web'])).stderr.includes(`${daemon.there}]`), {
      what: 'the client’s own address',
    });
    await docker.ok('exec', 'web', 'dd', 'if=/dev/urandom', 'of=/www/big', 'bs=1M', 'count=30');
    const [digest = ''] = (await docker.ok('exec', 'web', 'sha256sum', '/www/big')).split(' ');
    const fetched = daemon.fromClient('sh', '-c', `curl -s --max-time 9 http://${daemon.here}:8088/big | sha256sum`);
    assert.equal(fetched.split(' ')[0], digest);
    const udp = await docker.run(['run', '--rm', '-p', '8088:80/udp', 'busybox', 'true']);
    assert.match(udp.stderr, /only TCP ports can be published without pasta/);
    await docker.ok('network', 'create', 'inner');
    await docker.ok('run', '-d', '--name', 'there', '--network', 'inner', 'busybox', 'sleep', '100');
    assert.match(
      await docker.ok('run', '--rm', '--network', 'inner', 'busybox', 'ping', '-c1', '-W2', 'there'),
      /1 packets received/,
    );
  },
  { bare: true },
);
