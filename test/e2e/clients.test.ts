/** docker-compose, dockerode, Testcontainers for Node and docker-py driving ordinary scripts. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import Dockerode from 'dockerode';
import { sharedDaemon } from '../support/daemon.ts';
import { execute, type Outcome, until } from '../support/docker.ts';
import { entry, tar } from '../support/images.ts';
import { freePort, pythonClients } from '../support/peers.ts';

const host = await sharedDaemon();
const { scenario } = host;
let noPython: string | undefined;
const python = await pythonClients().catch((error: Error) => {
  noPython = error.message;
  return undefined;
});

/** docker-compose in a folder of its own, with this file. */
function project(name: string, yaml: string): { write: (yaml: string) => void; compose: Compose } {
  const folder = join(host.daemon.root, name);
  mkdirSync(folder);
  const write = (content: string): void => writeFileSync(join(folder, 'docker-compose.yml'), content);
  write(yaml);
  const run = (args: string[]): Promise<Outcome> =>
    execute(python!.python, [python!.compose, '--ansi', 'never', ...args], {
      cwd: folder,
      timeoutMs: 60_000,
      env: {
        ...host.docker.env,
        ...python!.env,
        COMPOSE_HTTP_TIMEOUT: '30',
        // It runs docker itself for exec and run on a terminal.
        PATH: process.env['PATH'],
      },
    });
  const compose = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(args);
    assert.equal(code, 0, `docker-compose ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout + stderr;
  };
  return { write, compose: Object.assign(compose, { run }) };
}

type Compose = ((...args: string[]) => Promise<string>) & { run: (args: string[]) => Promise<Outcome> };

const composeFile = (port: number, greeting: string): string => `
version: "2.4"
services:
  web:
    image: busybox
    command: ["httpd", "-f", "-p", "8080", "-h", "/www"]
    depends_on:
      store:
        condition: service_healthy
    ports: ["127.0.0.1:${port}:8080"]
    volumes: ["content:/www"]
    labels:
      made.by: wherry
    environment:
      GREETING: ${greeting}
    stop_grace_period: 1s
    networks:
      default:
        aliases: [frontend]
  store:
    image: busybox
    command: ["sh", "-c", "trap 'echo bye; exit 0' TERM; echo stored > /www/index.html; echo ready; while :; do sleep 0.1; done"]
    healthcheck:
      test: ["CMD", "test", "-s", "/www/index.html"]
      interval: 200ms
      retries: 20
    volumes: ["content:/www"]
    mem_limit: 64m
    cap_drop: [NET_RAW]
volumes:
  content:
    labels:
      kept: "yes"
`;

scenario(
  'docker-compose: a project from up to down',
  async () => {
    const { docker } = host;
    const port = await freePort();
    const { write, compose } = project('harbour', composeFile(port, 'hello'));
    const up = await compose('up', '-d');
    assert.match(up, /Creating network "harbour_default" with the default driver/);
    assert.match(up, /Creating volume "harbour_content" with default driver/);
    assert.match(up, /Creating harbour_store_1 \.\.\. done[\s\S]*Creating harbour_web_1 +\.\.\. done/);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'stored\n');

    const ps = await compose('ps');
    assert.match(ps, new RegExp(`harbour_web_1 +httpd -f -p 8080 -h /www +Up +127\\.0\\.0\\.1:${port}->8080/tcp`));
    assert.match(ps, /harbour_store_1 .*Up \(healthy\)/s);
    assert.equal((await compose('ps', '-q')).trim().split('\n').length, 2);
    assert.equal((await compose('port', 'web', '8080')).trim(), `127.0.0.1:${port}`);
    assert.match(await compose('images'), /harbour_web_1 +busybox +latest/);
    assert.match(await compose('top', 'web'), /httpd -f -p 8080/);
    assert.deepEqual(await docker.inspect('harbour_web_1', '(index .Config.Labels "made.by")'), 'wherry');
    assert.deepEqual(
      JSON.parse(await docker.ok('volume', 'inspect', '-f', '{{json (index .Labels "kept")}}', 'harbour_content')),
      'yes',
    );
    assert.match(await compose('logs', 'store'), /store_1 +\| ready/);
    assert.match(await compose('logs', '-t', '--tail', '1', 'store'), /store_1 +\| \d{4}-\d\d-\d\dT[\d:.]+Z ready/);
    assert.equal(await compose('exec', '-T', '-e', 'X=1', 'web', 'sh', '-c', 'echo $X $GREETING'), '1 hello\n');
    assert.equal((await compose.run(['exec', '-T', 'web', 'sh', '-c', 'exit 9'])).code, 9);
    assert.equal(await compose('exec', '-T', 'store', 'wget', '-qO-', 'http://web:8080/'), 'stored\n');
    assert.equal(await compose('exec', '-T', 'store', 'wget', '-qO-', 'http://frontend:8080/'), 'stored\n');

    const before = await compose('ps', '-q');
    assert.match(await compose('up', '-d'), /harbour_store_1 is up-to-date[\s\S]*harbour_web_1 is up-to-date/);
    assert.equal(await compose('ps', '-q'), before, 'the second up changes nothing');

    const ran = await compose('run', '--rm', '-T', 'web', 'cat', '/www/index.html');
    assert.match(ran, /stored\n/);
    assert.equal((await compose.run(['run', '--rm', '-T', 'web', 'sh', '-c', 'exit 5'])).code, 5);

    write(composeFile(port, 'changed'));
    assert.match(await compose('up', '-d'), /Recreating harbour_web_1 +\.\.\. done/);
    assert.equal(await compose('exec', '-T', 'web', 'sh', '-c', 'echo $GREETING'), 'changed\n');
    const after = await compose('ps', '-q');
    assert.notEqual(after, before);
    assert.equal(
      after
        .trim()
        .split('\n')
        .filter((id) => before.includes(id)).length,
      1,
      'store is left alone',
    );
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'stored\n', 'its port and volume are kept');

    assert.match(await compose('up', '-d', '--scale', 'store=3', '--no-recreate'), /Creating harbour_store_3 /);
    assert.equal((await compose('ps', '-q', 'store')).trim().split('\n').length, 3);
    assert.match(await compose('pause', 'web'), /Pausing harbour_web_1/);
    assert.match(await compose('ps', 'web'), /Paused/);
    await compose('unpause', 'web');
    assert.match(await compose('restart', '-t', '1', 'web'), /Restarting harbour_web_1 \.\.\. done/);
    assert.match(await compose('kill', '-s', 'KILL', 'web'), /Killing harbour_web_1/);
    await until(async () => /Exit 137/.test(await compose('ps', 'web')), { what: 'Exit 137' });
    assert.match(await compose('start', 'web'), /Starting web \.\.\. done/);
    assert.match(await compose('stop'), /Stopping harbour_web_1 +\.\.\. done/);
    assert.match(await compose('ps'), /harbour_store_1 .*Exit 0/s);
    assert.match(await compose('logs', 'store'), /store_1 +\| bye/);
    assert.match(await compose('rm', '-f', 'web'), /Removing harbour_web_1 \.\.\. done/);
    const down = await compose('down', '-v');
    assert.match(down, /Removing network harbour_default[\s\S]*Removing volume harbour_content/);
    assert.equal(await docker.ok('ps', '-aq'), '');
    assert.equal(await docker.ok('volume', 'ls', '-q', '--filter', 'label=com.docker.compose.project=harbour'), '');
  },
  { timeoutMs: 90_000, skip: noPython },
);

scenario(
  'docker-compose: its errors',
  async () => {
    const { compose } = project(
      'wreck',
      'version: "2.4"\nservices:\n  a:\n    image: busybox\n    command: [no-such]\n',
    );
    const failed = await compose.run(['up', '-d']);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /Cannot start service a: .*exec: "no-such": executable file not found in \$PATH/);
    const none = await compose.run(['exec', '-T', 'a', 'true']);
    assert.equal(none.code, 1);
    await compose('down');
  },
  { skip: noPython },
);

const dockerode = (): Dockerode => new Dockerode({ socketPath: host.daemon.socket });

scenario('dockerode: create, attach with hijack, start, wait, remove', async () => {
  const docker = dockerode();
  const container = await docker.createContainer({
    name: 'rode',
    Image: 'busybox',
    Cmd: ['sh', '-c', 'read line; echo "got $line"; echo oops >&2; exit 3'],
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
  const [out, err] = [new PassThrough(), new PassThrough()];
  container.modem.demuxStream(stream, out, err);
  stream.on('end', () => {
    out.end();
    err.end();
  });
  const waited = container.wait() as Promise<{ StatusCode: number }>;
  await container.start();
  stream.write('a line\n');
  stream.end();
  assert.deepEqual(await Promise.all([text(out), text(err)]), ['got a line\n', 'oops\n']);
  assert.equal(((await container.wait()) as { StatusCode: number }).StatusCode, 3);
  await waited;
  const { State, Name } = await container.inspect();
  assert.deepEqual(
    { name: Name, code: State.ExitCode, running: State.Running },
    { name: '/rode', code: 3, running: false },
  );
  const logs = await container.logs({ stdout: true, stderr: true });
  assert.equal(logs.subarray(8, 19).toString(), 'got a line\n');
  await container.remove();
  await assert.rejects(container.inspect(), { statusCode: 404, reason: 'no such container' });
});

scenario('dockerode: exec, stats, archives, events, top, list', async () => {
  const docker = dockerode();
  const events = await docker.getEvents({ filters: { type: ['container'], label: ['who=rode'] } });
  const seen: string[] = [];
  events.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString('utf8').split('\n').filter(Boolean))
      seen.push((JSON.parse(line) as { Action: string }).Action);
  });
  const container = await docker.createContainer({
    Image: 'busybox',
    Cmd: ['sleep', '100'],
    Labels: { who: 'rode' },
    HostConfig: { Memory: 64 << 20, Init: true },
  });
  await container.start();
  await assert.rejects(container.start(), { statusCode: 304 });

  const exec = await container.exec({
    Cmd: ['sh', '-c', 'cat; echo done >&2; exit 4'],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: true });
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.on('end', () => {
    out.end();
    err.end();
  });
  stream.write('over the wire');
  stream.end();
  assert.deepEqual(await Promise.all([text(out), text(err)]), ['over the wire', 'done\n']);
  const { ExitCode, Running } = await exec.inspect();
  assert.deepEqual({ ExitCode, Running }, { ExitCode: 4, Running: false });

  const terminal = await container.exec({ Cmd: ['tty'], Tty: true, AttachStdout: true });
  assert.match(await text(await terminal.start({ Tty: true })), /^\/dev\/pts\/\d+\r\n$/);

  await container.putArchive(await tar([entry('note', 'file', { body: 'aboard\n', mode: 0o600 })]), { path: '/tmp' });
  const archive = await buffer(await container.getArchive({ path: '/tmp/note' }));
  assert.ok(archive.includes('aboard\n'));
  await assert.rejects(container.getArchive({ path: '/nowhere' }), { statusCode: 404 });
  await assert.rejects(container.putArchive(Buffer.alloc(1024), { path: '/nowhere' }), { statusCode: 404 });

  const once = await container.stats({ stream: false });
  assert.ok(once.memory_stats.usage > 0 && once.memory_stats.limit === 64 << 20);
  assert.ok(once.cpu_stats.cpu_usage.total_usage >= once.precpu_stats.cpu_usage.total_usage);
  assert.ok(once.networks['eth0'] !== undefined);
  const top = (await container.top({ ps_args: '-o pid,args' })) as { Titles: string[]; Processes: string[][] };
  assert.deepEqual(top.Titles, ['PID', 'COMMAND']);
  assert.ok(top.Processes.some((row) => row[1] === 'sleep 100'));

  const follow = (await container.logs({ follow: true, stdout: true, stderr: true })) as unknown as Readable;
  const [listed] = await docker.listContainers({ filters: { label: ['who=rode'] } });
  assert.equal(listed?.Id, container.id);
  assert.match(listed?.Status ?? '', /^Up /);
  await container.update({ Memory: 128 << 20, MemorySwap: 256 << 20 });
  await container.rename({ name: 'rode2' });
  await container.pause();
  await container.unpause();
  await container.stop({ t: 1 });
  assert.equal((await buffer(follow)).length, 0, 'followed logs end with the container');
  await assert.rejects(container.stop(), { statusCode: 304 });
  await container.remove({ v: true });
  await until(() => seen.includes('destroy'), { what: 'the event destroy' });
  (events as unknown as Readable).destroy();
  const plain = seen.filter((action) => !/^(exec|archive|extract|top|attach|resize)/.test(action));
  assert.deepEqual(plain, [
    'create',
    'start',
    'update',
    'rename',
    'pause',
    'unpause',
    'kill',
    'die',
    'stop',
    'destroy',
  ]);
});

scenario('dockerode: networks, volumes, images', async () => {
  const docker = dockerode();
  const network = await docker.createNetwork({ Name: 'rodenet', Labels: { a: 'b' } });
  const volume = await docker.createVolume({ Name: 'rodevol', Labels: { c: 'd' } });
  assert.deepEqual((await docker.getVolume('rodevol').inspect()).Labels, { c: 'd' });
  const [output, container] = (await docker.run(
    'busybox',
    ['sh', '-c', 'echo kept > /v/file; cat /v/file'],
    new PassThrough().resume(),
    { HostConfig: { Binds: ['rodevol:/v'], NetworkMode: 'rodenet' }, Tty: true },
  )) as [{ StatusCode: number }, Dockerode.Container];
  assert.equal(output.StatusCode, 0);
  const image = (await container.commit({ repo: 'rode', tag: 'made', comment: 'c' })) as { Id: string };
  assert.equal((await docker.getImage('rode:made').inspect()).Id, image.Id);
  assert.equal(((await docker.getImage('rode:made').history()) as unknown[]).length, 2);
  await docker.getImage('rode:made').tag({ repo: 'rode', tag: 'again' });
  const saved = await buffer(await docker.getImage('rode:again').get());
  await docker.getImage('rode:again').remove();
  await docker.getImage('rode:made').remove();
  const loading = await docker.loadImage((await import('node:stream')).Readable.from([saved]));
  assert.match(await text(loading as Readable), /Loaded image: rode:again/);
  await docker.getImage('rode:again').remove();
  await container.remove();
  const inspected = (await network.inspect()) as { Labels: object; Containers: object };
  assert.deepEqual(inspected.Labels, { a: 'b' });
  await network.remove();
  await docker.getVolume(volume.Name ?? 'rodevol').remove();
  await assert.rejects(network.remove(), { statusCode: 404 });
  const { ServerVersion } = (await docker.info()) as { ServerVersion: string };
  assert.match(ServerVersion, /^\d+\.\d+\.\d+/);
});

scenario(
  'Testcontainers for Node',
  async () => {
    Object.assign(process.env, { TESTCONTAINERS_RYUK_DISABLED: 'true', DOCKER_HOST: host.daemon.host });
    const { GenericContainer, Network, Wait } = await import('testcontainers');
    const network = await new Network().start();
    const lines: string[] = [];
    const server = await new GenericContainer('busybox')
      .withCommand(['sh', '-c', 'echo starting; sleep 0.3; echo serving; exec httpd -f -v -p 8080 -h /www'])
      .withExposedPorts(8080)
      .withNetwork(network)
      .withNetworkAliases('server')
      .withCopyContentToContainer([{ content: 'from the test\n', target: '/www/index.html' }])
      .withEnvironment({ MODE: 'test' })
      .withLabels({ 'made.by': 'testcontainers' })
      .withTmpFs({ '/scratch': 'rw,size=1m' })
      .withHealthCheck({
        test: ['CMD-SHELL', 'wget -qO- http://127.0.0.1:8080/'],
        interval: 200,
        retries: 20,
        timeout: 5000,
      })
      .withWaitStrategy(
        Wait.forAll([
          Wait.forLogMessage('serving'),
          Wait.forListeningPorts(),
          Wait.forHttp('/', 8080).forStatusCode(200),
          Wait.forHealthCheck(),
        ]),
      )
      .withLogConsumer((stream) => {
        stream.on('data', (line: string) => lines.push(line));
      })
      .withStartupTimeout(20_000)
      .start();
    const url = `http://${server.getHost()}:${server.getMappedPort(8080)}/`;
    assert.equal(await (await fetch(url)).text(), 'from the test\n');
    const { output, exitCode, stdout, stderr } = await server.exec(['sh', '-c', 'echo $MODE; echo err >&2; exit 6']);
    assert.deepEqual(
      { exitCode, stdout, stderr, whole: output.length },
      { exitCode: 6, stdout: 'test\n', stderr: 'err\n', whole: 9 },
    );
    assert.equal(
      (await server.exec('id -u', { user: 'nobody', workingDir: '/tmp', env: { A: 'b' } })).stdout,
      '65534\n',
    );

    const file = join(host.daemon.root, 'copied');
    writeFileSync(file, 'by path\n');
    await server.copyFilesToContainer([{ source: file, target: '/www/copied', mode: 0o644 }]);
    await server.copyContentToContainer([{ content: 'by content\n', target: '/www/deep/er.txt' }]);
    assert.equal(await (await fetch(`${url}copied`)).text(), 'by path\n');
    assert.equal(await (await fetch(`${url}deep/er.txt`)).text(), 'by content\n');
    assert.ok((await buffer(await server.copyArchiveFromContainer('/www/copied'))).includes('by path\n'));

    const client = await new GenericContainer('busybox')
      .withNetwork(network)
      .withCommand(['wget', '-qO-', 'http://server:8080/'])
      .withWaitStrategy(Wait.forOneShotStartup())
      .start();
    assert.match(await text(await client.logs()), /from the test/);
    await client.stop();

    const address = server.getIpAddress(network.getName());
    assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
    await server.restart({ timeout: 1 });
    assert.equal(
      await (await fetch(`http://${server.getHost()}:${server.getMappedPort(8080)}/`)).text(),
      'from the test\n',
    );
    assert.ok(lines.some((line) => line.includes('serving')));
    const id = await server.commit({ repo: 'committed', tag: 'tc', deleteOnExit: false });
    assert.match(id, /^sha256:/);
    await server.stop({ timeout: 1 });
    await network.stop();
    await assert.rejects(
      new GenericContainer('busybox')
        .withCommand(['false'])
        .withWaitStrategy(Wait.forLogMessage('never'))
        .withStartupTimeout(2000)
        .start(),
      /never/,
    );
    await host.docker.ok('rmi', 'committed:tc');
    await host.daemon.clear();
  },
  { timeoutMs: 60_000 },
);

const pythonScript = `
import docker, io, json, tarfile, threading, time
client = docker.from_env(version='auto')
assert client.ping()
assert client.version()['ApiVersion'] == '1.51', client.version()
info = client.info()
assert info['OSType'] == 'linux'

# run attached
assert client.containers.run('busybox', 'echo hello', remove=True) == b'hello\\n'
assert client.containers.run('busybox', ['sh', '-c', 'echo o; echo e >&2'], stdout=True, stderr=True, remove=True) in (b'o\\ne\\n', b'e\\no\\n')
try:
    client.containers.run('busybox', ['sh', '-c', 'echo bad >&2; exit 7'], remove=True)
    raise SystemExit('no ContainerError')
except docker.errors.ContainerError as error:
    assert error.exit_status == 7 and error.stderr == b'bad\\n', (error.exit_status, error.stderr)
try:
    client.containers.run('busybox', 'no-such-program')
    raise SystemExit('no APIError')
except docker.errors.APIError as error:
    assert error.status_code == 400 and 'executable file not found in $PATH' in error.explanation, error
for left in client.containers.list(all=True): left.remove(force=True)

# events, detached
seen = []
stream = client.events(decode=True, filters={'label': 'who=py'})
watcher = threading.Thread(target=lambda: [seen.append(event['Action']) for event in stream], daemon=True)
watcher.start()
time.sleep(0.2)
network = client.networks.create('pynet', driver='bridge', labels={'x': 'y'}, ipam=docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet='10.215.7.0/24', gateway='10.215.7.1')]))
volume = client.volumes.create('pyvol', labels={'v': 'w'})
container = client.containers.run('busybox', ['sh', '-c', 'for i in 1 2 3; do echo line $i; done; exec sleep 100'],
    detach=True, name='py', labels={'who': 'py'}, environment={'A': 'b'}, network='pynet', hostname='snake', init=True,
    volumes={'pyvol': {'bind': '/v', 'mode': 'rw'}}, ports={'80/tcp': ('127.0.0.1', None), '81/udp': None}, mem_limit='64m', nano_cpus=500000000,
    cap_drop=['NET_RAW'], tmpfs={'/t': 'size=1m'}, ulimits=[docker.types.Ulimit(name='nofile', soft=100, hard=200)],
    log_config=docker.types.LogConfig(type='json-file', config={'max-size': '1m'}), stop_signal='SIGKILL',
    healthcheck={'test': ['CMD', 'true'], 'interval': 200000000, 'timeout': 1000000000, 'retries': 3})
end = time.time() + 10
while container.logs().count(b'line') < 3 and time.time() < end: time.sleep(0.05)
container.reload()
assert container.status == 'running' and container.name == 'py'
assert container.attrs['Config']['Hostname'] == 'snake'
assert container.attrs['NetworkSettings']['Networks']['pynet']['IPAddress'].startswith('10.215.7.')
assert container.ports['80/tcp'][0]['HostIp'] == '127.0.0.1', container.ports
assert int(container.ports['81/udp'][0]['HostPort']) > 0
assert container.image.tags == ['busybox:latest']
assert container.logs() == b'line 1\\nline 2\\nline 3\\n', container.logs()
assert container.logs(tail=1) == b'line 3\\n'
assert container.logs(timestamps=True).startswith(b'20')
lines = container.logs(stream=True, follow=True)
assert next(lines) == b'line 1\\n'
lines.close()

# exec
code, output = container.exec_run(['sh', '-c', 'echo $A $B; exit 3'], environment={'B': 'c'})
assert (code, output) == (3, b'b c\\n'), (code, output)
code, output = container.exec_run('sh -c "echo o; echo e >&2"', demux=True)
assert (code, output) == (0, (b'o\\n', b'e\\n')), (code, output)
assert container.exec_run('id -u', user='nobody', workdir='/tmp').output == b'65534\\n'
assert b''.join(container.exec_run('seq 1 1000', stream=True).output).count(b'\\n') == 1000
_, sock = container.exec_run('cat', stdin=True, socket=True)
sock._sock.sendall(b'through a socket')
import socket as sockets
sock._sock.shutdown(sockets.SHUT_WR)
received = b''
while True:
    piece = sock._sock.recv(4096)
    if not piece: break
    received += piece
assert received[8:] == b'through a socket', received
assert container.exec_run('nope').exit_code == 127

# archives
def tarred(name, body):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as archive:
        header = tarfile.TarInfo(name); header.size = len(body); header.mode = 0o640; header.uid = 33
        archive.addfile(header, io.BytesIO(body))
    return out.getvalue()
assert container.put_archive('/v', tarred('note', b'from python'))
assert container.exec_run('stat -c "%a %u" /v/note').output == b'640 33\\n'
chunks, stat = container.get_archive('/v/note')
assert stat['name'] == 'note' and stat['size'] == 11, stat
with tarfile.open(fileobj=io.BytesIO(b''.join(chunks))) as archive:
    assert archive.extractfile('note').read() == b'from python'
try:
    container.get_archive('/nowhere'); raise SystemExit('no NotFound')
except docker.errors.NotFound as error: assert 'Could not find the file /nowhere in container' in error.explanation, error

# stats, top, diff, update, rename, pause, restart
stats = container.stats(stream=False)
assert stats['memory_stats']['limit'] == 64 << 20 and stats['name'] == '/py', stats['name']
streaming = container.stats(stream=True, decode=True)
assert next(streaming)['id'] == container.id
streaming.close()
assert any('sleep 100' in row[-1] for row in container.top()['Processes'])
container.exec_run('touch /touched')
assert {'Path': '/touched', 'Kind': 1} in container.diff()
container.update(mem_limit='128m', memswap_limit='256m')
container.rename('py2')
container.pause(); container.reload(); assert container.status == 'paused'
container.unpause()
container.restart(timeout=1)
end = time.time() + 10
while container.logs().count(b'line 1') < 2 and time.time() < end: time.sleep(0.05)
assert container.logs().count(b'line 1') == 2, container.logs()
end = time.time() + 10
while True:
    container.reload()
    if container.attrs['State']['Health']['Status'] == 'healthy': break
    assert time.time() < end, container.attrs['State']
    time.sleep(0.1)

# lists and filters
assert [c.name for c in client.containers.list(filters={'label': 'who=py'})] == ['py2']
assert client.containers.list(filters={'status': 'exited'}) == []
assert client.containers.get(container.short_id).id == container.id
network.reload(); assert [c.name for c in network.containers] == ['py2']
second = client.containers.create('busybox', 'true', name='second', labels={'second': '1'})
network.connect(second, aliases=['other'], ipv4_address='10.215.7.77')
second.reload()
assert second.attrs['NetworkSettings']['Networks']['pynet']['IPAMConfig']['IPv4Address'] == '10.215.7.77'
network.disconnect(second)
try:
    volume.remove(); raise SystemExit('no conflict')
except docker.errors.APIError as error: assert error.status_code == 409 and 'volume is in use' in error.explanation, error
try:
    network.remove(); raise SystemExit('no refusal')
except docker.errors.APIError as error: assert 'has active endpoints' in error.explanation, error
try:
    client.containers.get('nobody'); raise SystemExit('no NotFound')
except docker.errors.NotFound as error: assert error.explanation == 'No such container: nobody', error

# wait, images
assert container.wait.__self__ is container
waiter = {}
thread = threading.Thread(target=lambda: waiter.update(container.wait())); thread.start()
time.sleep(0.2)
container.stop(timeout=1)
thread.join(10)
assert waiter['StatusCode'] == 137, waiter
image = container.commit(repository='pyimage', tag='1', conf={'Cmd': ['cat', '/touched']}, message='m', author='a')
assert image.tags == ['pyimage:1'] and image.attrs['Comment'] == 'm'
assert image.tag('pyimage', '2'); image.reload(); assert sorted(image.tags) == ['pyimage:1', 'pyimage:2']
assert client.containers.run('pyimage:2', remove=True) == b''
saved = b''.join(image.save(named='pyimage:2'))
client.images.remove('pyimage:1'); client.images.remove('pyimage:2')
try:
    client.images.get('pyimage:1'); raise SystemExit('no ImageNotFound')
except docker.errors.ImageNotFound: pass
assert client.images.load(saved)[0].tags == ['pyimage:2']
assert len(client.images.get('pyimage:2').history()) == 2
assert [i.tags for i in client.images.list('pyimage')] == [['pyimage:2']]
client.images.remove('pyimage:2')
container.remove(v=True)
end = time.time() + 5
while 'destroy' not in seen and time.time() < end: time.sleep(0.05)
stream.close()
for action in ['create', 'start', 'health_status: healthy', 'rename', 'pause', 'unpause', 'restart', 'kill', 'die', 'stop', 'commit', 'destroy']:
    assert action in seen, (action, seen)

# prune
pruned = client.containers.prune(filters={'label': 'second'})
assert pruned['ContainersDeleted'] == [second.id], pruned
assert 'pynet' in client.networks.prune()['NetworksDeleted']
assert client.volumes.prune()['VolumesDeleted'] is None or 'pyvol' not in client.volumes.prune()['VolumesDeleted']
assert 'pyvol' in client.volumes.prune(filters={'all': 'true'})['VolumesDeleted']
assert client.images.prune()['SpaceReclaimed'] >= 0
assert client.df()['Images'][0]['RepoTags'] == ['busybox:latest']
assert client.containers.list(all=True) == []

# a terminal and attach over a socket
tty = client.containers.create('busybox', 'sh', tty=True, stdin_open=True)
sock = tty.attach_socket(params={'stdin': 1, 'stdout': 1, 'stream': 1})
tty.start(); tty.resize(30, 90)
sock._sock.sendall(b'stty size; exit 4\\n')
assert tty.wait()['StatusCode'] == 4
received = b''
while True:
    piece = sock._sock.recv(4096)
    if not piece: break
    received += piece
assert b'30 90' in received, received
tty.remove()
print('all is well')
`;

scenario(
  'docker-py',
  async () => {
    const script = join(host.daemon.root, 'script.py');
    writeFileSync(script, pythonScript);
    const { code, stdout, stderr } = await execute(python!.python, [script], {
      timeoutMs: 50_000,
      env: { ...host.docker.env, ...python!.env },
    });
    await host.daemon.clear();
    assert.equal(code, 0, `${stderr}\n${readFileSync(host.daemon.logFile, 'utf8').slice(-500)}`);
    assert.equal(stdout, 'all is well\n');
  },
  { skip: noPython },
);
