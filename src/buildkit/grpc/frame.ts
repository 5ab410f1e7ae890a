/** gRPC's length-prefixed messages (grpc/doc/PROTOCOL-HTTP2.md): one byte of flags, four of length, the message. No compression. */
import { asBuffer, Fault } from '../../std/index.ts';
import { encodeInto } from '../protobuf/codec.ts';
import type { MessageInit, Table } from '../protobuf/field.ts';
import { WireWriter } from '../protobuf/wire.ts';

/** As grpc-go's servers with BuildKit: a longer message is refused before a byte of it is kept. */
export const maxMessageBytes = 16 << 20;

const headBytes = 5;

/** Messages one after another, to be written at once. Where there are very many, none is kept as an object. */
export class Frames<T extends Table> {
  readonly #table: T;
  #writer: WireWriter;

  constructor(table: T, sizeHint = 256) {
    this.#table = table;
    this.#writer = new WireWriter(sizeHint);
  }

  /** Bytes so far. */
  get length(): number {
    return this.#writer.length;
  }

  add(message: MessageInit<T>): void {
    const writer = this.#writer;
    const head = writer.leave(headBytes);
    encodeInto(writer, this.#table, message);
    writer.setByte(head, 0);
    writer.setUint32(head + 1, writer.length - head - headBytes);
  }

  /** What was added since the last time. */
  take(sizeHint = 256): Buffer {
    const bytes = this.#writer.finish();
    this.#writer = new WireWriter(sizeHint);
    return bytes;
  }
}

export function frames<T extends Table>(table: T, messages: readonly MessageInit<T>[]): Buffer {
  const all = new Frames(table, messages.length * 96);
  for (const message of messages) all.add(message);
  return all.take();
}

/** The messages in a stream of bytes, as many at a time as have come. Holds at most one unfinished message. @throws Fault invalid */
export async function* unframe(source: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Buffer[], void, void> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of source) {
    pieces.push(chunk);
    held += chunk.length;
    if (held < headBytes || held < wanted(pieces)) continue;
    const all = pieces.length === 1 ? asBuffer(chunk) : Buffer.concat(pieces);
    const messages: Buffer[] = [];
    let at = 0;
    while (all.length - at >= headBytes) {
      const length = lengthAt(all, at);
      if (all.length - at - headBytes < length) break;
      messages.push(all.subarray(at + headBytes, at + headBytes + length));
      at += headBytes + length;
    }
    held = all.length - at;
    pieces = held === 0 ? [] : [all.subarray(at)];
    if (messages.length > 0) yield messages;
  }
  if (held > 0) throw new Fault('invalid', 'Cannot read gRPC message: the stream ends within it');
}

/** Bytes that the first message takes, its head included; 5 while the head is spread over pieces. */
function wanted(pieces: readonly Uint8Array[]): number {
  const first = pieces[0]!;
  return first.length < headBytes ? headBytes : headBytes + lengthAt(asBuffer(first), 0);
}

function lengthAt(bytes: Buffer, at: number): number {
  if (bytes[at] !== 0)
    throw new Fault('invalid', 'Cannot read gRPC message: it is compressed, and nobody asked for that');
  const length = bytes.readUInt32BE(at + 1);
  if (length > maxMessageBytes) {
    throw new Fault('invalid', `Cannot read gRPC message: ${length} bytes are more than ${maxMessageBytes}`);
  }
  return length;
}
