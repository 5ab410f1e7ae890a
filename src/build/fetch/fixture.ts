/** For this room's tests: sources on a root of their own, and a server whose answers are told. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuildSecrets } from '../../api/index.ts';
import { openRegistry } from '../../registry/index.ts';
import { Fault, nowNanos, silentLogger } from '../../std/index.ts';
import type { Fetching, Sources } from './door.ts';
import { openSources, type SourcesOptions } from './sources.ts';

export class SourcesFixture implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-sources-'));
  readonly secrets = new Map<string, string>();
  agentSocket: string | undefined;
  output = '';
  readonly progress: [current: number, total: number][] = [];
  readonly registry = openRegistry({});
  sources!: Sources;

  static async open(options: Partial<SourcesOptions> = {}): Promise<SourcesFixture> {
    const fixture = new SourcesFixture();
    await fixture.reopen(options);
    return fixture;
  }

  /** As another daemon on the same root. */
  async reopen(options: Partial<SourcesOptions> = {}): Promise<void> {
    this.sources = await openSources({
      root: join(this.root, 'sources'),
      http: (request, signal) => this.registry.get(request, signal),
      env: process.env,
      log: silentLogger,
      now: nowNanos,
      ...options,
    });
  }

  get clientSecrets(): BuildSecrets {
    return {
      secret: async (id) => {
        const value = this.secrets.get(id);
        return value === undefined ? undefined : Buffer.from(value);
      },
      agent: async (id) => {
        if (this.agentSocket === undefined) throw new Fault('not-found', `Cannot forward SSH agent "${id}": unset`);
        return { socket: this.agentSocket, [Symbol.asyncDispose]: async () => {} };
      },
      credentials: async () => undefined,
    };
  }

  get by(): Fetching {
    return {
      secrets: this.clientSecrets,
      progress: (current, total) => void this.progress.push([current, total]),
      output: (_stream, data) => {
        this.output += Buffer.from(data).toString();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.close();
    rmSync(this.root, { recursive: true, force: true });
  }
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export class WebServer implements AsyncDisposable {
  readonly requests: { url: string; headers: IncomingMessage['headers'] }[] = [];
  readonly #server: Server;

  private constructor(answer: Answer) {
    this.#server = createServer((request, response) => {
      this.requests.push({ url: request.url ?? '', headers: request.headers });
      answer(request, response);
    });
  }

  static async open(answer: Answer): Promise<WebServer> {
    const server = new WebServer(answer);
    await new Promise<void>((done) => server.#server.listen(0, '127.0.0.1', () => done()));
    return server;
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}
