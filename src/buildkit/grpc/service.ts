/** What a server's methods look like to it: a table by path, each with its messages and a function. */
import type { IncomingHttpHeaders } from 'node:http2';
import type { Message, MessageInit, Table } from '../protobuf/field.ts';
import { GrpcFault, grpcCode } from './status.ts';

export interface CallContext {
  /** Aborted when the client cancels the call (RST_STREAM) or goes. */
  readonly signal: AbortSignal;
  /** A metadata value; undefined when it is not there. */
  metadata(name: string): string | undefined;
}

export interface Method {
  readonly request: Table;
  readonly response: Table;
  /** Messages come and go as many at a time as there are: a context is hundreds of thousands. */
  handle(requests: AsyncIterable<readonly Message<Table>[]>, call: CallContext): AsyncIterable<readonly MessageInit<Table>[]>;
}

/** By path, "/package.Service/Method". */
export type Methods = ReadonlyMap<string, Method>;

export function unary<Q extends Table, R extends Table>(
  request: Q,
  response: R,
  answer: (request: Message<Q>, call: CallContext) => MessageInit<R> | Promise<MessageInit<R>>,
): Method {
  return streaming(request, response, async function* (message, call) {
    yield await answer(message, call);
  });
}

/** One request, any number of answers. */
export function streaming<Q extends Table, R extends Table>(
  request: Q,
  response: R,
  answer: (request: Message<Q>, call: CallContext) => AsyncIterable<MessageInit<R>>,
): Method {
  return bidirectional(request, response, async function* (requests, call) {
    yield* answer(await only(requests), call);
  });
}

/** Messages both ways, at once. */
export function bidirectional<Q extends Table, R extends Table>(
  request: Q,
  response: R,
  answer: (requests: AsyncIterable<Message<Q>>, call: CallContext) => AsyncIterable<MessageInit<R>>,
): Method {
  return batched(request, response, async function* (batches, call) {
    for await (const message of answer(singly(batches), call)) yield [message];
  });
}

/** The same for many small messages. */
export function batched<Q extends Table, R extends Table>(
  request: Q,
  response: R,
  answer: (
    requests: AsyncIterable<readonly Message<Q>[]>,
    call: CallContext,
  ) => AsyncIterable<readonly MessageInit<R>[]>,
): Method {
  return {
    request,
    response,
    handle: (requests, call) =>
      answer(requests as AsyncIterable<readonly Message<Q>[]>, call) as AsyncIterable<readonly MessageInit<Table>[]>,
  };
}

/** Messages one at a time. */
export async function* singly<T>(batches: AsyncIterable<readonly T[]>): AsyncGenerator<T, void, void> {
  for await (const batch of batches) yield* batch;
}

async function only<Q extends Table>(requests: AsyncIterable<Message<Q>>): Promise<Message<Q>> {
  for await (const message of requests) return message;
  throw new GrpcFault(grpcCode.invalidArgument, 'the call has no request');
}

export function metadataOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
