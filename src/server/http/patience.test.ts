/** Clients that take their time: who says nothing of what they began is cut, who waits or listens is not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RawClient, withServer } from '../../../test/support/server.ts';
import { createLogger } from '../../std/index.ts';
import type { Deadlines } from './deadlines.ts';

const deadlines: Deadlines = {
  headMs: 100,
  bodyMs: 100,
  bytesPerSecond: 1000,
  stallMs: 200,
  discardMs: 50,
  turnAwayMs: 100,
};
const create = 'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

/** Sends a byte every 20 ms until the server ends it. @returns how long that took, and what was answered */
async function drip(path: string, start: string, byte = 'x'): Promise<{ took: number; text: string }> {
  const client = new RawClient(path);
  const started = performance.now();
  client.send(start);
  while (!client.ended && performance.now() - started < 10_000) {
    await sleep(20);
    if (!client.ended) client.send(byte);
  }
  return { took: performance.now() - started, text: client.text };
}

describe('deadlines', () => {
  test('a head that drips is cut', async () => {
    await withServer({ deadlines }, async ({ path }) => {
      const { took, text } = await drip(path, 'GET /_ping HTTP/1.1\r\nX: ');
      assert.ok(took < 5000);
      assert.equal(text, '');
    });
  });

  test('a JSON body that drips, or stalls, or is all chunk extension, is answered with 408', async () => {
    await withServer({ deadlines }, async ({ path }) => {
      for (const framing of ['Content-Length: 100000\r\n\r\n{', 'Transfer-Encoding: chunked\r\n\r\n1;']) {
        const { took, text } = await drip(path, create + framing);
        assert.ok(took < 5000, `${took}`);
        assert.match(
          text,
          /^HTTP\/1\.1 408 Request Timeout\r\n[^]*Connection: close[^]*the request body did not come in time$/,
        );
      }
    });
  });

  test('a JSON body that keeps coming may take as long as its size allows', async () => {
    await withServer({ deadlines }, async ({ path }) => {
      const client = new RawClient(path);
      const body = JSON.stringify({ Image: 'busybox', Labels: { a: 'x'.repeat(400) } });
      client.send(`${create}Content-Length: ${body.length}\r\n\r\n`);
      for (let at = 0; at < body.length; at += 50) {
        client.send(body.slice(at, at + 50));
        await sleep(20);
      }
      await client.until(/^HTTP\/1\.1 201 /);
      client.close();
    });
  });

  test('an archive may pause, but not for ever', async () => {
    await withServer({ deadlines }, async ({ path, engine }) => {
      const { Id } = await engine.containers.create({
        name: undefined,
        platform: undefined,
        body: { Image: 'busybox' },
        apiVersion: '1.51',
      });
      const client = new RawClient(path);
      const put = `PUT /containers/${Id}/archive?path=/ HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n`;
      client.send(`${put}0123456789`);
      await sleep(120);
      client.send('01234');
      await sleep(120);
      client.send('56789');
      await client.until(/^HTTP\/1\.1 \d+ /);
      client.close();
      const silent = new RawClient(path);
      silent.send(`${put}0123456789`);
      await silent.end();
      assert.match(silent.text, /^HTTP\/1\.1 408 /);
    });
  });

  test('what follows an answer that did not read its body is not waited for', async () => {
    await withServer({ deadlines }, async ({ path }) => {
      const client = new RawClient(path);
      client.send('GET /_ping HTTP/1.1\r\nContent-Length: 100\r\n\r\nx');
      await client.until(/OK$/);
      await client.end();
    });
  });

  test('idle connections, event streams and attached clients are left alone', async () => {
    await withServer({ deadlines }, async ({ path, engine }) => {
      const { Id } = await engine.containers.create({
        name: undefined,
        platform: undefined,
        body: { Image: 'busybox', Cmd: ['cat'] },
        apiVersion: '1.51',
      });
      await engine.containers.start(Id);
      const requests = [
        '',
        'GET /_ping HTTP/1.1\r\n\r\n',
        'GET /events HTTP/1.1\r\n\r\n',
        `POST /containers/${Id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nUpgrade: tcp\r\n\r\n`,
        `POST /containers/${Id}/wait HTTP/1.1\r\n\r\n`,
        `GET /containers/${Id}/logs?follow=1&stdout=1 HTTP/1.1\r\n\r\n`,
      ];
      const clients = requests.map((request) => {
        const client = new RawClient(path);
        if (request !== '') client.send(request);
        return client;
      });
      await sleep(500);
      for (const [index, client] of clients.entries()) assert.equal(client.ended, false, requests[index]);
      clients[0]!.send('GET /_ping HTTP/1.1\r\n\r\n');
      await clients[0]!.until(/OK$/);
      for (const client of clients) client.close();
    });
  });
});

describe('bounds', () => {
  test('a JSON body beyond the limit is refused with 413, announced or not', async () => {
    await withServer({}, async ({ path }) => {
      const announced = new RawClient(path);
      announced.send(`${create}Content-Length: 99999999999\r\n\r\n{`);
      await announced.until(
        /^HTTP\/1\.1 413 Content Too Large\r\n[^]*\{"message":"request body too large: the limit is 16777216 bytes"\}\n$/,
      );
      announced.close();
      const chunked = new RawClient(path);
      chunked.socket.on('error', () => {});
      chunked.send(`${create}Transfer-Encoding: chunked\r\n\r\n`);
      const chunk = `100000\r\n${' '.repeat(1 << 20)}\r\n`;
      for (let count = 0; count < 17 && !chunked.ended; count++) chunked.send(chunk);
      await chunked.until(/^HTTP\/1\.1 413 /);
      chunked.close();
    });
  });

  test('a body in chunks of one byte is put together', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      const body = JSON.stringify({ Image: 'busybox', Labels: { é: 'x'.repeat(2000) } });
      const chunks = Array.from(Buffer.from(body), (byte) => `1\r\n${String.fromCharCode(byte)}\r\n`);
      client.send(Buffer.from(`${create}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`, 'latin1'));
      await client.until(/^HTTP\/1\.1 201 /);
      client.close();
    });
  });

  test('chunk extensions without end are refused', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send(`${create}Transfer-Encoding: chunked\r\n\r\n${`1;${'e'.repeat(10_000)}\r\n \r\n`.repeat(20)}`);
      await client.until(/^HTTP\/1\.1 400 [^]*chunk extensions too large$/);
      client.close();
    });
  });

  test('a chunk that does not end where it says is refused', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send(`${create}Transfer-Encoding: chunked\r\n\r\n2\r\n{}GET /_ping HTTP/1.1\r\n0\r\n\r\n`);
      await client.until(/^HTTP\/1\.1 400 [^]*malformed end of a chunk$/);
      client.close();
    });
  });

  test('a megabyte of head in single bytes is read in no more time than its length', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.socket.setNoDelay(true);
      const started = performance.now();
      client.send('GET /_ping HTTP/1.1\r\nX: ');
      for (let count = 0; count < 500; count++) {
        client.send('x'.repeat(2000));
        await new Promise((resolve) => setImmediate(resolve));
      }
      client.send('\r\n\r\n');
      await client.until(/OK$/);
      assert.ok(performance.now() - started < 8000);
      client.close();
    });
  });

  test('a refusal’s length is counted in bytes', async () => {
    await withServer({}, async ({ path }) => {
      const client = new RawClient(path);
      client.send('GET /_ping HTTP/1.1\r\nTransfer-Encoding: \xe9\r\n\r\n');
      await client.end();
      const [, length, body] = /Content-Length: (\d+)\r\n\r\n([^]*)$/.exec(client.text)!;
      assert.equal(Number(length), body!.length);
    });
  });

  test('nonsense behind an answered request fills no log', async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', format: 'text', write: (line) => void lines.push(line) });
    await withServer({ logger }, async ({ path }) => {
      const client = new RawClient(path);
      client.send('GET /_ping HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n');
      await client.until(/OK$/);
      await client.end();
    });
    assert.deepEqual(lines, []);
  });
});

describe('many connections', () => {
  test('those that wait longest make room; where all are at work the newcomer is told', async () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', format: 'text', write: (line) => void lines.push(line) });
    await withServer({ connections: 4, logger }, async ({ path }) => {
      const busy = [1, 2].map(() => new RawClient(path));
      for (const client of busy) client.send('GET /events HTTP/1.1\r\n\r\n');
      for (const client of busy) await client.until(/200 OK/);
      const idle = [1, 2].map(() => new RawClient(path));
      for (const client of idle) {
        client.send('GET /_ping HTTP/1.1\r\n\r\n');
        await client.until(/OK$/);
      }
      await sleep(300);
      const fresh = new RawClient(path);
      fresh.send('GET /events HTTP/1.1\r\n\r\n');
      await fresh.until(/200 OK/);
      await idle[0]!.end();
      assert.equal(idle[1]!.ended, false);
      const other = new RawClient(path);
      other.send('GET /events HTTP/1.1\r\n\r\n');
      await other.until(/200 OK/);
      await idle[1]!.end();
      const refused = new RawClient(path);
      refused.send('GET /_ping HTTP/1.1\r\n\r\n');
      await refused.until(/at work$/);
      refused.close();
      assert.match(refused.text, /^HTTP\/1\.1 503 Service Unavailable\r\n[^]*too many connections: 4 are at work$/);
      assert.deepEqual(
        [...busy, fresh, other].map(({ ended }) => ended),
        [false, false, false, false],
      );
      fresh.close();
      await sleep(50);
      const last = new RawClient(path);
      last.send('GET /_ping HTTP/1.1\r\n\r\n');
      await last.until(/OK$/);
      for (const client of [...busy, other, last]) client.close();
    });
    assert.equal(lines.length, 1, 'told once');
    assert.match(lines[0]!, /level=warning msg="too many connections" limit="?4/);
  });
});
