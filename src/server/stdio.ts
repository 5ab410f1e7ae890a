/**
 * A container's or exec's stdio over a hijacked connection or a response body: the 8-byte frames of moby's stdcopy, their
 * content types, and the pump between a client and a process.
 */
import type { StdioFrame, StdioSession } from '../api/index.ts';
import { messageOf } from '../std/index.ts';
import { ClientGone } from './http/input.ts';
import type { RawStream } from './http/raw-stream.ts';

export const rawType = 'application/vnd.docker.raw-stream';
const multiplexedType = 'application/vnd.docker.multiplexed-stream';

/** Content type of a stream. Before 1.42 frames too went under the raw label. */
export function stdioType(version: number, framed: boolean): string {
  return framed && version >= 42 ? multiplexedType : rawType;
}

const streamNumber = { stdout: 1, stderr: 2, failure: 3 } as const;

/** `[stream, 0, 0, 0, length as 32-bit big endian]`. */
export function frameHeader(stream: keyof typeof streamNumber, length: number): Buffer {
  const header = Buffer.allocUnsafe(8);
  header.writeUInt32BE(streamNumber[stream] << 24, 0);
  header.writeUInt32BE(length, 4);
  return header;
}

/** A response body of frames, or of bare payloads; a failure in the middle becomes a frame of its own. */
export async function* stdioBody(frames: AsyncIterable<StdioFrame>, framed: boolean): AsyncGenerator<Uint8Array> {
  try {
    for await (const { stream, data } of frames) {
      yield framed ? Buffer.concat([frameHeader(stream, data.length), data]) : data;
    }
  } catch (error) {
    if (error instanceof ClientGone) throw error;
    const text = Buffer.from(`Error grabbing logs: ${messageOf(error)}\n`);
    yield framed ? Buffer.concat([frameHeader('failure', text.length), text]) : text;
  }
}

/** Both directions of one client at one process. */
export interface PumpOptions {
  readonly framed: boolean;
  /** Whether the client's bytes are the process's input; otherwise they are dropped. */
  readonly input: boolean;
}

/** Carries bytes until the process has closed its output or the client is gone; ends the connection and the session. */
export async function pump(stream: RawStream, session: StdioSession, options: PumpOptions): Promise<void> {
  stream.onClose(() => session.detach());
  // Ends with the stream. Not awaited: input the process never takes must not hold the connection.
  void pumpInput(stream, session, options.input);
  let isFirst = true;
  try {
    for await (const { stream: name, data } of session.output) {
      if (data.length === 0) continue;
      if (isFirst) await stream.headTaken();
      isFirst = false;
      const room = options.framed ? stream.write(frameHeader(name, data.length), data) : stream.write(data);
      if (room !== undefined) await room;
    }
    session.detach();
    await stream.finish();
  } finally {
    session.detach();
    stream.destroy();
  }
}

/** Never rejects: a process that no longer takes input does not end its output. */
async function pumpInput(stream: RawStream, session: StdioSession, forward: boolean): Promise<void> {
  let open = forward;
  for (;;) {
    const bytes = await stream.read();
    if (bytes === undefined) break;
    if (!open) continue;
    try {
      await session.write(bytes);
    } catch {
      open = false;
    }
  }
  if (open && !stream.closed) session.closeInput();
}
