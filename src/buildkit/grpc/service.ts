/** What a server's methods look like to it: a table by path, each with its messages and a function. */
import type { IncomingHttpHeaders } from 'node:http2';
import type { Message, MessageInit, Table } from '../protobuf/field.ts';

export interface CallContext {
  /** Aborted when the client cancels the call (RST_STREAM) or goes. */
  readonly signal: AbortSignal;
  /** A metadata value; undefined when it is not there. */
  metadata(name: string): string | undefined;
}

export interface Method {
  readonly request: Table;
  readonly response: Table;
  handle(request: Message<Table>, call: CallContext): AsyncIterable<MessageInit<Table>>;
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
  return {
    request,
    response,
    handle: (message, call) => answer(message as Message<Q>, call) as AsyncIterable<MessageInit<Table>>,
  };
}

export function metadataOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
