/** gRPC's length-prefixed messages (grpc/doc/PROTOCOL-HTTP2.md): one byte of flags, four of length, the message. No compression. */
import { Fault } from '../../std/index.ts';

/** As grpc-go's servers with BuildKit: a longer message is refused before a byte of it is kept. */
export const maxMessageBytes = 16 << 20;

export function frame(message: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(5 + message.length);
  out.writeUInt8(0, 0);
  out.writeUInt32BE(message.length, 1);
  out.set(message, 5);
  return out;
}

/** The messages in a stream of bytes. Holds at most one unfinished message. @throws Fault invalid */
export async function* unframe(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  let pieces: Uint8Array[] = [];
  let held = 0;
  for await (const chunk of source) {
    pieces.push(chunk);
    held += chunk.length;
    if (held < 5 || held < wanted(pieces)) continue;
    const all = pieces.length === 1 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : Buffer.concat(pieces);
    let at = 0;
    while (all.length - at >= 5) {
      const length = lengthAt(all, at);
      if (all.length - at - 5 < length) break;
      yield all.subarray(at + 5, at + 5 + length);
      at += 5 + length;
    }
    held = all.length - at;
    pieces = held === 0 ? [] : [all.subarray(at)];
  }
  if (held > 0) throw new Fault('invalid', 'Cannot read gRPC message: the stream ends within it');
}

/** Bytes that the first message takes, its head included; 5 while the head is spread over pieces. */
function wanted(pieces: readonly Uint8Array[]): number {
  const first = pieces[0]!;
  return first.length < 5 ? 5 : 5 + lengthAt(Buffer.from(first.buffer, first.byteOffset, first.length), 0);
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
