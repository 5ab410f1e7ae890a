/** For this room's tests: an engine that is only a door for buildx, and a builder that plays a build. */
import { spawn } from 'node:child_process';
import {
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildEvent, BuildFailure, BuildRequest, BuildResult, Builds } from '../api/index.ts';
import { Channel, Fault, messageOf } from '../std/index.ts';
import { Frames, unframe } from './grpc/frame.ts';
import { Buildkit, duplexOf, h2cHead, type RawConnection, type TreeStat, type TreeVerbs } from './index.ts';
import { packet } from './message/session.ts';
import { decode } from './protobuf/codec.ts';
import { type TreeOptions, TreeWalk } from './session/walk-tree.ts';

export const verbs: TreeVerbs = {
  setModified(path, nanoseconds) {
    const seconds = Number(nanoseconds) / 1e9;
    lutimesSync(path, seconds, seconds);
  },
  setXattrs() {},
  makeNode() {
    throw new Error('no nodes here');
  },
  async unpackArchive(bytes, folder) {
    const tar = spawn('tar', ['-x', '-C', folder], { stdio: ['pipe', 'ignore', 'inherit'] });
    const done = new Promise<number | null>((resolve) => {
      tar.once('close', resolve);
    });
    await pipeline(bytes, tar.stdin);
    if ((await done) !== 0) throw new Fault('invalid', 'Cannot unpack archive');
  },
};

export const imageId = `sha256:${'1234'.repeat(16)}`;
export const vertexId = `sha256:${'ab'.repeat(32)}`;

/** What one played build saw. */
export interface Seen {
  request: BuildRequest;
  dockerfile: string;
  /** The context by path. */
  files: Map<string, Buffer>;
  transferred: number;
  secret: string | undefined;
  credentials: unknown;
  /** What the SSH agent said. */
  agent: string | undefined;
  aborted: boolean;
}

/** Reads the Dockerfile and the context through the client; `RUN exit N` fails at its line, `RUN wait` waits to be cancelled. */
export class PlayedBuilds implements Builds {
  readonly seen: Seen[] = [];
  /** Of what a `local` output is. */
  outputFolder = '';
  pruned: unknown;

  run(request: BuildRequest, signal: AbortSignal): ReturnType<Builds['run']> {
    const events = new Channel<BuildEvent>();
    const result = this.#play(request, events, signal).finally(() => events.close());
    result.catch(() => {});
    return { events, result };
  }

  readonly released: string[] = [];

  release(id: string): void {
    this.released.push(id);
  }

  async failed(): ReturnType<Builds['failed']> {
    return [];
  }

  async debugImage(): ReturnType<Builds['debugImage']> {
    throw new Fault('not-found', 'no failed build');
  }

  async cache(): ReturnType<Builds['cache']> {
    const record = {
      description: 'a step',
      size: 4096,
      createdAt: '2026-01-02T03:04:05.000000006Z',
      lastUsedAt: undefined,
    };
    return [{ ...record, id: 'record1', type: 'regular', usageCount: 2, inUse: false, shared: true, parents: [] }];
  }

  async prune(options: Parameters<Builds['prune']>[0]): ReturnType<Builds['prune']> {
    this.pruned = options;
    return { deleted: ['record1'], reclaimed: 4096 };
  }

  async #play(request: BuildRequest, events: Channel<BuildEvent>, signal: AbortSignal): Promise<BuildResult> {
    const started = new Date().toISOString();
    const vertex = (name: string, more: object): void =>
      events.push({
        kind: 'vertex',
        digest: vertexId,
        name,
        inputs: [],
        cached: false,
        started,
        completed: undefined,
        error: undefined,
        source: undefined,
        ...more,
      });
    const seen: Seen = {
      request,
      dockerfile: '',
      files: new Map(),
      transferred: 0,
      secret: undefined,
      credentials: undefined,
      agent: undefined,
      aborted: false,
    };
    this.seen.push(seen);
    if (!('path' in request.dockerfile) || request.dockerfile.source === undefined)
      throw new Fault('invalid', 'no Dockerfile');
    const { path, source } = request.dockerfile;
    {
      await using tree = await source.fetch({ followPaths: [path, `${path}.dockerignore`], excludes: [] }, signal);
      seen.dockerfile = readFileSync(join(tree.path, path), 'utf8');
    }
    if (request.context !== undefined && 'fetch' in request.context) {
      await using tree = await request.context.fetch({ followPaths: [], excludes: ['ignored'] }, signal);
      seen.transferred = tree.transferred;
      for (const entry of readdirSync(tree.path, { recursive: true, withFileTypes: true })) {
        const at = join(entry.parentPath, entry.name);
        if (entry.isFile()) seen.files.set(at.slice(tree.path.length + 1), readFileSync(at));
      }
    }
    const secret = await request.secrets.secret('token', signal);
    seen.secret = secret === undefined ? undefined : Buffer.from(secret).toString();
    if (seen.dockerfile.includes('RUN ssh')) {
      await using agent = await request.secrets.agent('default', signal);
      seen.agent = await greet(agent.socket);
    }
    seen.credentials = await request.secrets.credentials('registry.example', signal);
    const name = '[2/2] RUN echo played';
    vertex(name, {});
    events.push({
      kind: 'log',
      vertex: vertexId,
      stream: 'stdout',
      data: Buffer.from('played output\n'),
      timestamp: new Date().toISOString(),
    });
    if (seen.dockerfile.includes('RUN wait')) {
      await new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => {
          seen.aborted = true;
          reject(signal.reason as Error);
        });
      });
    }
    const exit = /RUN exit (\d+)/.exec(seen.dockerfile);
    const completed = new Date().toISOString();
    if (exit !== null) {
      const line = seen.dockerfile.slice(0, exit.index).split('\n').length;
      const message = `process "/bin/sh -c exit ${exit[1]}" did not complete successfully: exit code: ${exit[1]}`;
      const failure: BuildFailure = {
        message,
        source: { file: path, start: { line, column: 1 }, end: { line, column: 12 } },
        text: seen.dockerfile,
        exitCode: Number(exit[1]),
        vertex: vertexId,
      };
      vertex(name, { completed, error: message });
      throw new Fault('invalid', message, { cause: failure });
    }
    vertex(name, { completed });
    for (const output of request.outputs) {
      await output.write?.(pieces());
      await output.writeTree?.(this.outputFolder);
    }
    if (request.call === 'check') return { image: undefined, manifest: undefined, unusedArgs: [], answer: lint };
    return { image: imageId, manifest: undefined, unusedArgs: [], answer: undefined };
  }
}

export type Script = (
  tell: (event: BuildEvent) => void,
  request: BuildRequest,
  signal: AbortSignal,
) => Promise<BuildResult>;

/** Tells what a test wants, when it wants. */
export class ScriptedBuilds extends PlayedBuilds {
  readonly #script: Script;

  constructor(script: Script) {
    super();
    this.#script = script;
  }

  override run(request: BuildRequest, signal: AbortSignal): ReturnType<Builds['run']> {
    const events = new Channel<BuildEvent>();
    const result = this.#script((event) => events.push(event), request, signal).finally(() => events.close());
    result.catch(() => {});
    return { events, result };
  }
}

/** Asks an SSH agent for its keys (draft-miller-ssh-agent §3.5). @returns the answer in hex */
function greet(socket: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const connection = connect(socket, () => connection.write(Buffer.from('000000010b', 'hex')));
    connection.once('error', reject);
    connection.once('data', (data: Buffer) => {
      connection.destroy();
      resolve(data.toString('hex'));
    });
  });
}

/** What the played build leaves as a file. */
export const outputBytes = Buffer.alloc(2_500_000, 'played tar ');

async function* pieces(): AsyncGenerator<Uint8Array> {
  yield outputBytes.subarray(0, 10);
  yield outputBytes.subarray(10);
}

const lint = { text: 'played lint\n', json: '{"warnings":[],"sources":[]}', status: 0 };

/** Answers what buildx asks an engine beside the two doors. */
export class Door implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'wherry-buildkit-'));
  readonly socket = join(this.folder, 'docker.sock');
  readonly builds: PlayedBuilds;
  readonly buildkit: Buildkit;
  readonly #server: Server;
  readonly #connections = new Set<Duplex>();
  /** Doors being served now. */
  serving = 0;

  private constructor(builds: PlayedBuilds) {
    this.builds = builds;
    this.buildkit = new Buildkit({
      builds: this.builds,
      folder: join(this.folder, 'trees'),
      socketFolder: join(this.folder, 'sockets'),
      historyFolder: join(this.folder, 'history'),
      verbs,
      freeBytes: () => 1_000_000,
      worker: {
        id: 'wherry',
        version: 'v0.20.0',
        platforms: [{ architecture: 'amd64', os: 'linux', variant: '' }],
        hostGateway: '172.17.0.1',
      },
    });
    this.#server = createServer((request, response) => {
      const path = (request.url ?? '').replace(/^\/v1\.\d+/, '');
      const body = answers[path.split('?')[0]!];
      if (request.method === 'POST' && path.startsWith('/build?')) {
        void this.#build(new URLSearchParams(path.slice('/build?'.length)), response);
        return;
      }
      response.writeHead(body === undefined ? 404 : 200, {
        'Content-Type': 'application/json',
        'Api-Version': '1.51',
        'Builder-Version': '2',
        Ostype: 'linux',
      });
      response.end(JSON.stringify(body ?? { message: `page not found: ${path}` }));
    });
    this.#server.on('connection', (socket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.#upgrade(request, socket, head);
    });
  }

  static async open(builds = new PlayedBuilds()): Promise<Door> {
    const door = new Door(builds);
    await new Promise<void>((resolve) => door.#server.listen(door.socket, () => resolve()));
    return door;
  }

  /** The answer of `POST /build?version=2`. */
  async #build(query: URLSearchParams, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client is gone')));
    response.writeHead(200, { 'Content-Type': 'application/json' });
    try {
      for await (const line of this.buildkit.build(query, gone.signal)) response.write(`${JSON.stringify(line)}\n`);
    } catch (error) {
      response.write(`${JSON.stringify({ errorDetail: { message: messageOf(error) }, error: messageOf(error) })}\n`);
    }
    response.end();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => {});
    const path = request.url ?? '';
    const serve = path.endsWith('/session')
      ? this.buildkit.session((name) => {
          const value = request.headers[name];
          return Array.isArray(value) ? value[0] : value;
        })
      : (connection: Duplex) => this.buildkit.grpc(connection);
    socket.write(`${h2cHead}\r\n`);
    if (head.length > 0) socket.unshift(head);
    this.serving++;
    await serve(duplexOf(rawOf(socket)));
    this.serving--;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.buildkit[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const answers: Readonly<Record<string, unknown>> = {
  '/_ping': 'OK',
  '/version': { Version: '28.0.0', ApiVersion: '1.51', MinAPIVersion: '1.24', Os: 'linux', Arch: 'amd64' },
  '/info': {
    ID: 'played',
    OSType: 'linux',
    Architecture: 'x86_64',
    Driver: 'overlay2',
    DriverStatus: [],
    ServerVersion: '28.0.0',
  },
};

/** A folder with these files. */
export function folderOf(root: string, files: Readonly<Record<string, string | Uint8Array>>): string {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

/** A tree with a file of several chunks, an empty one, a folder and a link that leads out. */
export function oddTree(root: string): string {
  folderOf(root, { 'a/deep/file': outputBytes.subarray(0, 100_001), 'a-b': 'sorts between a and a/', empty: '' });
  symlinkSync('../../etc/passwd', join(root, 'link'));
  return root;
}

/** A connection as the server hands it over after an upgrade. */
export function rawOf(side: Duplex): RawConnection {
  const pieces = side.iterator({ destroyOnReturn: false });
  return {
    read: async () => {
      const { value, done } = await pieces.next();
      return done === true ? undefined : (value as Uint8Array);
    },
    write: (...bytes) => void bytes.map((each) => side.write(each)),
    onClose: (listener) => void side.once('close', listener),
    destroy: () => void side.destroy(),
  };
}

/** What a walk of a folder tells. */
export async function toldOf(root: string, options: TreeOptions): Promise<TreeStat[]> {
  const frames = new Frames(packet);
  const walk = new TreeWalk(root, frames, options);
  while (walk.next()) continue;
  const stats: TreeStat[] = [];
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield frames.take();
  }
  for await (const messages of unframe(bytes())) stats.push(...messages.map((each) => decode(packet, each).stat!));
  return stats;
}
