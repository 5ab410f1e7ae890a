/** A gRPC client on a connection that somebody else opened or accepted: in a build session the daemon calls, whoever connected. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type IncomingHttpHeaders } from 'node:http2';
import type { Duplex } from 'node:stream';
import { decode } from '../protobuf/codec.ts';
import type { Message, MessageInit, Table } from '../protobuf/field.ts';
import { endWhole } from './end-whole.ts';
import { frames, unframe } from './frame.ts';
import { readBytes } from './read.ts';
import { singly } from './service.ts';
import { GrpcFault, grpcCode, trailersFault } from './status.ts';
import { connectionWindowBytes, settings } from './window.ts';
import { writeBytes } from './write.ts';

export type Metadata = Readonly<Record<string, string | readonly string[]>>;

export interface CallOptions {
  metadata?: Metadata;
  signal?: AbortSignal | undefined;
}

/** A call with messages both ways. */
export interface GrpcCall<Q extends Table, R extends Table> extends Disposable {
  /** Resolves when there is room for more. @throws GrpcFault */
  send(...messages: readonly MessageInit<Q>[]): Promise<void>;
  /** The same for messages that are framed already. */
  sendFrames(bytes: Uint8Array): Promise<void>;
  /** No more from our side. */
  end(): void;
  /** The peer's messages, to be iterated once, here or as `batches`. @throws GrpcFault at the end when the call failed */
  readonly messages: AsyncIterable<Message<R>>;
  /** As many at a time as have come. */
  readonly batches: AsyncIterable<readonly Message<R>[]>;
}

export class GrpcClient implements Disposable {
  readonly #session: ClientHttp2Session;
  /** Resolves when the connection is closed, whoever closed it. */
  readonly closed: Promise<void>;

  constructor(connection: Duplex) {
    endWhole(connection);
    this.#session = connect('http://localhost', { createConnection: () => connection, settings, maxSessionMemory: 64 });
    this.#session.on('error', () => {});
    this.#session.once('connect', () => this.#session.setLocalWindowSize(connectionWindowBytes));
    this.closed = new Promise((resolve) => {
      this.#session.once('close', resolve);
    });
  }

  /** @throws GrpcFault */
  async unary<Q extends Table, R extends Table>(
    path: string,
    tables: { request: Q; response: R },
    request: MessageInit<Q>,
    options: CallOptions = {},
  ): Promise<Message<R>> {
    using call = this.call(path, tables, options);
    await call.send(request);
    call.end();
    let answer: Message<R> | undefined;
    for await (const message of call.messages) answer = message;
    if (answer === undefined) throw new GrpcFault(grpcCode.internal, `${path} answered nothing`);
    return answer;
  }

  /** Disposing cancels what is not over (RST_STREAM). @throws GrpcFault unavailable */
  call<Q extends Table, R extends Table>(
    path: string,
    tables: { request: Q; response: R },
    { metadata = {}, signal }: CallOptions = {},
  ): GrpcCall<Q, R> {
    signal?.throwIfAborted();
    if (this.#session.closed || this.#session.destroyed) {
      throw new GrpcFault(grpcCode.unavailable, 'the connection is closed');
    }
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      ':scheme': 'http',
      ':authority': 'localhost',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...metadata,
    });
    const ended = statusOf(stream);
    const cancel = (): void => {
      if (stream.destroyed) return;
      if (stream.writableEnded) stream.close(0x8);
      // To close it would first end our side properly, and the peer would take half a file for the whole.
      else stream.destroy(new GrpcFault(grpcCode.canceled, 'the call was cancelled'));
    };
    signal?.addEventListener('abort', cancel, { once: true });
    stream.once('close', () => signal?.removeEventListener('abort', cancel));
    const batches = received(stream, tables.response, ended, signal);
    return {
      send: (...messages) => writeBytes(stream, frames(tables.request, messages)),
      sendFrames: (bytes) => writeBytes(stream, bytes),
      end: () => void stream.end(),
      batches,
      messages: singly(batches),
      [Symbol.dispose]: cancel,
    };
  }

  [Symbol.dispose](): void {
    this.#session.destroy();
  }
}

async function* received<R extends Table>(
  stream: ClientHttp2Stream,
  table: R,
  ended: Promise<GrpcFault | undefined>,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly Message<R>[], void, void> {
  try {
    for await (const messages of unframe(readBytes(stream))) yield messages.map((each) => decode(table, each));
  } catch (error) {
    signal?.throwIfAborted();
    throw (await ended) ?? error;
  }
  signal?.throwIfAborted();
  const fault = await ended;
  if (fault !== undefined) throw fault;
}

/** Never rejects. The status is in the trailers, or in the head of an answer without a body ("trailers-only"). */
function statusOf(stream: ClientHttp2Stream): Promise<GrpcFault | undefined> {
  return new Promise((resolve) => {
    const settle = (headers: IncomingHttpHeaders): void => {
      if (headers['grpc-status'] !== undefined) resolve(trailersFault(headers));
    };
    stream.on('response', settle);
    stream.on('trailers', settle);
    stream.on('error', () => {});
    stream.once('close', () =>
      resolve(new GrpcFault(grpcCode.unavailable, 'the connection was lost in the middle of the call')),
    );
  });
}
