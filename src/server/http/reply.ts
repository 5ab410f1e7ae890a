/** What a handler answers: a value, not an act. The connection writes it, with the headers every answer carries. */
import type { Bytes } from '../../api/index.ts';
import { goJson } from '../go-json.ts';
import type { RawStream } from './raw-stream.ts';

export type Headers = Readonly<Record<string, string>>;

/** A whole answer, sent with its length. */
export interface WholeReply {
  readonly kind: 'whole';
  readonly status: number;
  readonly headers: Headers;
  readonly body: string | Uint8Array;
}

/** An answer of unknown length; its head is sent at once, before the first chunk exists. */
export interface StreamReply {
  readonly kind: 'stream';
  readonly status: number;
  readonly headers: Headers;
  readonly chunks: AsyncIterable<Uint8Array | string>;
}

/** The connection itself: `head` is sent, then `serve` owns the socket in both directions. */
export interface RawReply {
  readonly kind: 'raw';
  /** Status line and the headers of the protocol, each line with its CRLF; the standard headers follow. */
  readonly head: string;
  readonly serve: (stream: RawStream) => Promise<void>;
}

export type Reply = WholeReply | StreamReply | RawReply;

const jsonHeaders: Headers = { 'Content-Type': 'application/json' };

/** JSON as Docker prints it: Go's escapes and a newline at the end. */
export function json(value: unknown, status = 200): WholeReply {
  return { kind: 'whole', status, headers: jsonHeaders, body: `${goJson(value)}\n` };
}

export function empty(status = 200): WholeReply {
  return { kind: 'whole', status, headers: {}, body: '' };
}

export function failure(status: number, message: string): WholeReply {
  return status === 304 ? empty(304) : json({ message }, status);
}

export function stream(headers: Headers, chunks: AsyncIterable<Uint8Array | string>): StreamReply {
  return { kind: 'stream', status: 200, headers, chunks };
}

/** A tar or other file, streamed. */
export function file(contentType: string, bytes: Bytes, headers: Headers = {}): StreamReply {
  return stream({ ...headers, 'Content-Type': contentType }, bytes);
}
