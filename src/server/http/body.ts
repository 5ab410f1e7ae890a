/**
 * A request's body (RFC 9112 §6–7): exactly the bytes its framing says, so that what follows is the next request or hijacked
 * stdin. Pulled once; whoever wants it whole uses `text`.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { Fault } from '../../std/index.ts';
import { BodyBudget } from './body-budget.ts';
import { type Deadlines, deadlines as usual } from './deadlines.ts';
import { type RequestHead, MalformedRequest } from './head.ts';
import { ClientGone, ClientStalled, type Input } from './input.ts';

const maxLineBytes = 16 * 1024;
const maxTrailerLines = 128;
/** Chunks of single bytes come by the hundred thousand; after so many others have a turn. */
const chunksPerTurn = 512;
/** Chunk size lines may take this, and sixteen times what the data takes: honest ones have a few bytes each. */
const framingAllowance = 64 * 1024;

const empty: Buffer = Buffer.alloc(0);

/** A body that is longer than it may be: answered with status 413. */
export class BodyTooLarge extends Fault {
  constructor(limit: number) {
    super('invalid', `request body too large: the limit is ${limit} bytes`);
    this.name = 'BodyTooLarge';
  }
}

/** How many milliseconds are left, asked before each wait. */
type Patience = () => number;

export class Body implements AsyncIterable<Uint8Array> {
  readonly #input: Input;
  readonly #chunked: boolean;
  readonly #onFirstRead: () => void;
  readonly #deadlines: Deadlines;
  readonly #budget: BodyBudget;
  #remaining: number;
  #started = false;
  #done: boolean;
  /** It cannot be read on: what its framing said was nonsense, or its client is gone or too slow. */
  #broken = false;
  #dataBytes = 0;
  #framingBytes = 0;
  #chunks = 0;
  /** Length in bytes; undefined when chunked. */
  readonly length: number | undefined;

  /** @throws MalformedRequest when the framing headers are doubtful. */
  constructor(
    head: RequestHead,
    input: Input,
    onFirstRead: () => void,
    { deadlines = usual, budget = new BodyBudget() }: { deadlines?: Deadlines; budget?: BodyBudget } = {},
  ) {
    this.#input = input;
    this.#onFirstRead = onFirstRead;
    this.#deadlines = deadlines;
    this.#budget = budget;
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
    const patience = (): number => this.#deadlines.stallMs;
    for (;;) {
      const chunk = await this.#next(patience);
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /** The whole body as UTF-8. @throws BodyTooLarge when it is longer than `limit` bytes; MalformedRequest when it is slow, or there is no memory for it */
  async text(limit: number): Promise<string> {
    const { bodyMs, bytesPerSecond } = this.#deadlines;
    const started = performance.now();
    if (this.length !== undefined && this.length > limit) throw new BodyTooLarge(limit);
    let held = empty;
    let size = 0;
    const patience = (): number => started + bodyMs + (size / bytesPerSecond) * 1000 - performance.now();
    try {
      for (let chunk = await this.#next(patience); chunk !== undefined; chunk = await this.#next(patience)) {
        const whole = size + chunk.length;
        if (whole > limit) throw new BodyTooLarge(limit);
        if (held.length < whole) {
          // What came in one piece stays it; all else is copied together: chunks of single bytes would take a hundred times their size.
          const room = this.length === whole ? whole : Math.min(whole * 2, limit);
          if (!this.#budget.grow(held.length, room)) throw new MalformedRequest('too many large request bodies', 503);
          const larger: Buffer = size === 0 && this.length === whole ? chunk : Buffer.allocUnsafe(room);
          held.copy(larger, 0, 0, size);
          if (larger !== chunk) chunk.copy(larger, size);
          held = larger;
        } else chunk.copy(held, size);
        size = whole;
      }
      return held.toString('utf8', 0, size);
    } finally {
      this.#budget.giveBack(held.length);
    }
  }

  /** Reads and drops the rest, up to `limit` bytes. @returns whether the next request can follow. Rejects with nothing. */
  async discard(limit: number): Promise<boolean> {
    const end = performance.now() + this.#deadlines.discardMs;
    let left = limit;
    try {
      while (!this.#done && !this.#broken && left > 0) {
        const chunk = await this.#next(() => end - performance.now());
        left -= chunk?.length ?? 0;
      }
    } catch (error) {
      if (!(error instanceof MalformedRequest || error instanceof ClientGone)) throw error;
    }
    return this.#done;
  }

  async #next(patience: Patience): Promise<Buffer | undefined> {
    if (this.#done) return undefined;
    if (this.#broken) throw new ClientGone('the request body was broken off');
    if (!this.#started) {
      this.#started = true;
      this.#onFirstRead();
    }
    try {
      return await this.#read(patience);
    } catch (error) {
      this.#broken = true;
      if (!(error instanceof ClientStalled)) throw error;
      throw new MalformedRequest('the request body did not come in time', 408);
    }
  }

  async #read(patience: Patience): Promise<Buffer | undefined> {
    if (this.#remaining === 0 && !(await this.#nextChunk(patience))) return undefined;
    const bytes = await this.#input.read(patience());
    if (bytes === undefined) throw new ClientGone('the client closed the connection inside a request body');
    const mine = bytes.length > this.#remaining ? bytes.subarray(0, this.#remaining) : bytes;
    this.#input.unread(bytes.subarray(mine.length));
    this.#remaining -= mine.length;
    this.#dataBytes += mine.length;
    if (this.#remaining === 0) {
      // Whatever else stood there, another reader could take for data or for the next chunk.
      if (this.#chunked && (await this.#line(patience)) !== '') throw new MalformedRequest('malformed end of a chunk');
      else if (!this.#chunked) this.#done = true;
    }
    return mine;
  }

  /** Reads a chunk's size line; false (and the trailer is read) after the last. */
  async #nextChunk(patience: Patience): Promise<boolean> {
    if (++this.#chunks % chunksPerTurn === 0) await turn();
    const line = await this.#line(patience);
    const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
    if (size === undefined) throw new MalformedRequest('malformed chunk size');
    this.#framingBytes += line.length;
    if (this.#framingBytes > framingAllowance + this.#dataBytes * 16)
      throw new MalformedRequest('chunk extensions too large');
    this.#remaining = Number.parseInt(size, 16);
    if (this.#remaining > 0) return true;
    for (let lines = 0; (await this.#line(patience)) !== ''; lines++) {
      if (lines === maxTrailerLines) throw new MalformedRequest('trailer too large');
    }
    this.#done = true;
    return false;
  }

  async #line(patience: Patience): Promise<string> {
    let held = '';
    for (;;) {
      const bytes = await this.#input.read(patience());
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
