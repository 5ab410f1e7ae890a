/** `wherry network create`. */
import { isIP } from 'node:net';
import type { IpamPool, NetworkCreateBody } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { exactly, type Command } from '../command.ts';
import { type Flags, keyValues } from '../flag/parse.ts';

export const command: Command = {
  use: '[OPTIONS] NETWORK',
  flags: `
      --attachable           Enable manual container attachment
      --aux-address map      Auxiliary IPv4 or IPv6 addresses used by Network driver (default map[])
      --config-from string   The network from which to copy the configuration
      --config-only          Create a configuration only network
  -d, --driver string        Driver to manage the Network (default "bridge")
      --gateway strings      IPv4 or IPv6 Gateway for the master subnet
      --ingress              Create swarm routing-mesh network
      --internal             Restrict external access to the network
      --ip-range strings     Allocate container ip from a sub-range
      --ipam-driver string   IP Address Management Driver (default "default")
      --ipam-opt map         Set IPAM driver specific options (default map[])
      --ipv4                 Enable or disable IPv4 address assignment (default true)
      --ipv6                 Enable or disable IPv6 address assignment
      --label list           Set metadata on a network
  -o, --opt map              Set driver specific options (default map[])
      --scope string         Control the network's scope
      --subnet strings       Subnet in CIDR format that represents a network segment
`,
  arity: exactly(1),
  completes: ['none'],
  examples: `
# Containers in it find each other by name
wherry network create app
# With addresses of your choice, and no way out
wherry network create --subnet 10.9.0.0/24 --internal back`,
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const body: NetworkCreateBody = {
      Name: name,
      Driver: flags.string('driver'),
      Scope: flags.string('scope'),
      ...(flags.changed('ipv4') ? { EnableIPv4: flags.bool('ipv4') } : {}),
      ...(flags.changed('ipv6') ? { EnableIPv6: flags.bool('ipv6') } : {}),
      IPAM: {
        Driver: flags.string('ipam-driver'),
        Options: flags.map('ipam-opt'),
        Config: poolsOf(flags),
      },
      Internal: flags.bool('internal'),
      Attachable: flags.bool('attachable'),
      Ingress: flags.bool('ingress'),
      ConfigOnly: flags.bool('config-only'),
      ...(flags.string('config-from') === '' ? {} : { ConfigFrom: { Network: flags.string('config-from') } }),
      Options: flags.map('opt'),
      Labels: keyValues(flags.list('label')),
    };
    const { Id, Warning } = await client.networks.create(body);
    if (Warning !== undefined && Warning !== '') session.err.write(`WARNING: ${Warning}\n`);
    session.out.write(`${Id}\n`);
  },
};

/** One pool per subnet, with the range, gateway and addresses that lie in it. @throws Fault invalid. */
function poolsOf(flags: Flags): IpamPool[] {
  const subnets = flags.list('subnet');
  const ranges = flags.list('ip-range');
  const gateways = flags.list('gateway');
  if (subnets.length < ranges.length || subnets.length < gateways.length) {
    throw new Fault('invalid', 'every ip-range or gateway must have a corresponding subnet');
  }
  const pools = new Map<string, IpamPool>();
  for (const subnet of subnets) {
    if (pools.has(subnet)) throw new Fault('invalid', 'multiple overlapping subnet configuration is not supported');
    pools.set(subnet, { Subnet: subnet, AuxiliaryAddresses: {} });
  }
  const poolOf = (address: string, what: string): IpamPool => {
    const pool = [...pools].find(([subnet]) => contains(subnet, address.split('/')[0]!));
    if (pool === undefined) throw new Fault('invalid', `no matching subnet for ${what} ${address}`);
    return pool[1];
  };
  for (const range of ranges) {
    const pool = poolOf(range, 'range');
    if (pool.IPRange !== undefined)
      throw new Fault('invalid', `cannot configure multiple ranges (${range}, ${pool.IPRange}) on the same subnet`);
    pool.IPRange = range;
  }
  for (const gateway of gateways) {
    const pool = poolOf(gateway, 'gateway');
    if (pool.Gateway !== undefined)
      throw new Fault(
        'invalid',
        `cannot configure multiple gateways (${gateway}, ${pool.Gateway}) for the same subnet`,
      );
    pool.Gateway = gateway;
  }
  for (const [key, address] of Object.entries(flags.map('aux-address'))) {
    poolOf(address, 'aux-address').AuxiliaryAddresses![key] = address;
  }
  return [...pools.values()].map((pool) => {
    const { AuxiliaryAddresses: auxiliary, ...rest } = pool;
    return Object.keys(auxiliary!).length === 0 ? rest : pool;
  });
}

/** Whether an address lies in a subnet in CIDR notation. */
function contains(subnet: string, address: string): boolean {
  const [base = '', bits = ''] = subnet.split('/');
  const a = bitsOf(base);
  const b = bitsOf(address);
  return a.length === b.length && a.length > 0 && a.slice(0, Number(bits)) === b.slice(0, Number(bits));
}

function bitsOf(address: string): string {
  const kind = isIP(address);
  if (kind === 0) return '';
  if (kind === 4)
    return address
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('');
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('');
}
