/** The sessions that are open, by id. A build may ask for one before it has come. */
import type { Duplex } from 'node:stream';
import { Fault } from '../../std/index.ts';
import { Arrivals } from '../arrivals.ts';
import { GrpcClient } from '../grpc/client.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import { healthRequest, healthResponse } from '../message/common.ts';
import type { LocalTrees } from './local-trees.ts';
import { Session } from './session.ts';

/** As dockerd waits. */
const patienceMs = 5_000;
const healthMs = 5_000;

const healthTables = { request: healthRequest, response: healthResponse };

export class Sessions {
  readonly #trees: LocalTrees;
  readonly #socketFolder: string;
  readonly #open = new Arrivals<Session>();

  constructor(options: { trees: LocalTrees; socketFolder: string }) {
    this.#trees = options.trees;
    this.#socketFolder = options.socketFolder;
  }

  /**
   * Holds the session of a `POST /session` until its connection closes. `header` reads the request's headers.
   * @throws Fault invalid before the connection is touched
   */
  accept(header: (name: string) => string | undefined): (connection: Duplex) => Promise<void> {
    const id = header('x-docker-expose-session-uuid') ?? '';
    if (!/^[A-Za-z0-9_.-]{1,128}$/.test(id))
      throw new Fault('invalid', 'Cannot open build session: no usable session id');
    const sharedKey = header('x-docker-expose-session-sharedkey') ?? '';
    return async (connection) => {
      if (this.#open.has(id)) {
        connection.destroy();
        return;
      }
      using client = new GrpcClient(connection);
      this.#open.set(id, new Session({ id, sharedKey, client, trees: this.#trees, socketFolder: this.#socketFolder }));
      const watch = watchHealth(client);
      await client.closed;
      clearInterval(watch);
      this.#open.delete(id);
    };
  }

  /** @throws Fault not-found when it does not come in time */
  async get(id: string, signal: AbortSignal): Promise<Session> {
    const session = await this.#open.get(id, patienceMs, signal);
    if (session === undefined) throw new Fault('not-found', `no active session for ${id}: context deadline exceeded`);
    return session;
  }
}

/** A client that hangs holds what it lent; two failures in a row end its session. One without the service is believed. */
function watchHealth(client: GrpcClient): NodeJS.Timeout {
  let failures = 0;
  return setInterval(() => {
    client.unary('/grpc.health.v1.Health/Check', healthTables, {}, { signal: AbortSignal.timeout(healthMs) }).then(
      () => (failures = 0),
      (error: unknown) => {
        if (error instanceof GrpcFault && error.code === grpcCode.unimplemented) return;
        if (++failures >= 2) client[Symbol.dispose]();
      },
    );
  }, healthMs);
}
