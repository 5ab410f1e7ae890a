/**
 * Request heads (RFC 9112 §2–3): finds where a head ends, and parses it. Strict where laxness would let two readers disagree
 * about where a message ends (line folding, spaces in names, doubtful lengths), lax where clients are (bare LF, any Host).
 */
import { Gathered } from '../../std/index.ts';
import type { Input } from './input.ts';

/** Go's default limit; dockerode repeats whole create bodies in the request line. */
const maxHeadBytes = 1 << 20;

export interface RequestHead {
  readonly method: string;
  /** As sent, without scheme and authority: path and query. */
  readonly target: string;
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  readonly minor: number;
  /** Lower-case names; repeated headers are joined with ", ". */
  readonly headers: ReadonlyMap<string, string>;
}

/** A request that is not HTTP: answered with `status`, then the connection closes. */
export class MalformedRequest extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.name = 'MalformedRequest';
    this.status = status;
  }
}

/** Reads the next head; undefined when the client left between requests. @throws MalformedRequest */
export async function readHead(input: Input, onPartial: () => void): Promise<RequestHead | undefined> {
  const gathered = new Gathered();
  let scanned = 0;
  for (;;) {
    const chunk = await input.read();
    if (chunk === undefined) {
      if (gathered.bytes.length === 0) return undefined;
      throw new MalformedRequest('unexpected end of the request head');
    }
    gathered.append(gathered.bytes.length === 0 ? skipBlank(chunk) : chunk);
    const held = gathered.bytes;
    if (held.length === 0) continue;
    const end = headEnd(held, scanned);
    if (end >= 0) {
      if (end > maxHeadBytes) throw new MalformedRequest('request head too large', 431);
      input.unread(held.subarray(end));
      return parseHead(held.toString('latin1', 0, end));
    }
    if (held.length > maxHeadBytes) throw new MalformedRequest('request head too large', 431);
    scanned = Math.max(0, held.length - 3);
    onPartial();
  }
}

/** Empty lines before a request line are ignored (RFC 9112 §2.2). */
function skipBlank(chunk: Buffer): Buffer {
  let start = 0;
  while (start < chunk.length && (chunk[start] === 13 || chunk[start] === 10)) start++;
  return start === 0 ? chunk : chunk.subarray(start);
}

/** Index after the empty line that ends the head, or -1. */
function headEnd(buffer: Buffer, from: number): number {
  for (let at = buffer.indexOf(10, from); at >= 0; at = buffer.indexOf(10, at + 1)) {
    if (buffer[at + 1] === 10) return at + 2;
    if (buffer[at + 1] === 13 && buffer[at + 2] === 10) return at + 3;
  }
  return -1;
}

const requestLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP\/1\.([01])$/;
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const forbiddenInValue = /[\0\r]/;

/** @throws MalformedRequest */
export function parseHead(text: string): RequestHead {
  const lines = text.split('\n');
  const first = requestLine.exec(trimCarriageReturn(lines[0]!));
  if (first === null) throw new MalformedRequest('malformed request line');
  const headers = new Map<string, string>();
  for (let index = 1; index < lines.length; index++) {
    const line = trimCarriageReturn(lines[index]!);
    if (line === '') break;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    if (!headerName.test(name)) throw new MalformedRequest('malformed header line');
    const value = line.slice(colon + 1).trim();
    if (forbiddenInValue.test(value)) throw new MalformedRequest('malformed header value');
    const key = name.toLowerCase();
    const earlier = headers.get(key);
    headers.set(key, earlier === undefined ? value : `${earlier}, ${value}`);
  }
  return { method: first[1]!, target: originForm(first[2]!), minor: Number(first[3]), headers };
}

/** "http://host/x" (sent through proxies) means "/x". */
function originForm(target: string): string {
  if (target.startsWith('/') || target === '*') return target;
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/i.exec(target);
  if (absolute === null) throw new MalformedRequest('malformed request target');
  return absolute[1]!.startsWith('/') ? absolute[1]! : `/${absolute[1]}`;
}

function trimCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
