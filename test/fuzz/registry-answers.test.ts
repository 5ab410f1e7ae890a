/** What registries answer: manifests, configurations, tags, tokens, challenges, headers; used or refused with a fault, and never for ever. */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before } from 'node:test';
import fc from 'fast-check';
import { type Digest, parseImageConfig, parseManifest, parseReference } from '../../src/oci/index.ts';
import { openRegistry, type Registry } from '../../src/registry/index.ts';
import { parseChallenges } from '../../src/registry/challenge.ts';
import { PatientClock } from '../../src/registry/fixture.ts';
import { silentLogger } from '../../src/std/index.ts';
import { fuzzed, orFault, orFaultLater, property } from '../support/fuzz.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 5 },
  layers: [
    {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest,
      size: 7,
      urls: ['https://a/b'],
      annotations: { a: 'b' },
    },
  ],
});
const index = JSON.stringify({
  schemaVersion: 2,
  manifests: [
    {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest,
      size: 1,
      platform: { os: 'linux', architecture: 'amd64' },
    },
  ],
});
const config = JSON.stringify({
  os: 'linux',
  architecture: 'amd64',
  created: '2024-01-01T00:00:00Z',
  config: {
    Env: ['A=b'],
    Cmd: ['sh'],
    Labels: { a: 'b' },
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['CMD'] },
  },
  rootfs: { type: 'layers', diff_ids: [digest] },
  history: [{ created_by: 'x', empty_layer: true }],
});
const words = [
  'null',
  '[]',
  '{}',
  '1e400',
  '{"toString":1}',
  '"__proto__":',
  '"sha256:',
  '"layers":',
  '"manifests":',
  '-1',
  '1.5',
  '"\\u0000"',
];

fuzzed('manifests and configurations', {
  corpus: [manifest, index, config],
  words,
  check: (bytes) => {
    for (const type of [
      '',
      'application/vnd.oci.image.index.v1+json',
      'application/vnd.docker.distribution.manifest.v2+json',
    ]) {
      const parsed = orFault(() => parseManifest(bytes, type));
      const descriptors =
        parsed === undefined
          ? []
          : parsed.kind === 'index'
            ? parsed.index.manifests
            : [parsed.manifest.config, ...parsed.manifest.layers];
      for (const { size, digest: found } of descriptors)
        assert.ok(Number.isSafeInteger(size) && size >= 0 && /^sha\d+:[a-f0-9]+$/.test(found));
    }
    const image = orFault(() => parseImageConfig(bytes));
    if (image !== undefined) assert.equal(typeof image.architecture, 'string');
  },
});

property('any JSON value as a manifest and as a configuration', fc.jsonValue(), (value) => {
  const bytes = Buffer.from(JSON.stringify(value));
  orFault(() => parseManifest(bytes, ''));
  orFault(() => parseImageConfig(bytes));
});

fuzzed('challenges', {
  corpus: [
    'Bearer realm="https://a/token",service="a",scope="repository:x:pull"',
    'Basic realm="x"',
    'Negotiate, Bearer realm=x, Basic',
  ],
  words: ['"', '\\', ',', '=', ' ', 'Bearer ', 'realm='],
  check: (bytes) => void orFault(() => parseChallenges(bytes.toString('latin1'))),
});

/** Written as it is: status line, headers and all. */
let answer: Buffer | undefined;
let registry: Registry;
let host: string;
const sockets = new Set<Socket>();
const server = createServer((request, response: ServerResponse) => {
  request.resume();
  if (answer === undefined) response.end('{}');
  else response.socket?.end(answer);
});
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.on('error', () => {});
});

before(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  registry = openRegistry({ clock: new PatientClock(), log: silentLogger });
});
after(async () => {
  await registry.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

const head = (status: string, headers: string, body: string): string =>
  `HTTP/1.1 ${status}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

fuzzed('whole answers', {
  corpus: [
    head(
      '200 OK',
      'Content-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: x\r\n',
      manifest,
    ),
    head('200 OK', 'Link: </v2/a/tags/list?last=b>; rel="next"\r\n', '{"name":"a","tags":["a","b"]}'),
    head(
      '401 Unauthorized',
      'WWW-Authenticate: Bearer realm="http://127.0.0.1:1/token",service="x"\r\n',
      '{"errors":[{"code":"UNAUTHORIZED","message":"m","detail":[{"Type":"repository"}]}]}',
    ),
    head('429 Too Many Requests', 'Retry-After: 99999999999\r\nRateLimit-Limit: 100;w=21600\r\n', ''),
    head('307 Temporary Redirect', 'Location: /v2/a/blobs/x\r\n', ''),
    head('206 Partial Content', 'Content-Range: bytes 0-4/5\r\n', 'hello'),
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    head('503 Service Unavailable', 'Retry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\n', '<html>'),
  ],
  words: [
    ...words,
    '\r\n',
    'Content-Length: 99999999999\r\n',
    'Location: ',
    'Content-Encoding: gzip\r\n',
    'Docker-Content-Digest: ',
  ],
  slowestMs: 4000,
  longest: 100_000,
  check: async (bytes) => {
    answer = bytes;
    const reference = parseReference(`${host}/a:1`);
    const signal = AbortSignal.timeout(8000);
    const blob = { digest: digest as Digest, size: 5 };
    await Promise.all([
      orFaultOrCut(signal, () => registry.resolve(reference, undefined, signal)),
      orFaultOrCut(signal, () => registry.tags(reference, undefined, signal)),
      orFaultOrCut(signal, () => registry.describe(reference, undefined, signal)),
      orFaultOrCut(signal, async () => {
        let size = 0;
        for await (const chunk of registry.blob(reference, blob, { patient: false }, signal)) size += chunk.length;
        assert.ok(size <= blob.size, `${size} bytes of a blob of ${blob.size}`);
      }),
    ]);
  },
});

/** A registry may answer with what is an internal fault to us, as long as it says so to a person. */
async function orFaultOrCut(signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
  try {
    await orFaultLater(work);
  } catch (error) {
    assert.ok(!signal.aborted, 'it went on for ever');
    if (!(error instanceof Error) || (error.name !== 'Fault' && !('kind' in error))) throw error;
  }
}
