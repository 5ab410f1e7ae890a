/** The network calls. */
import type { EndpointConfig, NetworkCreateBody, NetworkInspect } from '../api/index.ts';
import type { Caller, FilterValues } from './caller.ts';

export type NetworkCalls = ReturnType<typeof networkCalls>;

export function networkCalls(caller: Caller) {
  return {
    list: (filters?: FilterValues) => caller.json<NetworkInspect[]>('networkList', { filters }),
    create: (body: NetworkCreateBody) => caller.json<{ Id: string; Warning?: string }>('networkCreate', { json: body }),
    inspect: (name: string) => caller.json<NetworkInspect>('networkInspect', { name }),
    inspectText: (name: string, verbose = false) => caller.text('networkInspect', { name, query: { verbose } }),
    connect: (name: string, container: string, config: EndpointConfig) =>
      caller.done('networkConnect', { name, json: { Container: container, EndpointConfig: config } }),
    disconnect: (name: string, container: string, force: boolean) =>
      caller.done('networkDisconnect', { name, json: { Container: container, Force: force } }),
    remove: (name: string) => caller.done('networkRemove', { name }),
    prune: (filters?: FilterValues) => caller.json<{ NetworksDeleted: string[] | null }>('networkPrune', { filters }),
  };
}
