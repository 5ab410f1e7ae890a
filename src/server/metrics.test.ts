/** `/metrics` on the API's sockets, and on the listener that serves nothing else. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { eventually, RawClient, type Running, withServer } from '../../test/support/server.ts';

/** What one connection that closes itself is answered. */
async function ask(place: string | { host: string; port: number }, head: string): Promise<string> {
  const client = new RawClient(place);
  client.send(`${head}\r\nHost: x\r\nConnection: close\r\n\r\n`);
  const text = await client.end();
  client.close();
  return text;
}

async function scraped({ server }: Running): Promise<{ host: string; port: number }> {
  const address = await server.listen({ host: '127.0.0.1', port: 0, readOnly: true, metricsOnly: true });
  assert.ok('port' in address);
  return address;
}

describe('/metrics', () => {
  test('the engine and the requests so far; labels are of tables, whatever clients send', async () => {
    await withServer({ readOnly: true }, async ({ path }) => {
      await ask(path, 'GET /_ping HTTP/1.1');
      await ask(path, 'BREW /coffee HTTP/1.1');
      await ask(path, 'POST /containers/create HTTP/1.1');
      const text = await ask(path, 'GET /v1.51/metrics HTTP/1.1');
      assert.match(text, /^HTTP\/1.1 200 OK\r\n/);
      assert.match(text, /Content-Type: text\/plain; version=0\.0\.4; charset=utf-8\r\n/);
      assert.match(text, /\nwherry_images 2\n/);
      for (const series of [
        'endpoint="ping",method="GET",code="200"',
        'endpoint="none",method="other",code="404"',
        'endpoint="containerCreate",method="POST",code="403"',
      ])
        assert.ok(text.includes(`\nwherry_http_requests_total{${series}} 1\n`), series);
      assert.match(text, /\nwherry_http_request_duration_seconds_count\{endpoint="ping",method="GET"\} 1\n/);
      const head = await ask(path, 'HEAD /metrics HTTP/1.1');
      assert.match(head, /200 OK[\s\S]*Content-Length: [1-9]\d+\r\n[\s\S]*\r\n\r\n$/);
    });
  });
  test("a project's socket does not show the others", async () => {
    await withServer({ project: 'mine' }, async ({ path }) => {
      assert.match(await ask(path, 'GET /metrics HTTP/1.1'), /403 Forbidden[\s\S]*serves only the project/);
    });
  });
});

describe('metrics-addr', () => {
  test('GET and HEAD of /metrics, and nothing else', async () => {
    await withServer({}, async (running) => {
      const address = await scraped(running);
      assert.match(await ask(address, 'GET /metrics HTTP/1.1'), /200 OK[\s\S]*\nwherry_images 2\n/);
      assert.match(await ask(address, 'GET /metrics?collect=x HTTP/1.0'), /200 OK/);
      assert.match(await ask(address, 'HEAD /metrics HTTP/1.1'), /200 OK[\s\S]*\r\n\r\n$/);
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'BREW'])
        assert.match(
          await ask(address, `${method} /metrics HTTP/1.1`),
          /405 Method Not Allowed[\s\S]*Allow: GET, HEAD/,
        );
      for (const path of [
        '/',
        '/_ping',
        '/info',
        '/containers/json',
        '/v1.51/metrics',
        '/metrics/',
        '/swarm',
        '//metrics',
      ])
        assert.match(await ask(address, `GET ${path} HTTP/1.1`), /404 Not Found/, path);
      assert.ok(running.engine.calls.every(({ method }) => method === 'system.metrics'));
      assert.match(await ask(address, 'GET /%zz HTTP/1.1'), /400 Bad Request/);
      assert.match(await ask(address, 'nonsense'), /400 Bad Request/);
    });
  });
  test('many who say nothing do not keep others out for long, nor take connections without end', async () => {
    await withServer({}, async (running) => {
      const address = await scraped(running);
      const silent = Array.from({ length: 60 }, () => connect(address));
      let closed = 0;
      for (const socket of silent) {
        socket.on('error', () => {});
        socket.on('close', () => closed++);
      }
      await eventually(() => closed >= 28, 'more connections than the limit were kept');
      for (const socket of silent) socket.destroy();
      await eventually(() => closed === 60, 'closed');
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.match(await ask(address, 'GET /metrics HTTP/1.1'), /200 OK/);
    });
  });
});
