/** An endpoint's links, addresses and routes: made by rtnetlink from outside, the namespace is entered only for a sysctl. */
import {
  addAddress,
  addLink,
  addVethPair,
  deleteLink,
  deleteRoute,
  linkIndex,
  listRoutes,
  type LinkKind,
  type Netlink,
  replaceRoute,
  runInNetworkNamespace,
  setBridgePort,
  setLink,
  writeSysctl,
} from '../linux/index.ts';
import { Fault, errorCode } from '../std/index.ts';
import type { Namespace } from './namespace-pool.ts';
import type { EndpointRecord, NetworkRecord } from './record.ts';

/** Makes the endpoint's link inside `namespace`, with its addresses, up. @throws SystemError, Fault; nothing is left then */
export function attachEndpoint(
  host: Netlink,
  namespace: Namespace,
  network: NetworkRecord,
  endpoint: EndpointRecord,
  options: { mtu: number; masterIndex: number; isolated: boolean },
): void {
  const { mtu } = options;
  if (network.driver === 'bridge') {
    addVethPair(
      host,
      endpoint.hostLink,
      { mtu, master: options.masterIndex, up: true },
      { name: endpoint.link, namespace: namespace.fd, mac: endpoint.mac, mtu },
    );
  } else {
    addParentLink(host, namespace, network, endpoint, options);
  }
  try {
    if (options.isolated) setBridgePort(host, linkIndex(host, endpoint.hostLink), { isolated: true });
    const index = linkIndex(namespace.route, endpoint.link);
    if (endpoint.address6 !== '') {
      runInNetworkNamespace(namespace.path, () => writeSysctl(`net/ipv6/conf/${endpoint.link}/disable_ipv6`, '0'));
    }
    if (endpoint.address4 !== '') {
      addAddress(namespace.route, { link: index, address: endpoint.address4, prefix: endpoint.prefix4 });
    }
    if (endpoint.address6 !== '') {
      addAddress(namespace.route, { link: index, address: endpoint.address6, prefix: endpoint.prefix6 });
    }
    setLink(namespace.route, index, { up: true });
  } catch (error) {
    detachEndpoint(namespace, endpoint);
    throw error;
  }
}

/** Takes the link out of a namespace that lives on. */
export function detachEndpoint(namespace: Namespace, endpoint: EndpointRecord): void {
  if (endpoint.link !== '') deleteLink(namespace.route, endpoint.link);
}

/** Points the default routes at the endpoints given (undefined: none). */
export function setDefaultRoutes(
  namespace: Namespace,
  gateways: { v4: EndpointRecord | undefined; v6: EndpointRecord | undefined },
): void {
  for (const family of [4, 6] as const) {
    const endpoint = family === 4 ? gateways.v4 : gateways.v6;
    if (endpoint === undefined) {
      for (const route of listRoutes(namespace.route)) {
        if (route.family === family && route.destination === undefined && route.table === 254)
          deleteRoute(namespace.route, route);
      }
      continue;
    }
    const gateway = family === 4 ? endpoint.gateway4 : endpoint.gateway6;
    replaceRoute(namespace.route, {
      family,
      link: linkIndex(namespace.route, endpoint.link),
      ...(gateway === '' ? {} : { gateway }),
    });
  }
}

/** macvlan and ipvlan: a link that shares the parent's, born inside the namespace. */
function addParentLink(
  host: Netlink,
  namespace: Namespace,
  network: NetworkRecord,
  endpoint: EndpointRecord,
  options: { mtu: number; masterIndex: number },
): void {
  const kind = parentKind(network, options.masterIndex);
  try {
    addLink(host, endpoint.link, kind, {
      mtu: options.mtu,
      namespace: namespace.fd,
      ...(kind.kind === 'macvlan' ? { mac: endpoint.mac } : {}),
    });
  } catch (error) {
    if (errorCode(error) !== 'EOPNOTSUPP') throw error;
    throw new Fault('not-implemented', `this kernel has no ${network.driver} links`, { cause: error });
  }
}

export function parentKind(network: NetworkRecord, parent: number): LinkKind {
  if (network.driver === 'macvlan') {
    const mode = network.options['macvlan_mode'] || 'bridge';
    if (mode !== 'bridge' && mode !== 'private' && mode !== 'vepa' && mode !== 'passthru') {
      throw new Fault('invalid', `unknown macvlan mode: ${mode}`);
    }
    return { kind: 'macvlan', parent, mode };
  }
  const mode = network.options['ipvlan_mode'] || 'l2';
  const flag = network.options['ipvlan_flag'] || 'bridge';
  if (mode !== 'l2' && mode !== 'l3' && mode !== 'l3s') throw new Fault('invalid', `unknown ipvlan mode: ${mode}`);
  if (flag !== 'bridge' && flag !== 'private' && flag !== 'vepa')
    throw new Fault('invalid', `unknown ipvlan flag: ${flag}`);
  return { kind: 'ipvlan', parent, mode, flag };
}
