/** GET /metrics: what is counted, and what a listener for it alone lets through. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import { withServer } from '../../test/support/server.ts';
import { metricText } from '../std/index.ts';
import { RequestMetrics } from './request-metrics.ts';

function ask(
  socketPath: string,
  method: string,
  path: string,
): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

describe('metrics of requests', () => {
  test('what a client makes up makes no series', () => {
    const metrics = new RequestMetrics();
    metrics.observe(undefined, 'BREW', 404, 0.001);
    metrics.observe(undefined, 'BREW2', 404, 0.001);
    metrics.observe('ping', 'GET', 200, 0.02);
    const text = metricText(metrics.families());
    assert.match(text, /^wherry_http_requests_total\{endpoint="none",method="other",code="404"\} 2$/m);
    assert.match(text, /^wherry_http_requests_total\{endpoint="ping",method="GET",code="200"\} 1$/m);
    assert.match(text, /^wherry_http_request_duration_seconds_bucket\{endpoint="ping",le="0\.01"\} 0$/m);
    assert.match(text, /^wherry_http_request_duration_seconds_bucket\{endpoint="ping",le="0\.025"\} 1$/m);
  });

  test('on the socket, with the numbers of the engine', async () => {
    await withServer({}, async ({ path }) => {
      await ask(path, 'GET', '/v1.51/containers/nosuch/json');
      await ask(path, 'GET', '/nosuch');
      const { status, type, text } = await ask(path, 'GET', '/metrics');
      assert.equal(status, 200);
      assert.equal(type, 'text/plain; version=0.0.4; charset=utf-8');
      assert.match(text, /^# TYPE fake_containers gauge\nfake_containers 0$/m);
      assert.match(text, /^wherry_http_requests_total\{endpoint="containerInspect",method="GET",code="404"\} 1$/m);
      assert.match(text, /^wherry_http_requests_total\{endpoint="none",method="GET",code="404"\} 1$/m);
      assert.deepEqual(await ask(path, 'HEAD', '/metrics'), { status: 200, type, text: '' });
    });
  });

  test('a read-only socket has them, a project has not', async () => {
    await withServer({ readOnly: true }, async ({ path }) => {
      assert.equal((await ask(path, 'GET', '/v1.51/metrics')).status, 200);
    });
    await withServer({ project: 'mine' }, async ({ path }) => {
      const { status, text } = await ask(path, 'GET', '/metrics');
      assert.equal(status, 403);
      assert.match(text, /serves only the project/);
    });
  });

  test('a listener for metrics has nothing else, and asks nothing else of the engine', async () => {
    await withServer({ metricsOnly: true }, async ({ path, engine }) => {
      assert.equal((await ask(path, 'GET', '/metrics?x=y')).status, 200);
      assert.equal((await ask(path, 'HEAD', '/metrics')).status, 200);
      const before = engine.calls.length;
      const refused = [
        ['POST', '/metrics'],
        ['OPTIONS', '/metrics'],
        ['GET', '/v1.51/metrics'],
        ['GET', '/metrics/'],
        ['GET', '/'],
        ['GET', '/_ping'],
        ['GET', '/version'],
        ['GET', '/swarm'],
        ['GET', '/containers/json'],
        ['POST', '/containers/create'],
        ['POST', '/v1.51/containers/x/start'],
        ['GET', '/v9.99/info'],
      ] as const;
      for (const [method, target] of refused)
        assert.equal((await ask(path, method, target)).status, 404, `${method} ${target}`);
      assert.equal(engine.calls.length, before);
    });
  });
});
