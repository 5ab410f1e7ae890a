/** Connections under raw bytes: what follows a request, half-closing, slow and vanishing clients, nonsense. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { demultiplex } from '../../../test/support/golden.ts';
import { eventually, RawClient, type Running, withServer } from '../../../test/support/server.ts';

const upgrade = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

/** A container with this command, created (and started) without going through the server. */
async function container(
  { engine }: Running,
  command: string[],
  options: { tty?: boolean; start?: boolean } = {},
): Promise<string> {
  const { Id } = await engine.containers.create({
    name: undefined,
    platform: undefined,
    body: { Image: 'busybox', Cmd: command, Tty: options.tty ?? false },
    apiVersion: '1.51',
  });
  if (options.start === true) await engine.containers.start(Id);
  return Id;
}

function attachRequest(id: string, extra = upgrade): string {
  return `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: x\r\n${extra}\r\n`;
}

/** The bytes after the head. */
function afterHead(client: RawClient): Buffer {
  return client.received.subarray(client.received.indexOf('\r\n\r\n') + 4);
}

describe('hijacked connections', () => {
  test('bytes behind the head are stdin, and FIN ends it', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['cat'], { start: true });
      const client = new RawClient(running.path);
      client.send(`${attachRequest(id)}first\n`);
      await client.until(/first\n/);
      client.socket.end('second\nGET /_ping HTTP/1.1\r\n\r\n');
      await client.end();
      assert.equal(demultiplex(afterHead(client)).stdout, 'first\nsecond\nGET /_ping HTTP/1.1\r\n\r\n');
      assert.match(
        client.text,
        /^HTTP\/1\.1 101 UPGRADED\r\nContent-Type: application\/vnd\.docker\.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nApi-Version: 1\.51\r\n/,
      );
    });
  });

  test('an exec takes its JSON body, chunked or not, and the bytes behind it as stdin', async () => {
    const json = '{"Detach":false,"Tty":false}';
    const bodies = [
      `Content-Length: ${json.length}\r\n\r\n${json}`,
      `Transfer-Encoding: chunked\r\n\r\n5\r\n${json.slice(0, 5)}\r\n${(json.length - 5).toString(16)};x=y\r\n${json.slice(5)}\r\n0\r\nTrailer: x\r\n\r\n`,
    ];
    for (const body of bodies) {
      for (const pieceLength of [1, 7, 10_000]) {
        await withServer({}, async (running) => {
          const id = await container(running, ['sleep', '60'], { start: true });
          const exec = await running.engine.execs.create(id, { Cmd: ['cat'], AttachStdin: true });
          const client = new RawClient(running.path);
          client.socket.setNoDelay(true);
          const text = `POST /exec/${exec.Id}/start HTTP/1.1\r\nHost: x\r\n${upgrade}Content-Type: application/json\r\n${body}in\r\nput`;
          for (let at = 0; at < text.length; at += pieceLength) {
            client.send(text.slice(at, at + pieceLength));
            await new Promise((resolve) => setImmediate(resolve));
          }
          client.socket.end();
          await client.end();
          assert.equal(demultiplex(afterHead(client)).stdout, 'in\r\nput');
        });
      }
    }
  });

  test('without Upgrade, on a connection that served requests before: raw 200 and close', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['cat'], { start: true });
      const client = new RawClient(running.path);
      client.send('GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n');
      await client.until(/OK$/);
      client.received = Buffer.alloc(0);
      client.send(`${attachRequest(id, 'Content-Length: 2\r\nContent-Type: application/json\r\n')}{}hello\n`);
      await client.until(/hello\n$/);
      assert.match(client.text, /^HTTP\/1\.1 200 OK\r\nContent-Type: application\/vnd\.docker\.raw-stream\r\n/);
      assert.doesNotMatch(client.text, /Content-Length|Transfer-Encoding/);
      client.socket.end();
      await client.end();
      assert.equal(demultiplex(afterHead(client)).stdout, 'hello\n');
    });
  });

  test('a client that half-closes at once still gets all output', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['echo', 'late']);
      const client = new RawClient(running.path);
      client.socket.end(attachRequest(id).replace('stdin=1&', ''));
      await client.until(/\r\n\r\n/);
      await running.engine.containers.start(id);
      await client.end();
      assert.equal(demultiplex(afterHead(client)).stdout, 'late\n');
    });
  });

  test('a refused attach is an ordinary answer, and the connection goes on', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send(attachRequest('nosuch', `${upgrade}Content-Length: 0\r\n`));
      client.send('GET /_ping HTTP/1.1\r\n\r\n');
      const text = await client.until(/OK$/);
      assert.match(text, /^HTTP\/1\.1 404 Not Found\r\n/);
      assert.match(text, /\{"message":"No such container: nosuch"\}\n/);
      client.close();
    });
  });

  test('10 MB through a container in both directions at once', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['cat'], { start: true, tty: false });
      const client = new RawClient(running.path);
      client.received = Buffer.alloc(0);
      let size = 0;
      client.socket.removeAllListeners('data');
      const parts: Buffer[] = [];
      client.socket.on('data', (chunk: Buffer) => {
        parts.push(chunk);
        size += chunk.length;
      });
      client.send(attachRequest(id));
      const block = Buffer.alloc(10_000_000, 'abcdefgh');
      client.socket.end(block);
      await client.end();
      client.received = Buffer.concat(parts, size);
      const output = demultiplex(afterHead(client)).stdout;
      assert.equal(output.length, block.length);
      assert.ok(block.equals(Buffer.from(output)));
    });
  });

  test('a client that does not read makes the process wait, not the server grow', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['flood', '50000000']);
      const client = new RawClient(running.path);
      client.socket.pause();
      client.send(attachRequest(id));
      await new Promise((resolve) => setTimeout(resolve, 30));
      await running.engine.containers.start(id);
      const before = process.memoryUsage().arrayBuffers;
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.ok(process.memoryUsage().arrayBuffers - before < 8_000_000, 'output was buffered without bound');
      client.close();
    });
  });

  test('a process that does not read makes the client wait', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['sleep', '60'], { start: true });
      const client = new RawClient(running.path);
      client.send(attachRequest(id));
      client.socket.write(Buffer.alloc(20_000_000));
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.ok(client.socket.writableLength > 10_000_000, 'stdin was buffered without bound');
      client.close();
      // A server that has stopped reading hears of the client's end only when the process's does.
      await running.engine.containers.kill(id, undefined);
    });
  });

  test('a client that vanishes while the engine attaches is detached too', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['sleep', '60'], { start: true });
      const { containers } = running.engine;
      const attach = containers.attach.bind(containers);
      const attached = Promise.withResolvers<void>();
      containers.attach = async (...args) => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        setImmediate(attached.resolve);
        return attach(...args);
      };
      const client = new RawClient(running.path);
      client.send(attachRequest(id));
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.close();
      await attached.promise;
    });
  });

  test('a client that vanishes is detached, the process lives on', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['sleep', '60'], { start: true });
      const { process: fake } = running.engine.containersById.get(id)!;
      const client = new RawClient(running.path);
      client.send(attachRequest(id));
      await client.until(/UPGRADED/);
      client.close();
      await running.engine.containers.remove(id, { force: true, volumes: false, link: false });
      await eventually(() => fake.sessions === 0, 'still attached');
    });
  });
});

describe('plain connections', () => {
  test('pipelined requests are answered in order', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send(
        'GET /_ping HTTP/1.1\r\n\r\nHEAD /_ping HTTP/1.1\r\n\r\n\r\nGET /nope HTTP/1.1\r\n\r\nGET /_ping HTTP/1.1\r\nConnection: close\r\n\r\n',
      );
      const text = await client.end();
      assert.deepEqual(text.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
      assert.match(text, /OK$/);
    });
  });

  test('HTTP/1.0: no chunks, closed after the answer', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send('GET /events?since=1&until=2 HTTP/1.0\r\n\r\n');
      const text = await client.end();
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
      assert.doesNotMatch(text, /chunked/);
    });
  });

  test('100-continue is given when the body is wanted', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send(
        'POST /volumes/create HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n',
      );
      await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
      client.send('{"Name":"v"}');
      await client.until(/201 Created/);
      client.close();
    });
  });

  test('heads of streams come before anything has happened', async () => {
    await withServer({}, async (running) => {
      const id = await container(running, ['sleep', '60'], { start: true });
      for (const target of [
        `POST /containers/${id}/wait`,
        `GET /containers/${id}/logs?stdout=1&follow=1`,
        'GET /events',
        'POST /images/create?fromImage=slow',
      ]) {
        const client = new RawClient(running.path);
        client.send(`${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
        await client.until(/^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\n/);
        client.close();
      }
      await eventually(() => running.engine.open.waits === 0, 'a waiter was left');
    });
  });

  test('a client that leaves ends what waits for it, not what acts for it', async () => {
    await withServer({}, async (running) => {
      const { engine, path } = running;
      const client = new RawClient(path);
      client.send('POST /images/create?fromImage=slow HTTP/1.1\r\n\r\n');
      await client.until(/Pulling/);
      assert.equal(engine.open.pulls, 1);
      client.close();
      await eventually(() => engine.open.pulls === 0, 'the pull goes on');
      const id = await container(running, ['sleep', '60'], { start: true });
      const stopping = new RawClient(path);
      stopping.send(`POST /containers/${id}/stop HTTP/1.1\r\n\r\n`);
      stopping.socket.end();
      await eventually(() => !engine.containersById.get(id)!.info.State.Running, 'the stop was abandoned');
      stopping.close();
    });
  });

  test('an unread body is read past, a long one ends the connection', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send(
        `PUT /containers/nosuch/archive?path=/ HTTP/1.1\r\nContent-Length: 1000\r\n\r\n${'x'.repeat(1000)}GET /_ping HTTP/1.1\r\n\r\n`,
      );
      await client.until(/404 Not Found[\s\S]*OK$/);
      client.close();
      const long = new RawClient(path);
      long.send('PUT /containers/nosuch/archive?path=/ HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n');
      long.socket.write(Buffer.alloc(8_000_000));
      assert.match(await long.end(), /^HTTP\/1\.1 404/);
      long.close();
    });
  });

  test('200 connections at once', async () => {
    await withServer({}, async ({ path }) => {
      const clients = Array.from({ length: 200 }, () => new RawClient(path));
      for (const client of clients) client.send('GET /containers/json HTTP/1.1\r\n\r\n');
      await Promise.all(clients.map((client) => client.until(/\[\]\n$/)));
      for (const client of clients) client.close();
    });
  });

  test('nonsense is refused, and never fells the server', async () => {
    const nonsense = [
      'hello\r\n\r\n',
      'GET /_ping HTTP/2.0\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      'GET _ping HTTP/1.1\r\n\r\n',
      'GET /%zz HTTP/1.1\r\n\r\n',
      'GET /_ping HTTP/1.1\r\nno colon\r\n\r\n',
      'GET /_ping HTTP/1.1\r\n folded: x\r\n\r\n',
      'GET /_ping HTTP/1.1\r\nName : x\r\n\r\n',
      'POST /volumes/create HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
      'POST /volumes/create HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
      'POST /volumes/create HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /volumes/create HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
      'POST /volumes/create HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
      `GET /${'x'.repeat(1 << 20)} HTTP/1.1\r\n\r\n`,
      Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 37) % 256)),
    ];
    await withServer({}, async ({ path }) => {
      for (const bytes of nonsense) {
        const client = new RawClient(path);
        client.socket.end(bytes);
        const text = await client.end();
        assert.match(
          text,
          /^(HTTP\/1\.1 (400|431|501) [\s\S]*Connection: close[\s\S]*)?$/,
          JSON.stringify(text.slice(0, 300)),
        );
      }
      const client = new RawClient(path);
      client.send('GET /_ping HTTP/1.1\r\n\r\n');
      await client.until(/OK$/);
      client.close();
    });
  });

  test('random damage to good requests never fells the server', async () => {
    const good =
      'POST /containers/create?name=x HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n{"Image":"busybox"}';
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    await withServer({}, async ({ path }) => {
      for (let round = 0; round < 150; round++) {
        const bytes = Buffer.from(good);
        for (let hits = 1 + random(4); hits > 0; hits--) bytes[random(bytes.length)] = random(256);
        const client = new RawClient(path);
        client.socket.end(bytes.subarray(0, 1 + random(bytes.length)));
        await client.end();
      }
      const client = new RawClient(path);
      client.send('GET /_ping HTTP/1.1\r\n\r\n');
      await client.until(/OK$/);
      client.close();
    });
  });

  test('closing the server ends streams and idle connections alike', async () => {
    await withServer({}, async ({ path, server }) => {
      const idle = new RawClient(path);
      const busy = new RawClient(path);
      idle.send('GET /_ping HTTP/1.1\r\n\r\n');
      busy.send('GET /events HTTP/1.1\r\n\r\n');
      await idle.until(/OK$/);
      await busy.until(/200 OK/);
      await server.close();
      await idle.end();
      await busy.end();
    });
  });
});
