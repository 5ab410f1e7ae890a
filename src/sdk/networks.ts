/** The networks of a daemon. One that was created here is removed when it is disposed of. */
import type { EndpointConfig, NetworkInspect } from '../api/index.ts';
import type { FilterValues } from '../client/index.ts';
import { randomId } from '../std/index.ts';
import type { Daemon } from './daemon.ts';
import { ifThere } from './if-there.ts';

export interface NetworkOptions {
  /** A free one if not given. */
  name?: string;
  driver?: string;
  /** Without a way out. */
  internal?: boolean;
  subnet?: string;
  ipv6?: boolean;
  labels?: Readonly<Record<string, string>>;
}

export class Network implements AsyncDisposable {
  readonly id: string;
  readonly name: string;
  readonly #daemon: Daemon;

  constructor(daemon: Daemon, id: string, name: string) {
    this.#daemon = daemon;
    this.id = id;
    this.name = name;
  }

  inspect(): Promise<NetworkInspect> {
    return this.#daemon.client.networks.inspect(this.id);
  }

  /** @param container an id, a name or a container */
  connect(container: string | { readonly id: string }, options: { aliases?: readonly string[] } = {}): Promise<void> {
    const config: EndpointConfig = options.aliases === undefined ? {} : { Aliases: [...options.aliases] };
    return this.#daemon.client.networks.connect(this.id, idOf(container), config);
  }

  disconnect(container: string | { readonly id: string }): Promise<void> {
    return this.#daemon.client.networks.disconnect(this.id, idOf(container), true);
  }

  remove(): Promise<void> {
    return this.#daemon.client.networks.remove(this.id);
  }

  /** What is still attached is detached. */
  async [Symbol.asyncDispose](): Promise<void> {
    const found = await ifThere(this.inspect());
    for (const container of Object.keys(found?.Containers ?? {})) await ifThere(this.disconnect(container));
    await ifThere(this.remove());
  }
}

function idOf(container: string | { readonly id: string }): string {
  return typeof container === 'string' ? container : container.id;
}

export class Networks {
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  async create(options: NetworkOptions = {}): Promise<Network> {
    const { name = `wherry-${randomId().slice(0, 12)}`, driver, internal, subnet, ipv6, labels } = options;
    const { Id } = await this.#daemon.client.networks.create({
      Name: name,
      CheckDuplicate: true,
      ...(driver === undefined ? {} : { Driver: driver }),
      ...(internal === undefined ? {} : { Internal: internal }),
      ...(ipv6 === undefined ? {} : { EnableIPv6: ipv6 }),
      ...(subnet === undefined ? {} : { IPAM: { Config: [{ Subnet: subnet }] } }),
      ...(labels === undefined ? {} : { Labels: labels }),
    });
    return new Network(this.#daemon, Id, name);
  }

  /** @throws ApiFault 404 */
  async get(name: string): Promise<Network> {
    const { Id, Name } = await this.#daemon.client.networks.inspect(name);
    return new Network(this.#daemon, Id, Name);
  }

  list(filters?: FilterValues): Promise<NetworkInspect[]> {
    return this.#daemon.client.networks.list(filters);
  }
}
