/** A service's networks, and a project's, as an engine is asked for them. */
import type { EndpointConfig, NetworkCreateBody, NetworkingConfig } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { composeVersion, label } from '../labels.ts';
import { containerNameOf } from '../names.ts';
import { networkHash } from '../print/hash.ts';
import type { Network, Project, Service, ServiceNetwork } from '../project.ts';
import { defined } from './resources.ts';

/** API versions (minor) at which engines began to understand. */
const since = { severalEndpoints: 44, interfaceName: 49 };
const interfaceName = 'com.docker.network.endpoint.ifname';

/** Highest priority first, then by name. */
export function networksByPriority({ networks = {} }: Service): string[] {
  const priority = (name: string): number => networks[name]?.priority ?? 0;
  return Object.keys(networks)
    .toSorted()
    .toSorted((a, b) => priority(b) - priority(a));
}

export interface Networking {
  mode: string;
  config: NetworkingConfig | undefined;
  /** To be joined after the container is made: engines of old take one network only. */
  later: { network: string; endpoint: EndpointConfig }[];
  /** For engines of old, where a container and not its endpoint has an address. */
  macAddress: string | undefined;
}

export interface NetworkingOptions {
  number: number;
  links: readonly string[];
  /** Whether others find it by its service's name and the aliases of the file. */
  isNamed: boolean;
  apiVersion: number;
}

/** @throws Fault invalid for what the engine is too old for, and for addresses that contradict each other */
export function networkingOf(project: Project, service: Service, options: NetworkingOptions): Networking {
  const none = { config: undefined, later: [], macAddress: undefined };
  if (service.network_mode !== undefined && service.network_mode !== '')
    return { ...none, mode: service.network_mode, macAddress: service.mac_address };
  if (Object.keys(project.networks).length === 0) return { ...none, mode: 'none', macAddress: service.mac_address };
  const keys = networksByPriority(service);
  if (options.apiVersion < since.interfaceName && keys.some((key) => service.networks?.[key]?.interface_name))
    throw new Fault('invalid', 'interface_name requires Docker Engine v28.1 or later');
  const [primary = 'default', ...others] = keys;
  const nameOf = (key: string): string => project.networks[key]?.name ?? key;
  const endpoints = others.map((key) => ({
    network: nameOf(key),
    endpoint: endpointOf(project, service, key, options),
  }));
  const first = endpointOf(project, service, primary, options);
  const address = macAddressOf(service, primary);
  const isModern = options.apiVersion >= since.severalEndpoints;
  if (isModern && address !== undefined) first.MacAddress = address;
  const together = [...(isModern ? endpoints : []), { network: nameOf(primary), endpoint: first }];
  return {
    mode: nameOf(primary),
    config: { EndpointsConfig: Object.fromEntries(together.map(({ network, endpoint }) => [network, endpoint])) },
    later: isModern ? [] : endpoints,
    macAddress: isModern ? undefined : oldMacAddress(service, primary),
  };
}

function macAddressOf(service: Service, primary: string): string | undefined {
  const own = service.mac_address;
  const endpoint = service.networks?.[primary]?.mac_address;
  if (own && endpoint && own !== endpoint)
    throw new Fault('invalid', `the service-level mac_address should have the same value as network ${primary}`);
  return endpoint || own || undefined;
}

function oldMacAddress(service: Service, primary: string): string | undefined {
  const with_ = Object.entries(service.networks ?? {}).filter(([, network]) => network?.mac_address);
  if (with_.length > 1)
    throw new Fault(
      'invalid',
      `a MAC address is specified for multiple networks (${with_.map(([name]) => name).join(', ')}), but this feature requires Docker Engine v25 or later`,
    );
  return macAddressOf(service, primary);
}

function endpointOf(project: Project, service: Service, key: string, options: NetworkingOptions): EndpointConfig {
  const network: ServiceNetwork = service.networks?.[key] ?? {};
  const aliases = [containerNameOf(project, service, options.number)];
  if (options.isNamed) aliases.push(service.name, ...(network.aliases ?? []));
  const addresses = defined({
    IPv4Address: network.ipv4_address,
    IPv6Address: network.ipv6_address,
    LinkLocalIPs: network.link_local_ips,
  });
  const driverOptions = {
    ...network.driver_opts,
    ...(network.interface_name ? { [interfaceName]: network.interface_name } : {}),
  };
  return defined<EndpointConfig>({
    Aliases: aliases,
    Links: options.links.length === 0 ? undefined : [...options.links],
    IPAMConfig: Object.keys(addresses).length === 0 ? undefined : addresses,
    MacAddress: network.mac_address || undefined,
    DriverOpts: Object.keys(driverOptions).length === 0 ? undefined : driverOptions,
    GwPriority: network.gw_priority,
  });
}

export function networkBody(project: Project, key: string, network: Network): NetworkCreateBody {
  const pools = network.ipam.config ?? [];
  const hasAddresses = network.ipam.driver !== undefined || pools.length > 0;
  return defined<NetworkCreateBody>({
    Name: network.name,
    CheckDuplicate: true,
    Driver: network.driver,
    Options: network.driver_opts,
    Internal: network.internal,
    Attachable: network.attachable,
    EnableIPv4: network.enable_ipv4,
    EnableIPv6: network.enable_ipv6,
    IPAM: hasAddresses
      ? {
          ...(network.ipam.driver === undefined ? {} : { Driver: network.ipam.driver }),
          Config: pools.map((pool) =>
            defined({
              Subnet: pool.subnet,
              IPRange: pool.ip_range,
              Gateway: pool.gateway,
              AuxiliaryAddresses: pool.aux_addresses,
            }),
          ),
        }
      : undefined,
    Labels: {
      ...network.labels,
      [label.network]: key,
      [label.project]: project.name,
      [label.version]: composeVersion,
      [label.hash]: networkHash(network),
    },
  });
}
