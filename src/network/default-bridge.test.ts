/** dockerd's flags for the default bridge, alone and together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolvePools } from './address-pool.ts';
import { parseCidr } from './cidr.ts';
import { type BridgeSurroundings, defaultPools } from './default-bridge.ts';
import type { NetworkPool } from './record.ts';

type Options = Parameters<typeof defaultPools>[0];
const options: Options = {
  bip: undefined,
  bip6: undefined,
  fixedCidr: undefined,
  fixedCidrV6: undefined,
  defaultGateway: undefined,
  defaultGatewayV6: undefined,
  ipv6: false,
  addressPools: undefined,
  tableName: 'wherry',
};
const around: BridgeSurroundings = {
  known: [],
  present: undefined,
  taken: () => [parseCidr('172.30.0.0/22')!],
  pools: resolvePools(undefined),
  machine: 'm',
};
const pools = (asked: Partial<Options>, more: Partial<BridgeSurroundings> = {}): NetworkPool[] =>
  defaultPools({ ...options, ...asked }, { ...around, ...more });
const told = (list: NetworkPool[]): string[] =>
  list.map(({ subnet, gateway, range, configured }) => [subnet, gateway, range, configured].join(' '));

test('a free one, what it had, what its link has', () => {
  assert.deepEqual(told(pools({})), ['172.30.4.0/22 172.30.4.1  false']);
  const known = pools({});
  assert.deepEqual(pools({}, { known, taken: () => [] }), known);
  assert.deepEqual(told(pools({}, { present: '10.9.0.7/24' })), ['10.9.0.0/24 10.9.0.7  false']);
  assert.throws(() => pools({}, { taken: () => [parseCidr('0.0.0.0/0')!] }), /every address pool overlaps/);
});

test('--bip, and what is left when it goes', () => {
  const chosen = pools({ bip: '10.1.2.3/24' });
  assert.deepEqual(told(chosen), ['10.1.2.0/24 10.1.2.3  true']);
  assert.deepEqual(told(pools({}, { known: chosen })), ['172.30.4.0/22 172.30.4.1  false']);
  for (const bip of ['10.1.2.3', 'x/24', 'fd00::1/64', '']) assert.throws(() => pools({ bip }), /invalid bip/, bip);
});

test('--fixed-cidr: a part of the bridge’s subnet, or the subnet itself', () => {
  assert.deepEqual(told(pools({ bip: '10.1.0.1/16', fixedCidr: '10.1.2.0/24' })), [
    '10.1.0.0/16 10.1.0.1 10.1.2.0/24 true',
  ]);
  assert.deepEqual(told(pools({ fixedCidr: '10.1.2.0/24' })), ['10.1.2.0/24 10.1.2.1  true']);
  assert.deepEqual(told(pools({ fixedCidr: '10.1.2.0/24' }, { present: '10.1.0.1/16' })), [
    '10.1.0.0/16 10.1.0.1 10.1.2.0/24 true',
  ]);
  assert.throws(() => pools({ bip: '10.1.0.1/16', fixedCidr: '10.2.0.0/24' }), /10\.2\.0\.0\/24 is not within/);
  assert.throws(() => pools({ fixedCidr: '10.1' }), /invalid fixed-cidr/);
});

test('IPv6: of this machine, --fixed-cidr-v6, --bip6', () => {
  assert.match(told(pools({ ipv6: true }))[1]!, /^fd[0-9a-f:]+\/64 fd[0-9a-f:]+:1  false$/);
  assert.deepEqual(told(pools({ ipv6: true, fixedCidrV6: 'fd00:1::/80' }))[1], 'fd00:1::/80 fd00:1::1  true');
  assert.deepEqual(
    told(pools({ ipv6: true, bip6: 'fd00:1::5/64', fixedCidrV6: 'fd00:1::/80' }))[1],
    'fd00:1::/64 fd00:1::5 fd00:1::/80 true',
  );
  assert.throws(() => pools({ ipv6: true, bip6: '10.0.0.1/8' }), /invalid bip6/);
});

test('--default-gateway is an address of the subnet that nobody else gets', () => {
  const [pool] = pools({ bip: '10.1.0.1/16', defaultGateway: '10.1.0.254' });
  assert.deepEqual(pool!.auxiliary, { DefaultGatewayIPv4: '10.1.0.254' });
  assert.equal(pool!.gateway, '10.1.0.1');
  assert.deepEqual(pools({ bip: '10.1.0.1/16' }, { known: [pool!] })[0]!.auxiliary, {});
  assert.throws(() => pools({ bip: '10.1.0.1/16', defaultGateway: '10.2.0.1' }), /invalid default-gateway/);
});
