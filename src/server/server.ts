/** The server: listeners, their connections, and an end in which nothing is leaked. */
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import { type Engine, latestVersion, versionText } from '../api/index.ts';
import { type Logger, messageOf } from '../std/index.ts';
import { type BuildDoors, RunningBuilds } from './build/doors.ts';
import { ConnectionLimit, connectionLimit } from './connection-limit.ts';
import { createDispatch } from './dispatch.ts';
import { Connection } from './http/connection.ts';
import { BodyBudget } from './http/body-budget.ts';
import { type Deadlines, deadlines as usual } from './http/deadlines.ts';
import { openListener, type Target } from './listener.ts';
import { projectEngine } from './one-project.ts';
import { RequestMetrics } from './request-metrics.ts';

export interface ServerOptions {
  readonly engine: Engine;
  readonly logger: Logger;
  /** The engine version in the Server header; clients expect a Docker-like number. Default "28.5.2". */
  readonly productVersion?: string;
  /** Without them nothing can be built. */
  readonly building?: BuildDoors;
  /** Connections held at once; default as many as this process's descriptors allow. */
  readonly connections?: number;
  readonly deadlines?: Deadlines;
}

/** What a listener lets its clients do. */
export interface ListenerOptions {
  /** Only calls that change nothing; others answer 403. Default false. */
  readonly readOnly?: boolean;
  /** Only the objects of one compose project; see one-project.ts. */
  readonly project?: string;
  /** Nothing but GET and HEAD of `/metrics`, and little patience with who asks. Default false. */
  readonly metricsOnly?: boolean;
}

/** Scrapers are few and quick: whoever is not keeps none of the daemon. */
const scraperLimits = { connections: 32, headMs: 5_000, idleMs: 60_000 };

export type ListenTarget = Target & ListenerOptions;

export interface Server {
  /** Starts a listener. @returns the unix path, or the host and port in use. @throws Fault */
  listen(target: ListenTarget): Promise<{ path: string } | { host: string; port: number }>;
  /** Stops listening, lets answers under way end for up to `graceMs` (default 2000), then closes every connection. */
  close(options?: { graceMs?: number }): Promise<void>;
}

export function createServer(options: ServerOptions): Server {
  return new EngineServer(options);
}

class EngineServer implements Server {
  readonly #options: ServerOptions;
  readonly #standardHeaders: string;
  readonly #running = new RunningBuilds();
  readonly #requests = new RequestMetrics();
  readonly #listeners = new Set<NetServer>();
  readonly #connections = new Map<Connection, Promise<void>>();
  readonly #limit: ConnectionLimit;
  readonly #bodyBudget = new BodyBudget();

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#limit = new ConnectionLimit(options.connections ?? connectionLimit(), options.logger);
    this.#standardHeaders = [
      `Api-Version: ${versionText(latestVersion)}\r\n`,
      'Docker-Experimental: false\r\n',
      'Ostype: linux\r\n',
      `Server: Docker/${options.productVersion ?? '28.5.2'} (linux)\r\n`,
    ].join('');
  }

  async listen(target: ListenTarget): Promise<{ path: string } | { host: string; port: number }> {
    const { engine, logger, building, deadlines } = this.#options;
    const { project, metricsOnly = false } = target;
    const handle = createDispatch({
      engine: project === undefined ? engine : projectEngine(engine, project),
      logger,
      readOnly: target.readOnly ?? false,
      local: isLocal(target),
      metricsOnly,
      requests: this.#requests,
      building: building === undefined || project !== undefined ? undefined : { ...building, running: this.#running },
    });
    const bySocket = new WeakMap<Socket, Connection>();
    const listener = await openListener(target, (socket) => {
      if (metricsOnly) socket.setTimeout(scraperLimits.idleMs, () => socket.destroy());
      const connection: Connection = new Connection(socket, {
        handle,
        standardHeaders: this.#standardHeaders,
        logger,
        bodyBudget: this.#bodyBudget,
        onWaiting: (waiting) => this.#limit.waits(connection, waiting),
        ...(metricsOnly
          ? { deadlines: { ...(deadlines ?? usual), headMs: scraperLimits.headMs } }
          : deadlines === undefined
            ? {}
            : { deadlines }),
      });
      bySocket.set(socket, connection);
      this.#connections.set(
        connection,
        connection.serve().finally(() => this.#connections.delete(connection)),
      );
    });
    if (metricsOnly) listener.maxConnections = scraperLimits.connections;
    listener.on('connection', (socket: Socket) => this.#limit.admit(socket, bySocket.get(socket)));
    // No descriptor was left for a connection (the kernel's own back-off is to close it).
    listener.on('error', (error) => this.#limit.complain('cannot accept a connection', { error: messageOf(error) }));
    this.#listeners.add(listener);
    const address = listener.address();
    if (typeof address === 'string' || address === null) return { path: address ?? '' };
    return hostAndPort(address);
  }

  async close(options: { graceMs?: number } = {}): Promise<void> {
    const closed = [...this.#listeners].map(
      (listener) => new Promise<void>((resolve) => listener.close(() => resolve())),
    );
    this.#listeners.clear();
    for (const connection of this.#connections.keys()) connection.shutdown();
    const timer = setTimeout(() => {
      for (const connection of this.#connections.keys()) connection.destroy();
    }, options.graceMs ?? 2_000);
    await Promise.all(this.#connections.values());
    clearTimeout(timer);
    for (const socket of this.#limit.sockets) socket.destroy();
    await Promise.all(closed);
  }
}

function hostAndPort({ address, port }: AddressInfo): { host: string; port: number } {
  return { host: address, port };
}

function isLocal(target: Target): boolean {
  return !('host' in target) || ['localhost', '::1'].includes(target.host) || target.host.startsWith('127.');
}
