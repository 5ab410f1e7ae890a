/** What a server's methods look like to it: a table by path, each with its messages and a function. */
import type { Message, MessageInit, Table } from '../protobuf/field.ts';
import { GrpcFault, grpcCode } from './status.ts';

export interface CallContext {
  /** Aborted when the client cancels the call (RST_STREAM) or goes. */
  readonly signal: AbortSignal;
  /** A metadata value; undefined when it is not there. */
  metadata(name: string): string | undefined;
  /** All values of one name. */
  metadataValues(name: string): readonly string[];
}

export interface Method {
  readonly request: Table;
  readonly response: Table;
  /** Messages come and go as many at a time as there are, a context is hundreds of thousands: as objects, or framed already. */
  handle(
    requests: AsyncIterable<readonly Message<Table>[]>,
    call: CallContext,
  ): AsyncIterable<readonly MessageInit<Table>[] | Uint8Array>;
}

/** By path, "/package.Service/Method". A map, or where a method's messages depend on the call, what chooses. */
export interface Methods {
  get(path: string, call: CallContext): Method | undefined;
}

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
  ) => AsyncIterable<readonly MessageInit<R>[] | Uint8Array>,
): Method {
  return {
    request,
    response,
    handle: (requests, call) =>
      answer(requests as AsyncIterable<readonly Message<Q>[]>, call) as AsyncIterable<
        readonly MessageInit<Table>[] | Uint8Array
      >,
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

/** `raw`: names and values in turn. A value may hold what Node joins values with. */
export function callContext(raw: readonly string[], signal: AbortSignal): CallContext {
  const values = (name: string): string[] => raw.filter((_, index) => index % 2 === 1 && raw[index - 1] === name);
  return { signal, metadata: (name) => values(name)[0], metadataValues: values };
}
