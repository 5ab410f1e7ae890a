/** Who may connect, and how many at once: neither one client nor all of them together take more of this machine than that. */
import { BlockList, isIP } from 'node:net';

export interface AdmissionLimits {
  connections: number;
  connectionsPerClient: number;
}

const standardLimits: AdmissionLimits = { connections: 512, connectionsPerClient: 64 };

export class Admission {
  readonly #networks = new BlockList();
  readonly #limits: AdmissionLimits;
  readonly #clients = new Map<string, number>();
  #connections = 0;

  /** @param networks CIDR */
  constructor(networks: readonly string[], limits: AdmissionLimits = standardLimits) {
    this.#limits = limits;
    for (const entry of networks) {
      const [network, bits] = entry.split('/') as [string, string];
      this.#networks.addSubnet(network, Number(bits), isIP(network) === 4 ? 'ipv4' : 'ipv6');
    }
  }

  /** Lets a client of this address in. @returns what ends its stay; undefined when it is not let in */
  enter(address: string | undefined): (() => void) | undefined {
    if (address === undefined || !this.#networks.check(address, isIP(address) === 4 ? 'ipv4' : 'ipv6'))
      return undefined;
    const own = this.#clients.get(address) ?? 0;
    if (own >= this.#limits.connectionsPerClient || this.#connections >= this.#limits.connections) return undefined;
    this.#connections++;
    this.#clients.set(address, own + 1);
    return () => {
      this.#connections--;
      const left = this.#clients.get(address)! - 1;
      if (left === 0) this.#clients.delete(address);
      else this.#clients.set(address, left);
    };
  }
}
