/** Which endpoint speaks for a container: its default route leads there, and published ports lead to it. Pure. */
import type { EndpointRecord, NetworkRecord, SandboxRecord } from './record.ts';

export type NetworkLookup = (id: string) => NetworkRecord | undefined;

/** The highest GwPriority wins, then the network's name; internal networks lead nowhere. */
export function primaryEndpoint(
  record: SandboxRecord,
  family: 4 | 6,
  lookup: NetworkLookup,
): EndpointRecord | undefined {
  const name = (endpoint: EndpointRecord): string => lookup(endpoint.networkId)?.name ?? '';
  return record.endpoints
    .filter((endpoint) => {
      const network = lookup(endpoint.networkId);
      if (network === undefined || network.internal || endpoint.link === '') return false;
      return (family === 4 ? endpoint.address4 : endpoint.address6) !== '';
    })
    .sort(
      (left, right) =>
        (right.config.GwPriority ?? 0) - (left.config.GwPriority ?? 0) || (name(left) < name(right) ? -1 : 1),
    )[0];
}

/** The same among bridge networks: only there are ports published. */
export function publishingEndpoint(
  record: SandboxRecord,
  family: 4 | 6,
  lookup: NetworkLookup,
): EndpointRecord | undefined {
  const bridged = record.endpoints.filter((endpoint) => lookup(endpoint.networkId)?.driver === 'bridge');
  return primaryEndpoint({ ...record, endpoints: bridged }, family, lookup);
}
