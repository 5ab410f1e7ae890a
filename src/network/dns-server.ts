/**
 * The embedded DNS server of one container, at 127.0.0.11 port 53 of its namespace, served by the daemon's event loop. The
 * sockets have other port numbers and a translation inside the namespace leads there: a container may run a DNS server of its
 * own on port 53 of every address. Where the kernel cannot translate, port 53 itself is taken.
 */
import { createSocket } from 'node:dgram';
import { createServer, type Socket } from 'node:net';
import { bindInNamespace, type Nft, openNft, runInNetworkNamespace } from '../linux/index.ts';
import { decide, errorReply, type NameTable, rcode } from './dns-answer.ts';
import { serveDnsStream } from './dns-stream.ts';

export interface DnsServer {
  close(): void;
}

export interface DnsHandler {
  table(): NameTable;
  forward(query: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined>;
}

const ADDRESS = '127.0.0.11';
const MAX_CONNECTIONS = 64;
const MAX_PENDING = 256;
const UDP_LIMIT = 512;

/** Starts serving inside the namespace at `path`; `table` names our nft table there. @throws SystemError */
export function serveDns(path: string, table: string, handler: DnsHandler): DnsServer {
  const sockets = runInNetworkNamespace(path, () => {
    const nft = openNft();
    try {
      const udp = bindInNamespace('udp', ADDRESS, 0);
      const tcp = bindInNamespace('tcp', ADDRESS, 0);
      translate(nft, table, udp.port, tcp.port);
      return { udp: udp.fd, tcp: tcp.fd };
    } catch {
      return { udp: bindInNamespace('udp', ADDRESS, 53).fd, tcp: bindInNamespace('tcp', ADDRESS, 53).fd };
    } finally {
      nft.close();
    }
  });
  let pending = 0;
  const answer = async (query: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> => {
    if (query.length < 12) return undefined;
    pending++;
    try {
      if (pending > MAX_PENDING) return errorReply(query, rcode.serverFailure);
      const decision = decide(query, handler.table(), transport === 'udp' ? UDP_LIMIT : 65_535);
      if (decision.kind === 'ignore') return undefined;
      if (decision.kind === 'answer') return decision.reply;
      return (await handler.forward(decision.query, transport)) ?? errorReply(query, rcode.serverFailure);
    } catch {
      // Whatever a container sent, it gets an answer and the daemon goes on.
      return errorReply(query, rcode.serverFailure);
    } finally {
      pending--;
    }
  };
  const udp = serveUdp(sockets.udp, (query) => answer(query, 'udp'));
  const tcp = serveTcp(sockets.tcp, (query) => answer(query, 'tcp'));
  return {
    close() {
      udp.close();
      tcp.close();
    },
  };
}

/**
 * Leads port 53 to the sockets. A fresh namespace has no table yet, and to delete nothing would still cost the kernel's grace
 * period (15 ms); only what an earlier daemon left is replaced. The answer's source is set back by the connection tracking.
 */
function translate(nft: Nft, table: string, udp: number, tcp: number): void {
  const rules = [
    `create table ip ${table}`,
    `add chain ip ${table} output { type nat hook output priority -100; }`,
    `add rule ip ${table} output ip daddr ${ADDRESS} udp dport 53 dnat to ${ADDRESS}:${udp}`,
    `add rule ip ${table} output ip daddr ${ADDRESS} tcp dport 53 dnat to ${ADDRESS}:${tcp}`,
    '',
  ];
  try {
    nft.run(rules.join('\n'));
  } catch {
    nft.run([`add table ip ${table}`, `delete table ip ${table}`, ...rules].join('\n'));
  }
}

type Answerer = (query: Buffer) => Promise<Buffer | undefined>;

function serveUdp(fd: number, answer: Answerer): DnsServer {
  const socket = createSocket('udp4');
  let open = true;
  socket.on('error', () => {});
  socket.on('message', (query, from) => {
    void answer(query).then((reply) => {
      if (reply !== undefined && open) socket.send(reply, from.port, from.address, () => {});
    });
  });
  socket.bind({ fd });
  socket.unref();
  return {
    close() {
      open = false;
      socket.close();
    },
  };
}

function serveTcp(fd: number, answer: Answerer): DnsServer {
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
    serveDnsStream(socket, answer);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('error', () => {});
  server.listen({ fd });
  server.unref();
  return {
    close() {
      server.close();
      for (const connection of connections) connection.destroy();
    },
  };
}
