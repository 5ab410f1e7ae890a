/** Listeners: unix sockets with modes and leftovers, TCP, mutual TLS with half-closing, sockets handed over. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { createServer as createNetServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createFakeEngine } from '../../test/support/fake-engine.ts';
import { eventually, RawClient, withServer } from '../../test/support/server.ts';
import { Fault, runProgram, silentLogger } from '../std/index.ts';
import { activatedFds, createServer, type TlsOptions } from './index.ts';

const openssl = await runProgram('openssl', ['version']).then(
  () => undefined,
  () => 'no openssl program to make certificates with',
);

/** A certificate authority, a server certificate for 127.0.0.1 and a client certificate. */
async function makeCertificates(
  folder: string,
): Promise<Record<'ca' | 'cert' | 'key' | 'clientCert' | 'clientKey', string>> {
  const run = async (...args: string[]): Promise<void> => {
    const result = await runProgram('openssl', args, { cwd: folder });
    assert.equal(result.code, 0, result.stderr);
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await run('req', '-x509', ...key, '-days', '2', '-subj', '/CN=test authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  await writeFile(join(folder, 'server.ext'), 'subjectAltName=IP:127.0.0.1\n');
  await writeFile(join(folder, 'client.ext'), 'extendedKeyUsage=clientAuth\n');
  for (const name of ['server', 'client']) {
    await run('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
    const files = ['-in', `${name}.csr`, '-extfile', `${name}.ext`, '-out', `${name}.pem`];
    await run('x509', '-req', '-days', '2', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', ...files);
  }
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
  return {
    ca: await read('ca.pem'),
    cert: await read('server.pem'),
    key: await read('server.key'),
    clientCert: await read('client.pem'),
    clientKey: await read('client.key'),
  };
}

describe('unix sockets', () => {
  test('has the mode asked for, and is gone after close', async () => {
    await withServer({}, async ({ server, folder }) => {
      const path = join(folder, 'second.sock');
      assert.deepEqual(await server.listen({ path, mode: 0o600, group: process.getgid!() }), { path });
      assert.equal((await stat(path)).mode & 0o777, 0o600);
      await server.close();
      await assert.rejects(stat(path), { code: 'ENOENT' });
    });
  });

  test('a socket left behind is replaced, a living one is not', async () => {
    await withServer({}, async ({ server, folder, path }) => {
      const left = join(folder, 'left.sock');
      const child = spawn(process.execPath, [
        '-e',
        `require('net').createServer().listen(${JSON.stringify(left)},()=>process.kill(process.pid,'SIGKILL'))`,
      ]);
      await new Promise((resolve) => child.once('exit', resolve));
      await server.listen({ path: left });
      await assert.rejects(server.listen({ path }), (error: Fault) => error.kind === 'conflict');
    });
  });

  test('an unknown group is refused', async () => {
    await withServer({}, async ({ server, folder }) => {
      await assert.rejects(
        server.listen({ path: join(folder, 'x.sock'), group: 'no-such-group' }),
        /there is no such group/,
      );
    });
  });
});

describe('TCP', () => {
  test('a free port is picked; a taken one is named', async () => {
    await withServer({}, async ({ server }) => {
      const address = await server.listen({ host: '127.0.0.1', port: 0 });
      assert.ok('port' in address);
      const client = new RawClient(address);
      client.send('GET /_ping HTTP/1.1\r\n\r\n');
      await client.until(/OK$/);
      client.close();
      await assert.rejects(server.listen(address), (error: Fault) => error.message.includes(String(address.port)));
    });
  });
});

describe('TLS', { skip: openssl ?? false }, () => {
  test('mutual: clients with a certificate are served, half-closing included; others are not', async () => {
    await withServer({}, async ({ server, engine, folder }) => {
      const pem = await makeCertificates(folder);
      const tls: TlsOptions = { ca: pem.ca, cert: pem.cert, key: pem.key, verify: true };
      const address = await server.listen({ host: '127.0.0.1', port: 0, tls });
      assert.ok('port' in address);
      const { Id } = await engine.containers.create({
        name: 'c',
        platform: undefined,
        body: { Image: 'busybox', Cmd: ['cat'] },
        apiVersion: '1.51',
      });
      await engine.containers.start(Id);
      const known = new RawClient(address, (socket) =>
        connectTls({
          socket,
          ca: pem.ca,
          cert: pem.clientCert,
          key: pem.clientKey,
          host: '127.0.0.1',
          allowHalfOpen: true,
        } as never),
      );
      known.socket.end(
        `POST /containers/c/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nover tls\n`,
      );
      assert.match(await known.end(), /101 UPGRADED[\s\S]*over tls\n$/);
      known.close();
      const stranger = new RawClient(address, (socket) => connectTls({ socket, ca: pem.ca, host: '127.0.0.1' }));
      stranger.socket.on('secureConnect', () => stranger.send('GET /_ping HTTP/1.1\r\n\r\n'));
      assert.doesNotMatch(await stranger.end(), /200 OK/);
      stranger.close();
    });
  });

  test('a gzip archive is sent only to those who ask from another machine', async () => {
    await withServer({}, async ({ path, engine }) => {
      await engine.containers.create({
        name: 'c',
        platform: undefined,
        body: { Image: 'busybox' },
        apiVersion: '1.51',
      });
      const client = new RawClient(path);
      client.send(
        'GET /containers/c/archive?path=/etc/passwd HTTP/1.1\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
      );
      assert.doesNotMatch(await client.end(), /Content-Encoding/);
    });
  });
});

describe('socket activation', () => {
  test('descriptors are counted from 3, for this process only', () => {
    assert.deepEqual(activatedFds({ LISTEN_PID: '7', LISTEN_FDS: '2' }, 7), [3, 4]);
    assert.deepEqual(activatedFds({ LISTEN_PID: '8', LISTEN_FDS: '2' }, 7), []);
    assert.deepEqual(activatedFds({}, 7), []);
  });

  test('listens on a descriptor that is already bound', async () => {
    const owner = createNetServer();
    await new Promise<void>((resolve) => owner.listen(0, '127.0.0.1', resolve));
    const { fd } = (owner as unknown as { _handle: { fd: number } })._handle;
    const address = owner.address() as { port: number };
    const server = createServer({ engine: createFakeEngine(), logger: silentLogger });
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { createServer } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))};
         const logger = { debug() {}, info() {}, warn() {}, error() {}, setLevel() {} };
         await createServer({ engine: {}, logger }).listen({ fd: 3 });
         process.stdout.write('ready');`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit', fd] },
    );
    try {
      await new Promise((resolve) => child.stdout!.once('data', resolve));
      owner.close();
      const client = new RawClient({ host: '127.0.0.1', port: address.port });
      client.send('GET /_ping HTTP/1.1\r\n\r\n');
      await client.until(/OK$/);
      client.close();
    } finally {
      child.kill('SIGKILL');
      await eventually(() => child.exitCode !== null || child.signalCode !== null, 'the child lives on');
      await server.close();
    }
  });
});
