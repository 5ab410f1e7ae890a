/**
 * A request's body (RFC 9112 §6–7): exactly the bytes its framing says, so that what follows is the next request or hijacked
 * stdin. Pulled once; whoever wants it whole uses `text`.
 */
import { Fault } from '../../std/index.ts';
import { type RequestHead, MalformedRequest } from './head.ts';
import { ClientGone, type Input } from './input.ts';

const maxLineBytes = 16 * 1024;
const maxTrailerLines = 128;

export class Body implements AsyncIterable<Uint8Array> {
  readonly #input: Input;
  readonly #chunked: boolean;
  readonly #onFirstRead: () => void;
  #remaining: number;
  #started = false;
  #done: boolean;
  /** Length in bytes; undefined when chunked. */
  readonly length: number | undefined;

  /** @throws MalformedRequest when the framing headers are doubtful. */
  constructor(head: RequestHead, input: Input, onFirstRead: () => void) {
    this.#input = input;
    this.#onFirstRead = onFirstRead;
    const coding = head.headers.get('transfer-encoding');
    this.#chunked = coding !== undefined;
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
      throw new MalformedRequest(`unsupported transfer encoding ${JSON.stringify(coding)}`, 501);
    }
    const length = head.headers.get('content-length');
    if (length !== undefined && coding !== undefined) throw new MalformedRequest('both a length and chunks');
    if (length !== undefined && !/^\d{1,15}$/.test(length)) throw new MalformedRequest('bad Content-Length');
    this.#remaining = length === undefined ? 0 : Number(length);
    this.length = this.#chunked ? undefined : this.#remaining;
    this.#done = !this.#chunked && this.#remaining === 0;
  }

  /** Every byte of it was read. */
  get complete(): boolean {
    return this.#done;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /** The whole body as UTF-8. @throws Fault invalid when it is longer than `limit` bytes. */
  async text(limit: number): Promise<string> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const chunk = await this.#next();
      if (chunk === undefined) break;
      size += chunk.length;
      if (size > limit) throw new Fault('invalid', `request body too large: the limit is ${limit} bytes`);
      chunks.push(chunk);
    }
    if (chunks.length === 1) return Buffer.from(chunks[0]!.buffer, chunks[0]!.byteOffset, size).toString('utf8');
    return Buffer.concat(chunks, size).toString('utf8');
  }

  /** Reads and drops the rest, up to `limit` bytes. @returns whether the next request can follow. */
  async discard(limit: number): Promise<boolean> {
    let left = limit;
    while (!this.#done && left > 0) {
      const chunk = await this.#next();
      left -= chunk?.length ?? 0;
    }
    return this.#done;
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#done) return undefined;
    if (!this.#started) {
      this.#started = true;
      this.#onFirstRead();
    }
    if (this.#remaining === 0 && !(await this.#nextChunk())) return undefined;
    const bytes = await this.#input.read();
    if (bytes === undefined) throw new ClientGone('the client closed the connection inside a request body');
    const mine = bytes.length > this.#remaining ? bytes.subarray(0, this.#remaining) : bytes;
    this.#input.unread(bytes.subarray(mine.length));
    this.#remaining -= mine.length;
    if (this.#remaining === 0) {
      if (this.#chunked) await this.#line();
      else this.#done = true;
    }
    return mine;
  }

  /** Reads a chunk's size line; false (and the trailer is read) after the last. */
  async #nextChunk(): Promise<boolean> {
    const line = await this.#line();
    const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
    if (size === undefined) throw new MalformedRequest('malformed chunk size');
    this.#remaining = Number.parseInt(size, 16);
    if (this.#remaining > 0) return true;
    for (let lines = 0; (await this.#line()) !== ''; lines++) {
      if (lines === maxTrailerLines) throw new MalformedRequest('trailer too large');
    }
    this.#done = true;
    return false;
  }

  async #line(): Promise<string> {
    let held = '';
    for (;;) {
      const bytes = await this.#input.read();
      if (bytes === undefined) throw new ClientGone('the client closed the connection inside a request body');
      const end = bytes.indexOf(10);
      held += bytes.toString('latin1', 0, end < 0 ? bytes.length : end);
      if (held.length > maxLineBytes) throw new MalformedRequest('chunk line too long');
      if (end < 0) continue;
      this.#input.unread(bytes.subarray(end + 1));
      return held.endsWith('\r') ? held.slice(0, -1) : held;
    }
  }
}
