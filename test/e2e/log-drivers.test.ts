/** Logs that go elsewhere: syslog over UDP, TCP and a socket file, and a journal played by a program in a mount namespace of its own. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after } from 'node:test';
import { sharedDaemon } from '../support/daemon.ts';
import { Running, until } from '../support/docker.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-logs-'));
mkdirSync(join(folder, 'journal'));
after(() => rmSync(folder, { recursive: true, force: true }));
// The daemon sees a /run of its own in which systemd's journal has a socket.
const withJournal =
  'mount --make-rslave / && mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind "$0" /run/systemd/journal && exec "$@"';
const host = await sharedDaemon({ launcher: ['unshare', '-m', 'sh', '-c', withJournal, join(folder, 'journal')] });
const python = existsSync('/usr/bin/python3') ? undefined : 'needs /usr/bin/python3: Node has no unix datagram sockets';

/** Prints each datagram that comes to a socket file, as a line of hexadecimal. */
const receiver =
  'import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint("ready",flush=True)\nwhile True: print(s.recv(1<<20).hex(),flush=True)\n';

async function receive(path: string): Promise<{ messages: () => string[] } & AsyncDisposable> {
  const script = join(folder, 'receiver.py');
  writeFileSync(script, receiver);
  const running = new Running('/usr/bin/python3', [script, path]);
  await until(() => running.stdout.startsWith('ready'), { what: () => `the receiver: ${running.stderr}` });
  return {
    messages: () =>
      running.stdout
        .split('\n')
        .slice(1, -1)
        .map((line) => Buffer.from(line, 'hex').toString('latin1')),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

const printing = ['busybox', 'sh', '-c', 'echo one; echo two >&2; echo three'];
const options = (address: string): string[] => [
  '--log-driver',
  'syslog',
  '--log-opt',
  `syslog-address=${address}`,
  '--log-opt',
  'tag={{.Name}}/{{.ID}}',
  '--log-opt',
  'syslog-facility=local3',
  '--log-opt',
  'syslog-format=rfc5424',
];
/** local3 is 19; stdout is informational (6), stderr an error (3). */
const expected = [/^<158>1 .* web\/[0-9a-f]{12} .*one/s, /^<155>1 .*two/s, /^<158>1 .*three/s];

function check(messages: readonly string[]): void {
  assert.equal(messages.length, 3, messages.join('\n'));
  for (const pattern of expected)
    assert.ok(
      messages.some((message) => pattern.test(message)),
      messages.join('\n'),
    );
}

host.scenario('syslog over UDP; docker logs works all the same', async () => {
  const messages: string[] = [];
  const socket = createSocket('udp4', (message) => messages.push(message.toString()));
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound));
  try {
    await host.docker.ok('run', '--name', 'web', ...options(`udp://127.0.0.1:${socket.address().port}`), ...printing);
    await until(() => messages.length >= 3, { what: () => messages.join('\n') });
    check(messages);
    assert.deepEqual((await host.docker.ok('logs', 'web')).split('\n').sort(), ['one', 'three']);
  } finally {
    socket.close();
    await host.docker.ok('rm', '-f', 'web');
  }
});

for (const { title, absent } of [
  { title: 'a daemon that is killed goes on where it stopped', absent: 0 },
  { title: 'what a container printed that ended while no daemon ran is sent by the next one', absent: 2500 },
]) {
  host.scenario(`syslog over TCP; ${title}`, async () => {
    let text = '';
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        text += data.toString();
      });
    });
    await new Promise<void>((bound) => server.listen(0, '127.0.0.1', bound));
    const { port } = server.address() as { port: number };
    try {
      const count = 'for i in $(seq 1 60); do echo line-$i-end; usleep 30000; done';
      const syslog = options(`tcp://127.0.0.1:${port}`);
      await host.docker.ok('run', '-d', '--name', 'web', ...syslog, 'busybox', 'sh', '-c', count);
      await until(() => text.includes('line-5-end'), { what: () => text });
      await host.daemon.kill();
      await sleep(absent);
      await host.daemon.start();
      await until(() => text.includes('line-60-end'), { timeoutMs: 20_000, what: () => text.slice(-500) });
      const numbers = [...text.matchAll(/line-(\d+)-end/g)].map((match) => Number(match[1]));
      assert.deepEqual(
        [...new Set(numbers)].sort((a, b) => a - b),
        Array.from({ length: 60 }, (_, index) => index + 1),
      );
      // What had been sent, and not yet been noted as sent, comes twice; none is lost.
      assert.ok(numbers.length <= 75, `${numbers.length} lines`);
    } finally {
      server.close();
      await host.docker.ok('rm', '-f', 'web');
    }
  });
}

host.scenario(
  'syslog to a socket file',
  async () => {
    const path = join(folder, 'syslog.sock');
    await using socket = await receive(path);
    await host.docker.ok('run', '--rm', '--name', 'web', ...options(`unixgram://${path}`), ...printing);
    await until(() => socket.messages().length >= 3, { what: () => socket.messages().join('\n') });
    check(socket.messages());
  },
  { skip: python },
);

host.scenario(
  'journald gets fields that journalctl understands',
  async () => {
    await using journal = await receive(join(folder, 'journal/socket'));
    await host.docker.ok(
      'run',
      '--name',
      'web',
      '--log-driver',
      'journald',
      '--label',
      'x=y',
      '--log-opt',
      'labels=x',
      ...printing,
    );
    await until(() => journal.messages().length >= 3, { what: () => journal.messages().join('\n') });
    const one = journal.messages().find((message) => message.includes('MESSAGE=one\n'))!;
    const id = await host.docker.ok('inspect', '-f', '{{.Id}}', 'web');
    for (const field of [
      'PRIORITY=6',
      'CONTAINER_NAME=web',
      `CONTAINER_ID_FULL=${id}`,
      `CONTAINER_ID=${id.slice(0, 12)}`,
      'IMAGE_NAME=busybox',
    ])
      assert.ok(one.includes(`${field}\n`), `${field} is not in ${one}`);
    assert.ok(
      journal.messages().some((message) => message.includes('MESSAGE=two\n') && message.includes('PRIORITY=3\n')),
    );
    assert.equal(await host.docker.ok('inspect', '-f', '{{.HostConfig.LogConfig.Type}}', 'web'), 'journald');
    await host.docker.ok('rm', 'web');
  },
  { skip: python },
);

host.scenario('an address that makes no sense is refused', async () => {
  const { code, stderr } = await host.docker.run([
    'run',
    '--rm',
    '--log-driver',
    'syslog',
    '--log-opt',
    'syslog-address=ftp://x',
    'busybox',
  ]);
  assert.equal(code, 125);
  assert.match(stderr, /syslog/);
});
