/** The names that a container may resolve: those of its neighbours on every user-defined network it is on, and its links. */
import { formatAddress, parseAddress } from './cidr.ts';
import type { NameTable } from './dns-answer.ts';
import type { NetworkLookup } from './primary-endpoint.ts';
import type { EndpointRecord, SandboxRecord } from './record.ts';

export interface NameSurroundings {
  sandboxes: () => Iterable<SandboxRecord>;
  lookup: NetworkLookup;
  /** The host's address as this container reaches it; "" when it cannot. */
  hostAddress: (record: SandboxRecord) => string;
  /** Differs from call to call: where the round robin starts. */
  turn: () => number;
}

const hostNames = new Set(['host.docker.internal', 'gateway.docker.internal']);

export function sandboxNames(record: SandboxRecord, around: NameSurroundings): NameTable {
  const served = (endpoint: EndpointRecord): boolean => {
    const network = around.lookup(endpoint.networkId);
    return network !== undefined && network.name !== 'bridge';
  };
  /** Neighbours' endpoints network by network; a name on the first network hides the same name on the next. */
  const neighbours = (networkId: string): { sandbox: SandboxRecord; endpoint: EndpointRecord }[] =>
    [...around.sandboxes()].flatMap((sandbox) =>
      sandbox.endpoints
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ sandbox, endpoint })),
    );
  return {
    addresses(name) {
      if (hostNames.has(name)) {
        const address = around.hostAddress(record);
        if (address === '') return undefined;
        return address.includes(':') ? { v4: [], v6: [address] } : { v4: [address], v6: [] };
      }
      for (const own of record.endpoints) {
        if (!served(own)) continue;
        const network = around.lookup(own.networkId)!;
        const suffix = `.${network.name.toLowerCase()}`;
        const short = name.endsWith(suffix) ? name.slice(0, -suffix.length) : name;
        const linked = own.links.find((link) => link.alias.toLowerCase() === short);
        const found = neighbours(own.networkId).filter(({ sandbox, endpoint }) =>
          linked === undefined
            ? endpoint.names.some((other) => other.toLowerCase() === short)
            : sandbox.containerId === linked.containerId,
        );
        if (found.length === 0) continue;
        const start = around.turn() % found.length;
        const turned = [...found.slice(start), ...found.slice(0, start)].map(({ endpoint }) => endpoint);
        return {
          v4: turned.flatMap((endpoint) => (endpoint.address4 === '' ? [] : [endpoint.address4])),
          v6: turned.flatMap((endpoint) => (endpoint.address6 === '' ? [] : [endpoint.address6])),
        };
      }
      return undefined;
    },
    nameOf(text) {
      const parsed = parseAddress(text);
      if (parsed === undefined) return undefined;
      const address = formatAddress(parsed);
      for (const own of record.endpoints) {
        if (!served(own)) continue;
        const found = neighbours(own.networkId).find(
          ({ endpoint }) => endpoint.address4 === address || endpoint.address6 === address,
        );
        const name = found?.sandbox.containerName || found?.endpoint.names[0];
        if (found !== undefined && name !== undefined) return `${name}.${around.lookup(own.networkId)!.name}`;
      }
      return undefined;
    },
    forwards: () => record.endpoints.some((endpoint) => around.lookup(endpoint.networkId)?.internal === false),
  };
}
