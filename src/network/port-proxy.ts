/**
 * The sockets that hold published ports on the host. They make conflicts visible to everybody, and relay what the kernel's
 * address translation does not catch: ::1, IPv6 clients of IPv4-only containers, and everything where the host firewall shall
 * decide. The relay's own address is what the container then sees as the client's.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, isIPv6, type Socket } from 'node:net';
import { bindInNamespace } from '../linux/index.ts';
import type { PortProtocol } from './port-request.ts';

/** Where to relay to at this moment; undefined while the container has no address. */
export type Target = () => { address: string; port: number } | undefined;

export interface HeldPort {
  close(): void;
}

const MAX_CONNECTIONS = 10_000;
const MAX_UDP_CLIENTS = 1024;
const UDP_IDLE_MS = 90_000;

/** Takes the port now, synchronously. @throws SystemError EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, … */
export function holdPort(protocol: PortProtocol, address: string, port: number, target: Target): HeldPort {
  // Node has no SCTP: the kernel's translation alone serves it, and conflicts are seen among our own containers only.
  if (protocol === 'sctp') return { close() {} };
  const { fd } = bindInNamespace(protocol, address, port);
  return protocol === 'tcp' ? relayTcp(fd, target) : relayUdp(fd, isIPv6(address), target);
}

function relayTcp(fd: number, target: Target): HeldPort {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const to = target();
    client.on('error', () => client.destroy());
    if (to === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: to.address, port: to.port, allowHalfOpen: true, noDelay: true });
    upstream.on('error', () => client.resetAndDestroy());
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    }
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.destroy());
    client.setNoDelay(true);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('error', () => {});
  server.listen({ fd });
  server.unref();
  return {
    close() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function relayUdp(fd: number, v6: boolean, target: Target): HeldPort {
  const clients = new Map<string, { upstream: UdpSocket; timer: NodeJS.Timeout }>();
  const socket = createSocket(v6 ? 'udp6' : 'udp4');
  const drop = (key: string): void => {
    const client = clients.get(key);
    if (client === undefined) return;
    clients.delete(key);
    clearTimeout(client.timer);
    client.upstream.close();
  };
  const clientOf = (from: RemoteInfo, toV6: boolean): UdpSocket => {
    const key = `${from.address} ${from.port}`;
    const known = clients.get(key);
    if (known !== undefined) {
      known.timer.refresh();
      return known.upstream;
    }
    // The longest-known client makes room.
    if (clients.size >= MAX_UDP_CLIENTS) drop(clients.keys().next().value!);
    const upstream = createSocket(toV6 ? 'udp6' : 'udp4');
    upstream.on('error', () => drop(key));
    upstream.on('message', (answer) => socket.send(answer, from.port, from.address));
    upstream.unref();
    const timer = setTimeout(() => drop(key), UDP_IDLE_MS);
    timer.unref();
    clients.set(key, { upstream, timer });
    return upstream;
  };
  socket.on('error', () => {});
  socket.on('message', (message, from) => {
    const to = target();
    if (to !== undefined) clientOf(from, isIPv6(to.address)).send(message, to.port, to.address, () => {});
  });
  socket.bind({ fd });
  socket.unref();
  return {
    close() {
      for (const key of clients.keys()) drop(key);
      socket.close();
    },
  };
}
