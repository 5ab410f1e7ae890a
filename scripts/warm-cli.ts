/**
 * Runs the bundled command line's usual verbs once against a socket that answers as an idle daemon would, and keeps what V8 compiled.
 * Started by scripts/build.ts with its output thrown away.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Buildkit, h2cHead } from '../src/buildkit/index.ts';
import { warmBuilds } from './warm-builds.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-warm-'));
const socketPath = join(folder, 'w.sock');
const id = 'a'.repeat(64);
const container = {
  Id: id,
  Names: ['/web'],
  Image: 'web',
  ImageID: `sha256:${id}`,
  Command: 'sleep 1',
  Created: 1,
  Ports: [{ IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' }],
  Labels: {},
  State: 'running',
  Status: 'Up 2 minutes',
  HostConfig: { NetworkMode: 'bridge' },
  NetworkSettings: { Networks: {} },
  Mounts: [],
};
const image = {
  Id: `sha256:${id}`,
  ParentId: '',
  RepoTags: ['web:latest'],
  RepoDigests: [],
  Created: 1,
  Size: 1,
  SharedSize: -1,
  Labels: null,
  Containers: -1,
};
const inspected = { ...container, Name: '/web', Config: { Tty: false }, State: { Running: true, Status: 'running' } };
const answers: readonly (readonly [RegExp, number, unknown])[] = [
  [/ \/_ping/, 200, 'OK'],
  [/\/version /, 200, { ApiVersion: '1.51', MinAPIVersion: '1.24', Components: [], Platform: { Name: '' } }],
  [/\/containers\/json/, 200, [container]],
  [/\/images\/json/, 200, [image]],
  [/GET .*\/networks/, 200, []],
  [/GET .*\/volumes/, 200, { Volumes: [], Warnings: null }],
  [/POST .*\/(networks|volumes)\/create/, 201, { Id: id, Name: 'made', Warning: '' }],
  [
    /\/images\/[^/]+\/json/,
    200,
    { Id: `sha256:${id}`, Os: 'linux', Architecture: 'amd64', Config: {}, Metadata: { LastTagTime: '' } },
  ],
  [/\/containers\/create/, 201, { Id: id, Warnings: [] }],
  [/\/containers\/[^/]+\/exec/, 201, { Id: id }],
  [/\/exec\/[^/]+\/json/, 200, { ExitCode: 0, Running: false }],
  [/\/wait/, 200, { StatusCode: 0, Error: null }],
  [/\/containers\/[^/]+\/json/, 200, inspected],
  [/\/(start|stop|resize)/, 204, undefined],
  [/DELETE /, 204, undefined],
];

function answer(socket: Socket, request: string): void {
  if (/\/attach|\/exec\/[^/]+\/start/.test(request)) {
    socket.end(
      'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n\u0001\0\0\0\0\0\0\u0003hi\n',
    );
    return;
  }
  const [, status, value] = answers.find(([pattern]) => pattern.test(request)) ?? [/x/, 404, { message: 'no' }];
  const body =
    value === undefined || request.startsWith('HEAD') ? '' : typeof value === 'string' ? value : JSON.stringify(value);
  const head = `HTTP/1.1 ${status} OK\r\nApi-Version: 1.51\r\nContent-Type: application/json\r\n`;
  socket.write(status === 204 ? `${head}\r\n` : `${head}Content-Length: ${body.length}\r\n\r\n${body}`);
}

/** What a build asks for, so that its code is compiled too. */
const buildkit = new Buildkit({
  builds: warmBuilds(id),
  worker: { id: 'warm', version: 'v0.20.0', platforms: [], hostGateway: undefined },
  folder: join(folder, 'trees'),
  socketFolder: join(folder, 'sockets'),
  historyFolder: join(folder, 'history'),
  freeBytes: () => 0,
  verbs: { setModified() {}, setXattrs() {}, makeNode() {}, unpackArchive: () => Promise.resolve() },
});
const context = join(folder, 'context');
mkdirSync(join(context, 'src'), { recursive: true });
writeFileSync(join(context, 'Dockerfile'), 'FROM web\n');
for (let file = 0; file < 50; file++) writeFileSync(join(context, 'src', `file-${file}`), 'x');

const composeFile = join(folder, 'compose.yaml');
writeFileSync(
  composeFile,
  `x-common: &common
  restart: unless-stopped
  logging: { driver: json-file, options: { max-size: 10m } }
services:
  web:
    <<: *common
    image: \${IMAGE:-web}
    command: sh -c 'sleep 1'
    environment: { A: "1", B: "\${B-2}" }
    ports: ["127.0.0.1:8080:80"]
    volumes: ["data:/data", "./context:/context:ro"]
    labels: [one=two]
    healthcheck: { test: "true", interval: 30s }
    networks: [front]
    depends_on: { db: { condition: service_started } }
  db:
    image: web
    deploy: { resources: { limits: { memory: 512M } } }
networks: { front: {} }
volumes: { data: {} }
`,
);

function upgrade(socket: Socket, request: string): void {
  socket.removeAllListeners('data');
  socket.write(`${h2cHead}\r\n`);
  const header = (name: string): string | undefined => new RegExp(`^${name}: (.*)\r$`, 'im').exec(request)?.[1];
  void (request.startsWith('POST /session') ? buildkit.session(header)(socket) : buildkit.grpc(socket));
}

class Ended extends Error {}

const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (data) => {
    const text = data.toString('latin1');
    if (/^POST \/(session|grpc) /.test(text)) upgrade(socket, text);
    else if (/^(GET|HEAD|POST|DELETE|PUT) /.test(text)) answer(socket, text.slice(0, text.indexOf('\r\n')));
  });
});
await new Promise<void>((listening) => server.listen(socketPath, listening));
process.env['WHERRY_HOST'] = `unix://${socketPath}`;
const exit = process.exit.bind(process);
process.exit = () => {
  throw new Ended();
};
const entry = resolve(import.meta.dirname, '../dist/wherry-main.cjs');
const { load, caches } = createRequire(import.meta.url)(entry) as {
  load: () => { exports: { main(): Promise<void> }; save(to: string): void };
  caches: { usual: string; build: string; compose: string };
};
const loaded = load();

async function runAll(lines: readonly string[]): Promise<void> {
  for (const line of lines) {
    process.argv = [process.argv[0]!, entry, '--', ...line.split(' ')];
    await Promise.race([
      loaded.exports.main().catch((error: unknown) => {
        if (!(error instanceof Ended)) throw error;
      }),
      new Promise((late) => setTimeout(late, 2000)),
    ]);
  }
}

await runAll([
  'version --format {{.Client.Version}}',
  'ps',
  'ps -q',
  'images',
  'run --rm web echo hi',
  'exec web true',
  'stop web',
  'rm -f web',
  'inspect web',
]);
loaded.save(caches.usual);
await runAll([`build -q -t web ${context}`, `build --progress plain ${context}`]);
loaded.save(caches.build);
await runAll([
  `compose -f ${composeFile} config`,
  `compose -f ${composeFile} up -d`,
  `compose -f ${composeFile} ps`,
  `compose -f ${composeFile} down`,
]);
loaded.save(caches.compose);
rmSync(folder, { recursive: true, force: true });
exit(0);
