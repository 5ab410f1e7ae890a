/** gRPC's length-prefixed messages (grpc/doc/PROTOCOL-HTTP2.md): one byte of flags, four of length, the message. No compression. */
import { asBuffer, Fault } from '../../std/index.ts';
import { encodeInto } from '../protobuf/codec.ts';
import type { MessageInit, Table } from '../protobuf/field.ts';
import { WireWriter } from '../protobuf/wire.ts';

/** As grpc-go's servers with BuildKit: a longer message is refused before a byte of it is kept. */
export const maxMessageBytes = 16 << 20;

const headBytes = 5;

/** Messages one after another, to be written at once. */
export function frames<T extends Table>(table: T, messages: readonly MessageInit<T>[]): Buffer {
  const writer = new WireWriter(messages.length * 96);
  for (const message of messages) {
    const head = writer.leave(headBytes);
    encodeInto(writer, table, message);
    writer.setByte(head, 0);
    writer.setUint32(head + 1, writer.length - head - headBytes);
  }
  return writer.finish();
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
