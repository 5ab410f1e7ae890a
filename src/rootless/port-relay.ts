/**
 * Ports without pasta: the launcher accepts connections of the host and hands them, by a unix socket that both sides see, to the daemon
 * inside, which leads them on in the client's name (IPv4), or from its own loopback. For sandboxes in which no tap can be made.
 */
import { connect, createServer, isIPv6, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Logger } from '../std/index.ts';
import { PortRefused } from './port-message.ts';
import type { HeldPort } from './port-message.ts';

export const relaySocket = 'relay.sock';
/** Ours inside, for what comes in the name of a client: the engine's rules lead from there to the container. */
export const relayAddress = '169.254.63.1';
export const relayMark = 0x5700_0000;
export const relayTable = 57_000;

export class PortRelay {
  readonly #state: string;
  readonly #log: Logger;
  readonly #servers = new Map<string, Server[]>();

  constructor(state: string, log: Logger) {
    this.#state = state;
    this.#log = log;
  }

  /** @throws PortRefused */
  async hold(container: string, ports: readonly HeldPort[]): Promise<void> {
    const servers: Server[] = [];
    this.#servers.set(container, servers);
    try {
      for (const [index, port] of ports.entries()) {
        if (port.protocol !== 'tcp')
          throw new PortRefused(
            'only TCP ports can be published without pasta: sudo apt-get install passt',
            'EPROTONOSUPPORT',
            index,
          );
        servers.push(await this.#listen(port, index));
      }
    } catch (error) {
      this.release(container);
      throw error;
    }
  }

  #listen({ hostAddress, hostPort, port }: HeldPort, index: number): Promise<Server> {
    return new Promise((resolve, reject) => {
      const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
        const inside = connect({ path: join(this.#state, relaySocket), allowHalfOpen: true });
        const { remoteAddress = '', remotePort = 0 } = client;
        inside.write(`${isIPv6(hostAddress) ? '::1' : '127.0.0.1'} ${port} ${remoteAddress} ${remotePort}\n`);
        joinSockets(client, inside);
      });
      server.once('error', (error: NodeJS.ErrnoException) =>
        reject(new PortRefused(error.message, error.code ?? 'EIO', index)),
      );
      server.listen({ port: hostPort, host: hostAddress, ipv6Only: true }, () => {
        server.on('error', (error) => this.#log.warn('a relayed port', { error: error.message }));
        resolve(server);
      });
    });
  }

  release(container: string): void {
    for (const server of this.#servers.get(container) ?? []) server.close();
    this.#servers.delete(container);
  }

  held(): Iterable<string> {
    return this.#servers.keys();
  }

  close(): void {
    for (const name of this.#servers.keys()) this.release(name);
  }
}

/** Both ways, with each side's end; a reset ends both. */
export function joinSockets(one: Socket, other: Socket): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
    from.pipe(to);
  }
}
