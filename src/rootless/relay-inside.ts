/** Inside: where the launcher's relay (port-relay.ts) hands in connections. */
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { joinSockets, relaySocket } from './port-relay.ts';

const firstLine = /^(127\.0\.0\.1|::1) (\d{1,5})\n/;

export function serveRelay(state: string): Server {
  const path = join(state, relaySocket);
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let held = Buffer.alloc(0);
    const begin = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk]);
      const found = firstLine.exec(held.subarray(0, 64).toString('latin1'));
      if (found === null) {
        if (held.length >= 64) socket.destroy();
        return;
      }
      socket.off('data', begin);
      socket.pause();
      lead(socket, found[1]!, Number(found[2]), held.subarray(found[0].length));
    };
    socket.on('data', begin);
    socket.on('error', () => socket.destroy());
  });
  server.on('error', () => {});
  server.listen(path);
  server.unref();
  return server;
}

function lead(socket: Socket, host: string, port: number, rest: Buffer): void {
  const upstream = connect({ host, port, allowHalfOpen: true, noDelay: true });
  upstream.once('error', () => socket.destroy());
  if (rest.length > 0) upstream.write(rest);
  joinSockets(socket, upstream);
}
