/** A server on a unix socket of its own, with an engine in memory, for the length of a test; leaks fail the test. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBuilding } from '../../src/engine/building.ts';
import { createServer, type ListenerOptions, type Server, type ServerOptions } from '../../src/server/index.ts';
import { silentLogger } from '../../src/std/index.ts';
import { createFakeEngine, type FakeEngine } from './fake-engine.ts';

export interface Running {
  readonly engine: FakeEngine;
  readonly server: Server;
  readonly path: string;
  /** A folder that goes away with the test. */
  readonly folder: string;
}

type TestServerOptions = ListenerOptions & Partial<Pick<ServerOptions, 'deadlines' | 'connections' | 'logger'>>;

export async function withServer(
  { deadlines, connections, logger = silentLogger, ...options }: TestServerOptions,
  use: (running: Running) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'wherry-server-'));
  const engine = createFakeEngine();
  const { builds } = engine;
  const roots = { dataRoot: join(folder, 'data'), execRoot: join(folder, 'run') };
  const building = openBuilding({ builds, ...roots, id: 'fake', hostGateway: '172.17.0.1' });
  const server = createServer({
    engine,
    building,
    logger,
    ...(deadlines === undefined ? {} : { deadlines }),
    ...(connections === undefined ? {} : { connections }),
  });
  const path = join(folder, 'api.sock');
  try {
    await server.listen({ path, ...options });
    await use({ engine, server, path, folder });
    await eventually(() => engine.open.events + engine.open.logs + engine.open.pulls === 0, 'subscriptions left open');
    for (const { process } of engine.containersById.values()) {
      await eventually(() => process.sessions === 0, 'stdio sessions left attached');
    }
    await eventually(() => builds.running === 0, 'builds left running');
    const posted = (): string[] => readdirSync(join(roots.dataRoot, 'buildkit/posted'));
    await eventually(() => posted().length === 0, 'contexts left behind');
  } finally {
    await server.close({ graceMs: 200 });
    await building[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Waits up to two seconds for a condition that other parties bring about. */
export async function eventually(holds: () => boolean, otherwise: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(otherwise);
}

/** A connection under the test's own hands: bytes out as they are, bytes in as they come. */
export class RawClient {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;

  constructor(target: string | { host: string; port: number }, wrap?: (socket: Socket) => Socket) {
    const options = typeof target === 'string' ? { path: target } : target;
    const plain = connect({ ...options, allowHalfOpen: true });
    this.socket = wrap === undefined ? plain : wrap(plain);
    this.socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('error', () => {
      this.ended = true;
    });
    this.socket.on('close', () => {
      this.ended = true;
    });
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Waits until what came matches, and returns all of it as text. */
  async until(expression: RegExp): Promise<string> {
    await eventually(() => expression.test(this.text), `waited for ${expression}, got ${JSON.stringify(this.text)}`);
    return this.text;
  }

  /** Waits until the server has ended its side. */
  async end(): Promise<string> {
    await eventually(() => this.ended, `the server did not end; got ${JSON.stringify(this.text.slice(0, 500))}`);
    return this.text;
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  close(): void {
    this.socket.destroy();
  }
}
