/** Docker's stdio frames (stdcopy): `[stream, 0, 0, 0, length as 32-bit big endian]` and the payload. */
import { asBuffer, Fault } from '../std/index.ts';

export interface Frame {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

/** What is kept of what the daemon says went wrong. */
const longestFailure = 64 << 10;

/** Takes frames apart as bytes come; payloads are passed on without waiting for a frame's end. */
export async function* readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void> {
  let held: Buffer = Buffer.alloc(0);
  let left = 0;
  let stream = 1;
  let failure = '';
  for await (const chunk of source) {
    held = held.length === 0 ? asBuffer(chunk) : Buffer.concat([held, chunk]);
    for (;;) {
      if (left === 0) {
        if (held.length < 8) break;
        stream = held[0]!;
        left = held.readUInt32BE(4);
        held = held.subarray(8);
        if (stream > 3) throw new Fault('invalid', `Unrecognized input header: ${stream}`);
        continue;
      }
      if (held.length === 0) break;
      const data = held.subarray(0, left);
      held = held.subarray(data.length);
      left -= data.length;
      if (stream === 3) failure = (failure + data.toString('utf8')).slice(0, longestFailure);
      else yield { stream: stream === 2 ? 'stderr' : 'stdout', data };
    }
  }
  if (failure !== '') throw new Fault('internal', `error from daemon in stream: ${failure.trim()}`);
}

/** A terminal's stream has no frames: all of it is standard output. */
export async function* rawFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void> {
  for await (const data of source) yield { stream: 'stdout', data };
}
