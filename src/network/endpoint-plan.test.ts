/** Addresses asked for and given, and the texts of refusals. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../std/index.ts';
import { AddressLedger } from './address-ledger.ts';
import { resolvePools } from './address-pool.ts';
import { parseCidr } from './cidr.ts';
import { planNetwork } from './create-plan.ts';
import { planEndpoint } from './endpoint-plan.ts';

function network(subnet?: string) {
  const record = planNetwork(
    { Name: 'n', IPAM: { Config: subnet === undefined ? [] : [{ Subnet: subnet }] } },
    {
      id: 'a'.repeat(64),
      created: '',
      networks: [],
      hostSubnets: [],
      pools: resolvePools(undefined),
      linkPrefix: 'w',
      driverDefaults: {},
      machine: '',
    },
  );
  const ledger = new AddressLedger(parseCidr(record.pools[0]!.subnet)!);
  ledger.reserve(record.pools[0]!.gateway);
  const plan = (config: object, usedLinks: string[] = []) =>
    planEndpoint(
      record,
      { network: 'n', config, dnsNames: [], links: [] },
      { ledgers: (family) => (family === 4 ? [ledger] : []), usedLinks, pairPrefix: 'vethabc' },
    );
  return { record, ledger, plan };
}

test('an endpoint gets the next address, a MAC that follows from it, and the next link', () => {
  const { plan } = network();
  const endpoint = plan({}, ['eth0']);
  assert.equal(endpoint.address4, '172.30.0.2');
  assert.equal(endpoint.gateway4, '172.30.0.1');
  assert.equal(endpoint.mac, '02:42:ac:1e:00:02');
  assert.equal(endpoint.link, 'eth1');
  assert.ok(endpoint.hostLink.length <= 15);
});

test('addresses are named only on subnets that were, once each, inside them', () => {
  const refuses = (work: () => unknown, kind: string, text: string): void => {
    assert.throws(
      work,
      (error: unknown) => error instanceof Fault && error.kind === kind && error.message.includes(text),
    );
  };
  const wanted = (address: string): object => ({
    IPAMConfig: { IPv4Address: address },
    MacAddress: '02-00-00-00-00-01',
  });
  refuses(
    () => network().plan(wanted('172.30.0.9')),
    'invalid',
    'user specified IP address is supported only when connecting to networks with user configured subnets',
  );
  const { plan } = network('10.8.0.0/24');
  const endpoint = plan(wanted('10.8.0.9'));
  assert.deepEqual([endpoint.address4, endpoint.mac], ['10.8.0.9', '02:00:00:00:00:01']);
  refuses(() => plan(wanted('10.8.0.9')), 'forbidden', 'Address already in use');
  refuses(() => plan(wanted('10.9.0.9')), 'invalid', 'no configured subnet contains IP address 10.9.0.9');
  refuses(() => plan(wanted('nope')), 'invalid', 'invalid IPv4 address: nope');
});

test('a full network says so', () => {
  const { plan } = network('10.8.0.0/30');
  plan({});
  assert.throws(() => plan({}), /no available IPv4 addresses on this network's address pools: n \(a{64}\)/);
});
