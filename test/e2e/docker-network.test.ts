/** Networks and published ports through the stock CLI, with real traffic on loopback and between containers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { ownSubnets, sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
import { freePort } from '../support/peers.ts';

const host = await sharedDaemon({ args: ownSubnets(), expectedErrors: [/port is already allocated/] });
const { scenario } = host;
const inside = (flags: string[], script: string): Promise<string> =>
  host.docker.ok('run', '--rm', ...flags, 'busybox', 'sh', '-c', script);

/** What a TCP port answers to a connection, "" when it refuses. */
function answer(port: number, address = '127.0.0.1'): Promise<string> {
  return new Promise((done) => {
    let text = '';
    const socket = connect(port, address);
    socket.setTimeout(2000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    socket.on('error', () => {});
    socket.on('close', () => done(text.trim()));
  });
}

/** A server that greets each connection with these words. */
const greeter = (words: string, port = 80): string[] => [
  'busybox',
  'nc',
  '-ll',
  '-p',
  String(port),
  '-e',
  'echo',
  words,
];
const greets = (port: number, words: string, address?: string): Promise<void> =>
  until(async () => (await answer(port, address)) === words, { timeoutMs: 15_000, what: `"${words}" on port ${port}` });
const portOf = (name: string, inner = '80/tcp'): Promise<number> =>
  host.docker.ok('port', name, inner).then((text) => Number(/:(\d+)$/m.exec(text)![1]));

scenario('modes: bridge has a route, none has only loopback, host is the host, container: is the other', async () => {
  assert.match(await inside([], 'ip route'), /^default via [\d.]+ dev eth0/m);
  assert.match(await inside(['--network', 'none'], 'ls /sys/class/net | tr "\\n" " "'), /^lo $|^lo$/);
  assert.match(await inside(['--network', 'host'], 'ls /sys/class/net'), new RegExp(host.daemon.bridge));
  await host.docker.ok('run', '-d', '--name', 'base', '-h', 'basehost', 'busybox', 'sleep', '600');
  const ip = 'ip -4 -o addr show eth0';
  assert.equal(
    await inside(['--network', 'container:base'], `${ip}; hostname`),
    `${await host.docker.ok('exec', 'base', 'sh', '-c', ip)}\nbasehost`,
  );
  assert.match(
    await host.docker.fails('run', '--rm', '--network', 'container:base', '-p', '80', 'busybox'),
    /conflicting options: port publishing and the container type network mode/,
  );
  await host.docker.ok('rm', '-f', 'base');
});

scenario('published: ephemeral, fixed, loopback only, IPv6, a range, all exposed ports', async () => {
  const { docker } = host;
  const [fixed, local, six] = [await freePort(), await freePort(), await freePort()];
  await docker.ok(
    'run',
    '-d',
    '--name',
    'web',
    '-p',
    '80',
    '-p',
    `${fixed}:80`,
    '-p',
    `127.0.0.1:${local}:80`,
    '-p',
    `[::1]:${six}:80`,
    ...greeter('hello'),
  );
  const ports = await docker.ok('port', 'web');
  assert.match(ports, new RegExp(`80/tcp -> 0\\.0\\.0\\.0:${fixed}`));
  assert.match(ports, new RegExp(`80/tcp -> 127\\.0\\.0\\.1:${local}`));
  assert.match(ports, new RegExp(`80/tcp -> \\[::1\\]:${six}`));
  const ephemeral = Number(/0\.0\.0\.0:(\d+)/g.exec(ports.replace(`0.0.0.0:${fixed}`, ''))![1]);
  for (const port of [ephemeral, fixed, local]) await greets(port, 'hello');
  await greets(fixed, 'hello', '::1');
  await greets(six, 'hello', '::1');
  assert.match(await docker.ok('ps', '--format', '{{.Ports}}'), new RegExp(`127\\.0\\.0\\.1:${local}->80/tcp`));
  await docker.ok('stop', '-t', '0', 'web');
  assert.equal(await answer(fixed), '', 'closed after stop');
  await docker.ok('start', 'web');
  await greets(fixed, 'hello');
  await docker.ok('rm', '-f', 'web');
  const first = 20_000 + Math.floor(Math.random() * 9000);
  await docker.ok(
    'run',
    '-d',
    '--name',
    'range',
    '-p',
    `127.0.0.1:${first}-${first + 2}:80-82`,
    ...greeter('range', 81),
  );
  await greets(first + 1, 'range');
  await docker.ok('rm', '-f', 'range');
  await docker.ok('run', '-d', '--name', 'expo', '--expose', '80', '--expose', '9000/udp', '-P', ...greeter('all'));
  await greets(await portOf('expo'), 'all');
  assert.match(await docker.ok('port', 'expo', '9000/udp'), /^0\.0\.0\.0:\d+/);
  await docker.ok('rm', '-f', 'expo');
});

scenario('a port that is taken: the owner is named, the container stays created', async () => {
  const { docker } = host;
  const port = await freePort();
  await docker.ok('run', '-d', '--name', 'owner', '-p', `${port}:80`, ...greeter('mine'));
  const refused = await docker.fails('run', '-d', '--name', 'late', '-p', `${port}:80`, ...greeter('not'));
  assert.match(refused, new RegExp(`^125: .*(port is already allocated|address already in use)`, 's'));
  assert.match(refused, /owner/);
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Status}}', 'late'), 'created');
  await docker.ok('rm', '-f', 'owner');
  await docker.ok('start', 'late');
  await greets(port, 'not');
  await docker.ok('rm', '-f', 'late');
});

scenario('a published port from another container, and from the container itself', async () => {
  const { docker } = host;
  await docker.ok('run', '-d', '--name', 'pub', '-p', '80', ...greeter('around'));
  const port = await portOf('pub');
  const gateway = (await docker.ok('network', 'inspect', 'bridge', '-f', '{{(index .IPAM.Config 0).Gateway}}')).trim();
  assert.equal(await inside([], `nc -w 2 ${gateway} ${port} < /dev/null`), 'around');
  assert.equal(await docker.ok('exec', 'pub', 'sh', '-c', `nc -w 2 ${gateway} ${port} < /dev/null`), 'around');
  assert.equal(await inside(['--add-host', 'up:host-gateway'], `nc -w 2 up ${port} < /dev/null`), 'around');
  await docker.ok('rm', '-f', 'pub');
});

scenario('network create: subnet, gateway, range, static addresses, labels, internal, options; errors', async () => {
  const { docker } = host;
  const subnet = `10.215.${Math.floor(Math.random() * 250)}`;
  const id = await docker.ok(
    'network',
    'create',
    '--subnet',
    `${subnet}.0/24`,
    '--gateway',
    `${subnet}.9`,
    '--ip-range',
    `${subnet}.128/25`,
    '--label',
    'a=b',
    '-o',
    'com.docker.network.bridge.name=wt' + String(process.pid),
    'own',
  );
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.match(
    await inside(['--network', 'own', '--ip', `${subnet}.77`], 'ip -4 -o addr show eth0; ip route'),
    new RegExp(`${subnet}\\.77/24[\\s\\S]*default via ${subnet}\\.9`),
  );
  assert.match(await inside(['--network', 'own'], 'ip -4 -o addr show eth0'), new RegExp(`${subnet}\\.1[2-9]\\d`));
  assert.equal(
    await docker.ok('network', 'ls', '--filter', 'label=a=b', '--format', '{{.Name}} {{.Driver}}'),
    'own bridge',
  );
  assert.match(
    await docker.fails('network', 'create', '--subnet', `${subnet}.0/25`, 'other'),
    /Pool overlaps with other one on this address space/,
  );
  assert.match(await docker.fails('network', 'create', 'own'), /network with name own already exists/);
  assert.match(
    await docker.fails('network', 'create', 'bridge'),
    /operation is not permitted on predefined bridge network|network with name bridge already exists/,
  );
  assert.match(
    await docker.fails('network', 'create', '-d', 'nope', 'x1'),
    /could not find plugin nope|plugin "nope" not found/,
  );
  assert.match(await docker.fails('network', 'rm', 'bridge'), /bridge is a pre-defined network and cannot be removed/);
  assert.match(
    await docker.fails('run', '--rm', '--network', 'own', '--ip', '10.99.99.99', 'busybox'),
    /no configured subnet contains|invalid.*address|not in|does not belong/i,
  );
  const running = await docker.ok(
    'run',
    '-d',
    '--network',
    'own',
    '--mac-address',
    '02:42:ac:11:aa:bb',
    'busybox',
    'sleep',
    '600',
  );
  assert.equal(await docker.ok('exec', running, 'cat', '/sys/class/net/eth0/address'), '02:42:ac:11:aa:bb');
  assert.match(await docker.fails('network', 'rm', 'own'), /has active endpoints/);
  await docker.ok('rm', '-f', running);
  assert.equal(await docker.ok('network', 'rm', 'own'), 'own');
  await docker.ok('network', 'create', '--internal', 'closed');
  assert.doesNotMatch(await inside(['--network', 'closed'], 'ip route'), /default/);
  await docker.ok('network', 'rm', 'closed');
});

scenario('names: container, alias, short id, hostname, links; round robin; not on the default bridge', async () => {
  const { docker } = host;
  await docker.ok('network', 'create', 'names');
  const id = await docker.ok(
    'run',
    '-d',
    '--name',
    'alpha',
    '-h',
    'alfa',
    '--network',
    'names',
    '--network-alias',
    'shared',
    ...greeter('A'),
  );
  await docker.ok('run', '-d', '--name', 'beta', '--network', 'names', '--network-alias', 'shared', ...greeter('B'));
  for (const name of ['alpha', id.slice(0, 12)])
    assert.equal(await inside(['--network', 'names'], `nc -w 2 ${name} 80 < /dev/null`), 'A');
  const firsts = await inside(
    ['--network', 'names'],
    'for i in 1 2 3 4 5 6 7 8; do nslookup -type=a shared | grep -A1 ^Name | grep -m1 ^Address; done',
  );
  assert.equal(new Set(firsts.split('\n')).size, 2, `both come first in turn: ${firsts}`);
  assert.equal(await inside(['--network', 'names', '--link', 'alpha:ally'], 'nc -w 2 ally 80 < /dev/null'), 'A');
  assert.equal((await docker.run(['run', '--rm', 'busybox', 'nslookup', 'alpha'])).code !== 0, true);
  assert.match(await inside(['--network', 'names'], 'cat /etc/resolv.conf'), /nameserver 127\.0\.0\.11/);
  const ip = await docker.ok('inspect', '-f', '{{.NetworkSettings.Networks.names.IPAddress}}', 'alpha');
  assert.match(await inside(['--network', 'names'], `nslookup ${ip} || true`), /alpha\.names/);
  await docker.ok('rm', '-f', 'alpha', 'beta');
  await docker.ok('network', 'rm', 'names');
});

scenario('isolation, then connect and disconnect live', async () => {
  const { docker } = host;
  await docker.ok('network', 'create', 'left');
  await docker.ok('network', 'create', 'right');
  await docker.ok('run', '-d', '--name', 'lefty', '--network', 'left', ...greeter('L'));
  await docker.ok('run', '-d', '--name', 'righty', '--network', 'right', 'busybox', 'sleep', '600');
  const ip = await docker.ok('inspect', '-f', '{{.NetworkSettings.Networks.left.IPAddress}}', 'lefty');
  const reach = async (target: string): Promise<string> =>
    (await docker.run(['exec', 'righty', 'sh', '-c', `nc -w 1 ${target} 80 < /dev/null`])).stdout.trim();
  assert.equal(await reach(ip), '', 'networks do not see each other');
  assert.equal(await reach('lefty'), '');
  await docker.ok('network', 'connect', '--alias', 'visitor', 'left', 'righty');
  assert.equal(await reach('lefty'), 'L');
  assert.match(await docker.ok('exec', 'righty', 'ls', '/sys/class/net'), /eth1/);
  assert.equal(await docker.ok('exec', 'lefty', 'sh', '-c', 'nslookup visitor > /dev/null && echo known'), 'known');
  assert.match(await docker.fails('network', 'connect', 'left', 'righty'), /already exists in network left/);
  await docker.ok('network', 'disconnect', 'left', 'righty');
  assert.equal(await reach(ip), '');
  assert.match(
    await docker.fails('network', 'disconnect', 'left', 'righty'),
    /is not connected to (the )?network left/,
  );
  await docker.ok('network', 'connect', 'left', 'righty');
  await docker.ok('restart', '-t', '0', 'righty');
  assert.equal(await reach('lefty'), 'L', 'and after a restart');
  await docker.ok('rm', '-f', 'lefty', 'righty');
  await docker.ok('network', 'prune', '-f');
  assert.equal(await docker.ok('network', 'ls', '-q', '--filter', 'type=custom'), '');
});

scenario('IPv6 networks', async () => {
  const { docker } = host;
  const prefix = `fd77:${(process.pid & 0xffff).toString(16)}::`;
  await docker.ok('network', 'create', '--ipv6', '--subnet', `${prefix}/64`, 'six');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'sixer',
    '--network',
    'six',
    '--ip6',
    `${prefix}77`,
    'busybox',
    'nc',
    '-ll',
    '-p',
    '80',
    '-e',
    'echo',
    'six',
  );
  assert.equal(await inside(['--network', 'six'], `sleep 0.2; nc -w 2 ${prefix}77 80 < /dev/null`), 'six');
  await docker.ok('rm', '-f', 'sixer');
  await docker.ok('network', 'rm', 'six');
});

scenario('a bridge that somebody deleted comes back, and its containers with it', async () => {
  await host.docker.ok('network', 'create', 'fragile');
  const bridge = (await host.docker.ok('network', 'inspect', '-f', '{{.Id}}', 'fragile')).slice(0, 12);
  await host.docker.ok('run', '-d', '--name', 'before', '--network', 'fragile', 'busybox', 'sleep', '600');
  const link = readdirSync('/sys/class/net').find((name) => name.endsWith(`-${bridge.slice(0, 7)}`));
  assert.ok(link !== undefined, readdirSync('/sys/class/net').join(' '));
  execFileSync('ip', ['link', 'del', link]);
  const ping = ['busybox', 'ping', '-c', '1', '-W', '2', 'before'];
  assert.match(await host.docker.ok('run', '--rm', '--network', 'fragile', ...ping), /1 packets received/);
  await host.docker.ok('rm', '-f', 'before');
  await host.docker.ok('network', 'rm', 'fragile');
});
