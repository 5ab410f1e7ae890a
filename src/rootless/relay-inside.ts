/** Inside: where the launcher's relay (port-relay.ts) hands in connections. */
import { rmSync } from 'node:fs';
import { connect, createServer, isIPv4, type Server, Socket } from 'node:net';
import { join } from 'node:path';
import { connectTransparent } from '../linux/index.ts';
import { joinSockets, relayAddress, relaySocket } from './port-relay.ts';

const firstLine = /^(127\.0\.0\.1|::1) (\d{1,5}) ([0-9a-f.:]*) (\d{1,5})\n/;

export function serveRelay(state: string): Server {
  const path = join(state, relaySocket);
  rmSync(path, { force: true });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let held = Buffer.alloc(0);
    const begin = (chunk: Buffer): void => {
      held = Buffer.concat([held, chunk]);
      const found = firstLine.exec(held.subarray(0, 128).toString('latin1'));
      if (found === null) {
        if (held.length >= 128) socket.destroy();
        return;
      }
      socket.off('data', begin);
      socket.pause();
      const [line, loopback = '', port = '', address = '', clientPort = ''] = found;
      const upstream =
        inNameOf({ address, port: Number(clientPort) }, Number(port)) ?? fromLoopback(loopback, Number(port));
      lead(socket, upstream, held.subarray(line.length));
    };
    socket.on('data', begin);
    socket.on('error', () => socket.destroy());
  });
  server.on('error', () => {});
  server.listen(path);
  server.unref();
  return server;
}

const fromLoopback = (host: string, port: number): Socket =>
  connect({ host, port, allowHalfOpen: true, noDelay: true });

/** Undefined where it cannot be: clients of the machine itself, IPv6, a kernel that refuses. */
function inNameOf(client: { address: string; port: number }, port: number): Socket | undefined {
  if (!isIPv4(client.address) || client.address.startsWith('127.')) return undefined;
  try {
    const fd = connectTransparent(client, { address: relayAddress, port });
    return new Socket({ fd, allowHalfOpen: true, readable: true, writable: true });
  } catch {
    return undefined;
  }
}

function lead(socket: Socket, upstream: Socket, rest: Buffer): void {
  upstream.once('error', () => socket.destroy());
  if (rest.length > 0) upstream.write(rest);
  joinSockets(socket, upstream);
}
