/** Questions passed on to other resolvers, from the host's own namespace: one socket a question, servers in turn, bounded. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { questionEnd } from './dns-answer.ts';

const SERVER_TIMEOUT_MS = 2500;
const MAX_SERVERS = 3;
const MAX_PENDING = 1024;

export class DnsForwarder {
  #pending = 0;

  /** The first answer that is no failure. @returns undefined when no server gave one */
  async forward(query: Buffer, servers: readonly string[], transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    if (this.#pending >= MAX_PENDING) return undefined;
    this.#pending++;
    try {
      let failure: Buffer | undefined;
      for (const server of servers.slice(0, MAX_SERVERS)) {
        const reply = await (transport === 'udp' ? askByUdp(query, server) : askByTcp(query, server));
        if (reply === undefined) continue;
        const code = reply.readUInt16BE(2) & 15;
        if (code !== 2 && code !== 5) return reply;
        failure ??= reply;
      }
      return failure;
    } finally {
      this.#pending--;
    }
  }
}

/** "1.1.1.1", "fd00::1", "1.1.1.1#5353", "[fd00::1]:5353" */
export function readServer(text: string): { address: string; port: number } {
  const match = /^\[?([^\]#]+?)\]?(?:(?:#|(?<=\]):)(\d+))?$/.exec(text);
  return { address: match?.[1] ?? text, port: Number(match?.[2] ?? 53) };
}

function askByUdp(query: Buffer, server: string): Promise<Buffer | undefined> {
  const { address, port } = readServer(server);
  const id = randomInt(65_536);
  const question = Buffer.from(query);
  question.writeUInt16BE(id, 0);
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(address.replace(/%.*/, '')) ? 'udp6' : 'udp4');
    const finish = (reply: Buffer | undefined): void => {
      clearTimeout(timer);
      resolve(reply);
      socket.removeAllListeners('message');
      socket.close();
    };
    const timer = setTimeout(() => finish(undefined), SERVER_TIMEOUT_MS);
    socket.once('error', () => finish(undefined));
    socket.on('message', (reply) => {
      if (!answersQuestion(reply, question)) return;
      reply.writeUInt16BE(query.readUInt16BE(0), 0);
      finish(reply);
    });
    // Connected: the kernel drops datagrams from anybody else and reports refusals.
    socket.connect(port, address, () => {
      socket.send(question, (error) => {
        if (error) finish(undefined);
      });
    });
  });
}

function askByTcp(query: Buffer, server: string): Promise<Buffer | undefined> {
  const { address, port } = readServer(server);
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    let received = Buffer.alloc(0);
    const finish = (reply: Buffer | undefined): void => {
      resolve(reply);
      socket.destroy();
    };
    socket.setTimeout(SERVER_TIMEOUT_MS, () => finish(undefined));
    socket.once('error', () => finish(undefined));
    socket.once('close', () => resolve(undefined));
    socket.once('connect', () => {
      const frame = Buffer.alloc(2 + query.length);
      frame.writeUInt16BE(query.length, 0);
      query.copy(frame, 2);
      socket.write(frame);
    });
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const reply = received.subarray(2, 2 + received.readUInt16BE(0));
      finish(answersQuestion(reply, query) ? reply : undefined);
    });
  });
}

/** Same id, a response, about the same question (names compare without case). */
function answersQuestion(reply: Buffer, query: Buffer): boolean {
  if (reply.length < 12 || reply.readUInt16BE(0) !== query.readUInt16BE(0) || (reply[2]! & 0x80) === 0) return false;
  const end = questionEnd(query);
  const asked = query.toString('latin1', 12, end).toLowerCase();
  // Some servers leave the question out of a failure.
  return reply.readUInt16BE(4) === 0 || reply.toString('latin1', 12, end).toLowerCase() === asked;
}
