/** HTTP/1.1 as a client reads and writes it (RFC 9112): heads, and bodies sized, chunked or until the end. */
import { Fault } from '../std/index.ts';
import type { Wire } from './wire.ts';

const maxHead = 1 << 20;

export interface Head {
  readonly status: number;
  readonly reason: string;
  /** Keys in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** @returns undefined when the connection ended before a byte of an answer came. */
export async function readHead(wire: Wire): Promise<Head | undefined> {
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const end = held.indexOf('\r\n\r\n');
    if (end >= 0) {
      wire.unread(held.subarray(end + 4));
      const head = parseHead(held.toString('latin1', 0, end));
      if (head.status >= 200 || head.status === 101) return head;
      held = Buffer.alloc(0);
      continue;
    }
    if (held.length > maxHead) throw new Fault('invalid', 'The daemon sent a response head over 1 MiB');
    const chunk = await wire.read();
    if (chunk === undefined) {
      if (held.length === 0) return undefined;
      throw cut();
    }
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
  }
}

export function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split('\r\n');
  const match = /^HTTP\/1\.[01] (\d{3}) ?(.*)$/.exec(first);
  if (match === null) {
    throw new Fault('invalid', `The daemon does not speak HTTP: it answered ${JSON.stringify(first.slice(0, 80))}`);
  }
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { status: Number(match[1]), reason: match[2]!, headers };
}

/** The answer's body; `release(true)` is called once when it was read to its end, `release(false)` when it was not. */
export async function* readBody(
  wire: Wire,
  head: Head,
  method: string,
  release: (whole: boolean) => void,
): AsyncGenerator<Uint8Array, void> {
  let whole = false;
  try {
    if (hasNoBody(head, method)) whole = true;
    else if (/chunked/i.test(head.headers['transfer-encoding'] ?? '')) {
      yield* chunkedBody(wire);
      whole = true;
    } else if (head.headers['content-length'] !== undefined) {
      yield* sizedBody(wire, Number(head.headers['content-length']));
      whole = true;
    } else {
      for (let chunk = await wire.read(); chunk !== undefined; chunk = await wire.read()) yield chunk;
    }
  } finally {
    release(whole && !/close/i.test(head.headers['connection'] ?? ''));
  }
}

export function hasNoBody(head: Head, method: string): boolean {
  return method === 'HEAD' || head.status === 204 || head.status === 304 || head.headers['content-length'] === '0';
}

async function* sizedBody(wire: Wire, size: number): AsyncGenerator<Uint8Array, void> {
  let left = size;
  while (left > 0) {
    const chunk = await wire.read();
    if (chunk === undefined) throw cut();
    if (chunk.length > left) wire.unread(chunk.subarray(left));
    const part = chunk.subarray(0, left);
    left -= part.length;
    yield part;
  }
}

async function* chunkedBody(wire: Wire): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const line = await readLine(wire);
    const size = Number.parseInt(line, 16);
    if (Number.isNaN(size)) throw new Fault('invalid', 'The daemon sent a malformed chunk');
    if (size === 0) break;
    yield* sizedBody(wire, size);
    await readLine(wire);
  }
  while ((await readLine(wire)) !== '') continue;
}

async function readLine(wire: Wire): Promise<string> {
  let held: Buffer = Buffer.alloc(0);
  for (;;) {
    const end = held.indexOf('\n');
    if (end >= 0) {
      wire.unread(held.subarray(end + 1));
      return held.toString('latin1', 0, end).replace(/\r$/, '');
    }
    if (held.length > maxHead) throw new Fault('invalid', 'The daemon sent a malformed chunk');
    const chunk = await wire.read();
    if (chunk === undefined) throw cut();
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
  }
}

/** Sends a body of unknown length. */
export async function writeChunked(wire: Wire, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const part of body) {
    if (part.length === 0) continue;
    await wire.write(Buffer.concat([Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]));
  }
  await wire.write('0\r\n\r\n');
}

function cut(): Fault {
  return new Fault('unavailable', 'The daemon ended the connection in the middle of its answer: unexpected EOF');
}
