/** The client side of conmon's attach socket: packets whose first byte names the stream. */
import type { Socket } from 'node:net';
import { connectSeqpacket } from '../linux/index.ts';

const STDOUT = 2;
const STDERR = 3;
/** conmon reads stdin in pieces of this size; a larger packet would be cut. */
const MAX_INPUT = 8192;

export interface StdioStream {
  /** Calls back for each piece of output in order; the piece is only valid during the call unless copied. */
  onOutput: ((stream: 'stdout' | 'stderr', data: Buffer) => void) | undefined;
  /** Called once when the process has closed its output or the connection is gone. */
  onEnd: (() => void) | undefined;
  pause(): void;
  resume(): void;
  write(data: Uint8Array): Promise<void>;
  /** End of stdin. */
  closeInput(): void;
  close(): void;
}

/** When a connection that is let go of is closed; see `OneByOne`. */
export type Closer = (close: () => void) => void;

/** @throws SystemError when no monitor listens there */
export function attachMonitor(attachPath: string, closer: Closer = (close) => close()): StdioStream {
  const socket: Socket = connectSeqpacket(attachPath);
  let ended = false;
  const stream: StdioStream = {
    onOutput: undefined,
    onEnd: undefined,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    async write(data) {
      for (let offset = 0; offset < data.length; offset += MAX_INPUT) {
        if (ended || socket.writableEnded || socket.destroyed) return;
        const piece = data.subarray(offset, offset + MAX_INPUT);
        await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
      }
    },
    closeInput: () => void socket.end(),
    close: () => {
      stream.onOutput = undefined;
      // Read on until then: the monitor must not wait for us.
      socket.resume();
      closer(() => socket.destroy());
    },
  };
  const end = (): void => {
    if (ended) return;
    ended = true;
    stream.onEnd?.();
    socket.destroy();
  };
  socket.on('data', (packet: Buffer) => {
    if (packet.length < 2) return;
    if (packet[0] === STDOUT) stream.onOutput?.('stdout', packet.subarray(1));
    else if (packet[0] === STDERR) stream.onOutput?.('stderr', packet.subarray(1));
  });
  socket.on('end', end);
  socket.on('close', end);
  socket.on('error', end);
  return stream;
}
