/**
 * Questions over one TCP connection (RFC 1035 §4.2.2): answered one after the other, no faster than the answers are taken, so that who asks
 * and never reads makes nobody's memory grow.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';

const idleMs = 10_000;
/** The largest message with its length. */
const largest = 2 + 65_535;

/** Serves until the client or silence ends it. */
export function serveDnsStream(socket: Socket, answer: (query: Buffer) => Promise<Buffer | undefined>): void {
  let received: Buffer = Buffer.alloc(0);
  let busy = false;
  const serve = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    for (let query = take(); query !== undefined; query = take()) {
      const reply = await answer(query);
      if (socket.destroyed) return;
      if (reply === undefined) continue;
      const frame = Buffer.alloc(2 + reply.length);
      frame.writeUInt16BE(reply.length, 0);
      reply.copy(frame, 2);
      if (!socket.write(frame)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
      if (socket.destroyed) return;
    }
    busy = false;
    socket.resume();
  };
  const take = (): Buffer | undefined => {
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return undefined;
    const query = received.subarray(2, 2 + received.readUInt16BE(0));
    received = received.subarray(2 + query.length);
    return query;
  };
  socket.on('error', () => socket.destroy());
  socket.setTimeout(idleMs, () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    if (received.length >= largest) socket.pause();
    // Only a connection that is gone makes it fail.
    serve().catch(() => socket.destroy());
  });
}
