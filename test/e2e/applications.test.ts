/** PostgreSQL 15 and nginx from Debian's packages in containers, used over published ports, as people use them. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { join } from 'node:path';
import { sharedDaemon } from '../support/daemon.ts';
import { execute, must, until } from '../support/docker.ts';
import { debianFilesystem } from '../support/images.ts';
import { freePort } from '../support/peers.ts';

const host = await sharedDaemon();
const { scenario } = host;
const image = 'debian-apps';

let skip: string | undefined;
try {
  const tar = await debianFilesystem();
  await host.docker.ok(
    'import',
    '-c',
    'ENV PATH=/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    '-c',
    'ENV LC_ALL=C.UTF-8',
    '-c',
    'CMD ["bash"]',
    tar,
    image,
  );
} catch (error) {
  skip = `no Debian image: ${(error as Error).message}`;
}

const postgres = [
  'bash',
  '-c',
  `set -e
   mkdir -p /run/postgresql && chown postgres /run/postgresql
   chown postgres /data
   if [ ! -s /data/PG_VERSION ]; then
     su postgres -c "initdb -D /data -A trust -U postgres" > /dev/null
     echo "host all all all trust" >> /data/pg_hba.conf
   fi
   exec setpriv --reuid postgres --regid postgres --init-groups postgres -D /data -c listen_addresses='*' -c fsync=off`,
];

/** The body of a page over a connection of its own, "" when there is none. */
const fetchText = (url: string): Promise<string> =>
  new Promise((done) => {
    const message = get(url, { agent: false, timeout: 3000 }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString('utf8');
      });
      answer.on('end', () => done(text));
    });
    message.on('timeout', () => message.destroy());
    message.on('error', () => done(''));
  });

scenario(
  'PostgreSQL: a health check, SQL over the published port, data that survives rm in a volume',
  async () => {
    const { docker } = host;
    const port = await freePort();
    const start = (): Promise<string> =>
      docker.ok(
        'run',
        '-d',
        '--name',
        'pg',
        '-p',
        `127.0.0.1:${port}:5432`,
        '-v',
        'pgdata:/data',
        '--shm-size',
        '128m',
        '--stop-signal',
        'INT',
        '--health-cmd',
        'pg_isready -U postgres',
        '--health-interval',
        '1s',
        '--health-start-interval',
        '200ms',
        '--health-start-period',
        '30s',
        '--health-retries',
        '3',
        image,
        ...postgres,
      );
    const ready = (): Promise<void> =>
      until(async () => (await docker.ok('inspect', '-f', '{{.State.Health.Status}}', 'pg')) === 'healthy', {
        timeoutMs: 40_000,
        what: 'a healthy database',
      });
    const hasClient = (await execute('psql', ['--version'])).code === 0;
    const sql = (text: string): Promise<string> =>
      hasClient
        ? must('psql', ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-tAqc', text], {
            env: { PGCONNECT_TIMEOUT: '5' },
          })
        : docker.ok('exec', '-u', 'postgres', 'pg', 'psql', '-tAqc', text);
    await start();
    await ready();
    assert.match(await sql('select version()'), /^PostgreSQL 15\./);
    await sql('create table t(n int, s text); insert into t select i, md5(i::text) from generate_series(1, 20000) i');
    assert.equal(await sql('select count(*), sum(n) from t'), '20000|200010000');
    await docker.ok('stop', 'pg');
    assert.equal(await docker.inspect('pg', '.State.ExitCode'), 0, 'a fast shutdown on SIGINT');
    await docker.ok('rm', 'pg');
    await start();
    await ready();
    assert.equal(await sql('select s from t where n = 4242'), createHash('md5').update('4242').digest('hex'));
    await docker.ok('restart', 'pg');
    await ready();
    assert.equal(await sql('select count(*) from t'), '20000');
    await host.daemon.restart();
    assert.equal(await sql('select count(*) from t'), '20000', 'over a new connection while the next daemon is up');
    await docker.ok('rm', '-f', 'pg');
    await docker.ok('volume', 'rm', 'pgdata');
  },
  { skip, timeoutMs: 110_000 },
);

scenario(
  'nginx: a page from a bind mount, changed live, reload by signal, a large file whole, many clients',
  async () => {
    const { docker, daemon } = host;
    const site = mkdtempSync(join(daemon.root, 'site-'));
    chmodSync(site, 0o755);
    writeFileSync(join(site, 'index.html'), '<h1>first</h1>');
    await docker.ok(
      'run',
      '-d',
      '--name',
      'web',
      '-p',
      '80',
      '-v',
      `${site}:/var/www/html:ro`,
      image,
      'nginx',
      '-g',
      'daemon off;',
    );
    const port = Number((await docker.ok('port', 'web', '80/tcp')).split('\n')[0]!.split(':').pop());
    const page = (): Promise<string> => fetchText(`http://127.0.0.1:${port}/`);
    await until(async () => (await page()) === '<h1>first</h1>', { what: 'the page' });
    writeFileSync(join(site, 'index.html'), '<h1>second</h1>');
    assert.equal(await page(), '<h1>second</h1>');
    assert.equal(await fetchText(`http://[::1]:${port}/`), '<h1>second</h1>');
    await docker.ok('kill', '-s', 'HUP', 'web');
    await until(async () => (await page()) === '<h1>second</h1>', { what: 'the page after the reload' });
    await docker.ok(
      'exec',
      'web',
      'sh',
      '-c',
      'mkdir /srv/big && head -c 30000000 /dev/urandom > /srv/big/f && sed -i "s#root /var/www/html;#root /var/www/html; location /big { root /srv; rewrite ^/big$ /big/f; }#" /etc/nginx/sites-enabled/default && nginx -s reload',
    );
    const sum = (await docker.ok('exec', 'web', 'md5sum', '/srv/big/f')).split(' ')[0];
    await until(
      async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/big/f`);
        return (
          createHash('md5')
            .update(Buffer.from(await answer.arrayBuffer()))
            .digest('hex') === sum
        );
      },
      { what: '30 MB unharmed' },
    );
    const all = await Promise.all(Array.from({ length: 100 }, page));
    assert.ok(all.every((text) => text === '<h1>second</h1>'));
    assert.match(
      await docker.ok('exec', 'web', 'sh', '-c', 'tail -n1 /var/log/nginx/access.log'),
      /^(\d+\.){3}\d+ - - .*"GET \/ HTTP/,
    );
    await docker.ok('rm', '-f', 'web');
  },
  { skip },
);

scenario(
  "the client's address is kept for those that come over the network",
  async () => {
    const { docker } = host;
    await docker.ok('run', '-d', '--name', 'see', '-p', '80', image, 'nginx', '-g', 'daemon off; error_log stderr;');
    const port = Number((await docker.ok('port', 'see', '80/tcp')).split('\n')[0]!.split(':').pop());
    await docker.ok('network', 'create', 'visitors');
    const gateway = await docker.ok('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Gateway}}', 'visitors');
    await docker.ok('run', '-d', '--name', 'visitor', '--network', 'visitors', 'busybox', 'sleep', '600');
    await until(
      async () =>
        (await docker.run(['exec', 'visitor', 'wget', '-qO', '/dev/null', `http://${gateway}:${port}/`])).code === 0,
      { what: 'the page' },
    );
    assert.match(await docker.ok('exec', 'see', 'cat', '/var/log/nginx/access.log'), /^\d+\.\d+\.\d+\.\d+ - - /m);
    await docker.ok('rm', '-f', 'see', 'visitor');
    await docker.ok('network', 'rm', 'visitors');
  },
  { skip },
);

scenario(
  'published UDP: answers come back from where they were asked',
  async () => {
    const { docker } = host;
    const echo =
      'use IO::Socket::INET; $s = IO::Socket::INET->new(LocalPort => 5353, Proto => "udp") or die; while ($s->recv($m, 2000)) { $s->send("re:$m") }';
    await docker.ok('run', '-d', '--name', 'udp', '-p', '127.0.0.1::5353/udp', image, 'perl', '-e', echo);
    const port = Number((await docker.ok('port', 'udp', '5353/udp')).split(':').pop());
    const socket = createSocket('udp4');
    try {
      let got = '';
      socket.on('message', (message, from) => {
        got = `${message.toString('utf8')} from ${from.address}:${from.port}`;
      });
      await until(
        () => {
          socket.send('ping', port, '127.0.0.1');
          return got === `re:ping from 127.0.0.1:${port}`;
        },
        { timeoutMs: 8000, what: () => `an echo from 127.0.0.1:${port}, got ${got}` },
      );
    } finally {
      socket.close();
    }
    await docker.ok('rm', '-f', 'udp');
  },
  { skip },
);

scenario('an application on the host is reached as host.docker.internal', async () => {
  const { docker } = host;
  const server = createServer((_, answer) => answer.end('from the host'));
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
  try {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await docker.ok('network', 'create', 'inner');
    for (const flags of [
      ['--network', 'inner'],
      ['--add-host', 'host.docker.internal:host-gateway'],
    ]) {
      assert.equal(
        await docker.ok('run', '--rm', ...flags, 'busybox', 'wget', '-qO', '-', `http://host.docker.internal:${port}/`),
        'from the host',
        flags.join(' '),
      );
    }
    await docker.ok('network', 'rm', 'inner');
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

scenario(
  'an application of two: the web server finds the database by name, strangers do not',
  async () => {
    const { docker } = host;
    await docker.ok('network', 'create', 'back');
    await docker.ok('network', 'create', 'front');
    await docker.ok(
      'run',
      '-d',
      '--name',
      'db',
      '--network',
      'back',
      '--network-alias',
      'database',
      '-v',
      '/data',
      image,
      ...postgres,
    );
    await docker.ok(
      'create',
      '--name',
      'app',
      '--network',
      'front',
      '-p',
      '127.0.0.1::80',
      image,
      'nginx',
      '-g',
      'daemon off;',
    );
    await docker.ok('network', 'connect', 'back', 'app');
    await docker.ok('start', 'app');
    await until(
      async () =>
        (
          await docker.run(['exec', 'app', 'psql', '-h', 'database', '-U', 'postgres', '-tAc', 'select 6*7'])
        ).stdout.trim() === '42',
      { timeoutMs: 30_000, what: 'an answer from the database' },
    );
    assert.notEqual(
      (
        await docker.run([
          'run',
          '--rm',
          '--network',
          'front',
          image,
          'psql',
          '-h',
          'database',
          '-U',
          'postgres',
          '-tAc',
          'select 1',
        ])
      ).code,
      0,
    );
    const address = await docker.ok('inspect', '-f', '{{.NetworkSettings.Networks.back.IPAddress}}', 'db');
    assert.notEqual(
      (
        await docker.run([
          'run',
          '--rm',
          '--network',
          'front',
          '-e',
          'PGCONNECT_TIMEOUT=1',
          image,
          'psql',
          '-h',
          address,
          '-U',
          'postgres',
          '-tAc',
          'select 1',
        ])
      ).code,
      0,
    );
    const port = Number((await docker.ok('port', 'app', '80/tcp')).split(':').pop());
    assert.match(await fetchText(`http://127.0.0.1:${port}/`), /nginx/i);
    await docker.ok('network', 'disconnect', 'back', 'app');
    assert.match(await fetchText(`http://127.0.0.1:${port}/`), /nginx/i, 'the port stays');
    await docker.ok('rm', '-fv', 'app', 'db');
    await docker.ok('network', 'rm', 'front', 'back');
  },
  { skip },
);
