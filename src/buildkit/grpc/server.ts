/** A gRPC server on connections that somebody else accepted (grpc/doc/PROTOCOL-HTTP2.md). */
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../std/index.ts';
import { decode } from '../protobuf/codec.ts';
import type { Message, Table } from '../protobuf/field.ts';
import { frames, unframe } from './frame.ts';
import { readBytes } from './read.ts';
import { type CallContext, callContext, type Method, type Methods } from './service.ts';
import { asGrpcFault, faultTrailers, GrpcFault, grpcCode, okTrailers } from './status.ts';
import { endWhole } from './end-whole.ts';
import { connectionWindowBytes, settings } from './window.ts';
import { writeBytes } from './write.ts';

/** Serves until the connection closes. Its calls are cancelled with it. */
export async function serveGrpc(connection: Duplex, methods: Methods): Promise<void> {
  const server: Http2Server = createServer({ settings, maxSessionMemory: 64 });
  const closed = new Promise<void>((resolve) => {
    connection.once('close', resolve);
  });
  endWhole(connection);
  server.on('session', (session) => {
    session.on('error', () => {});
    session.setLocalWindowSize(connectionWindowBytes);
  });
  server.on('sessionError', () => connection.destroy());
  server.on('stream', (stream, headers, _, raw) => {
    stream.on('error', () => {});
    void serveCall(stream, headers[':path'] ?? '', raw, methods);
  });
  server.emit('connection', connection);
  await closed;
}

/** Never rejects: what fails ends the stream. */
async function serveCall(
  stream: ServerHttp2Stream,
  path: string,
  headers: readonly string[],
  methods: Methods,
): Promise<void> {
  const cancel = new AbortController();
  const gone = new GrpcFault(grpcCode.canceled, 'the client cancelled the call');
  stream.once('close', () => cancel.abort(gone));
  let trailers: Record<string, string> = okTrailers();
  try {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers(trailers));
    const call = callContext(headers, cancel.signal);
    const method = methods.get(path, call);
    if (method === undefined) throw new GrpcFault(grpcCode.unimplemented, `unknown method ${path}`);
    await answer(stream, method, call);
  } catch (error) {
    trailers = faultTrailers(asGrpcFault(error));
  }
  try {
    if (!stream.destroyed) stream.end();
  } catch (error) {
    stream.destroy(new Error(messageOf(error)));
  }
}

async function answer(stream: ServerHttp2Stream, method: Method, call: CallContext): Promise<void> {
  for await (const messages of method.handle(requestsOf(stream, method), call)) {
    call.signal.throwIfAborted();
    await writeBytes(stream, messages instanceof Uint8Array ? messages : frames(method.response, messages));
  }
}

/** The client's messages. Who takes only the first still hears of the stream's end: the rest is let go by. */
async function* requestsOf(
  stream: ServerHttp2Stream,
  method: Method,
): AsyncGenerator<readonly Message<Table>[], void, void> {
  try {
    for await (const messages of unframe(readBytes(stream))) yield messages.map((each) => decode(method.request, each));
  } finally {
    if (!stream.destroyed) stream.resume();
  }
}
