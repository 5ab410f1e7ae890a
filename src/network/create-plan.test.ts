/** What a network becomes, and the texts of refusals. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NetworkCreateBody } from '../api/index.ts';
import { Fault } from '../std/index.ts';
import { resolvePools } from './address-pool.ts';
import { parseCidr } from './cidr.ts';
import { planNetwork } from './create-plan.ts';
import { readPortRequests } from './port-request.ts';
import type { NetworkRecord } from './record.ts';

const id = 'abcdef0123456789'.repeat(4);
function plan(body: NetworkCreateBody, networks: NetworkRecord[] = []): NetworkRecord {
  return planNetwork(body, {
    id,
    created: '2026-01-01T00:00:00Z',
    networks,
    hostSubnets: [parseCidr('172.30.0.0/24')!],
    pools: resolvePools(undefined),
    linkPrefix: 'wherry0',
    driverDefaults: {},
    machine: 'm',
  });
}
function refuses(body: NetworkCreateBody, kind: string, text: string, networks: NetworkRecord[] = []): void {
  assert.throws(
    () => plan(body, networks),
    (error: unknown) => {
      assert.ok(error instanceof Fault);
      assert.equal(error.kind, kind);
      assert.ok(error.message.includes(text), error.message);
      return true;
    },
  );
}

describe('network plan', () => {
  test('nothing said: a small free subnet, its first address as gateway, a link of ours', () => {
    const record = plan({ Name: 'n', Driver: '', Options: null, Labels: null, IPAM: null });
    assert.equal(record.pools[0]?.subnet, '172.30.1.0/26');
    assert.equal(record.pools[0]?.gateway, '172.30.1.1');
    assert.equal(record.link, 'wherry0-abcdef0');
    assert.ok(record.link.length <= 15);
  });

  test('IPv6 asked for gets a local subnet beside', () => {
    assert.deepEqual(
      plan({ Name: 'n', EnableIPv6: true }).pools.map((pool) => pool.family),
      [4, 6],
    );
    assert.deepEqual(
      plan({ Name: 'n', EnableIPv4: false, EnableIPv6: true }).pools.map((pool) => pool.family),
      [6],
    );
  });

  test('subnet, range, gateway and auxiliary addresses are taken and checked', () => {
    const config = { Subnet: '10.1.0.0/16', IPRange: '10.1.5.0/24', AuxiliaryAddresses: { nas: '10.1.5.9' } };
    const [pool] = plan({ Name: 'n', IPAM: { Config: [config] } }).pools;
    assert.deepEqual(pool, {
      family: 4,
      subnet: '10.1.0.0/16',
      gateway: '10.1.5.0',
      range: '10.1.5.0/24',
      auxiliary: { nas: '10.1.5.9' },
      configured: true,
    });
    refuses({ Name: 'n', IPAM: { Config: [{ Subnet: '10.1.0.5/16' }] } }, 'invalid', 'it should be 10.1.0.0/16');
    refuses(
      { Name: 'n', IPAM: { Config: [{ Subnet: '10.1.0.0/16', Gateway: '10.2.0.1' }] } },
      'invalid',
      'parent subnet is 10.1.0.0/16',
    );
    refuses({ Name: 'n', IPAM: { Config: [{ Subnet: 'x' }] } }, 'invalid', 'invalid subnet x');
  });

  test('refusals with the texts of Docker', () => {
    const other = plan({ Name: 'other' });
    refuses({ Name: 'bridge' }, 'forbidden', 'operation is not permitted on predefined bridge network');
    refuses({ Name: 'other' }, 'conflict', 'network with name other already exists', [other]);
    refuses({ Name: 'n', Driver: 'overlay' }, 'not-found', 'plugin "overlay" not found');
    refuses({ Name: 'n', Driver: 'host' }, 'forbidden', 'only one instance of "host" network is allowed');
    refuses(
      { Name: 'n', IPAM: { Config: [{ Subnet: '172.30.0.0/16' }] } },
      'forbidden',
      'Pool overlaps with other one on this address space',
      [other],
    );
    refuses({ Name: '' }, 'invalid', 'name is empty');
  });
});

describe('port requests', () => {
  test('keys, addresses and ranges as clients send them', () => {
    const [any] = readPortRequests({ '80': [] }, '');
    assert.deepEqual(any, {
      key: '80/tcp',
      protocol: 'tcp',
      containerPort: 80,
      hostAddresses: ['0.0.0.0', '::'],
      optionalV6: true,
      range: undefined,
    });
    assert.deepEqual(readPortRequests({ '80/tcp': null }, ''), []);
    assert.deepEqual(readPortRequests({ '53/udp': [{ HostIp: '::1', HostPort: '8000-8010' }] }, '')[0]?.range, {
      first: 8000,
      last: 8010,
    });
    assert.deepEqual(readPortRequests({ '1/tcp': [{ HostPort: '0' }] }, '127.0.0.1')[0]?.hostAddresses, ['127.0.0.1']);
    for (const key of ['0/tcp', '70000', 'x', '80/icmp'])
      assert.throws(() => readPortRequests({ [key]: [{}] }, ''), /invalid port/);
    for (const port of ['70000', '9-8', 'x', '-1'])
      assert.throws(() => readPortRequests({ '80': [{ HostPort: port }] }, ''), /invalid port/);
    assert.throws(() => readPortRequests({ '80': [{ HostIp: 'nope' }] }, ''), /invalid IP address: nope/);
  });
});
