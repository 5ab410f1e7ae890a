/** Pools and ledgers: no two holders, nothing outside, nothing lost. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { AddressLedger } from './address-ledger.ts';
import { pickSubnet, resolvePools, uniqueLocalSubnet } from './address-pool.ts';
import { type Cidr, contains, formatAddress, formatCidr, overlaps, parseAddress, parseCidr } from './cidr.ts';

const cidr = (text: string): Cidr => parseCidr(text)!;

describe('addresses', () => {
  test('only strict forms are read', () => {
    for (const text of ['010.0.0.1', '0x7f.1', '127.1', '1.2.3', '1.2.3.4/8', 'fe80::1%eth0', '', 'x', '::g']) {
      assert.equal(parseAddress(text), undefined, text);
    }
    assert.deepEqual(parseAddress('::ffff:10.0.0.1'), { family: 4, value: 0x0a000001n });
    assert.equal(formatCidr(cidr('10.1.2.3/24')), '10.1.2.0/24');
    for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '/8', 'fd00::/129'])
      assert.equal(parseCidr(text), undefined, text);
  });

  test('text and number are the same address', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => formatAddress(parseAddress(text)!) === text),
      { numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.bigInt({ min: 1n << 64n, max: (1n << 128n) - 1n }), (value) => {
        const address = { family: 6 as const, value };
        return value >> 32n === 0xffffn || parseAddress(formatAddress(address))?.value === value;
      }),
      { numRuns: 200 },
    );
  });
});

describe('ledger', () => {
  test('hands out in order and comes back to freed addresses last', () => {
    const ledger = new AddressLedger(cidr('10.0.0.0/29'));
    assert.ok(ledger.reserve('10.0.0.1'));
    assert.equal(ledger.allocate(), '10.0.0.2');
    assert.equal(ledger.allocate(), '10.0.0.3');
    ledger.release('10.0.0.2');
    assert.deepEqual([ledger.allocate(), ledger.allocate(), ledger.allocate()], ['10.0.0.4', '10.0.0.5', '10.0.0.6']);
    assert.equal(ledger.allocate(), '10.0.0.2');
    assert.equal(ledger.allocate(), undefined);
  });

  test("the network and broadcast addresses are nobody's, others' neither", () => {
    const ledger = new AddressLedger(cidr('10.0.0.0/24'), cidr('10.0.0.128/30'));
    for (const text of ['10.0.0.0', '10.0.0.255', '10.0.1.1', 'fd00::1', 'x'])
      assert.equal(ledger.reserve(text), false, text);
    assert.equal(ledger.allocate(), '10.0.0.128');
    assert.ok(ledger.reserve('10.0.0.7'), 'outside the range, inside the subnet');
    assert.equal(ledger.reserve('10.0.0.7'), false);
  });

  test('point-to-point subnets use both addresses', () => {
    const ledger = new AddressLedger(cidr('10.0.0.0/31'));
    assert.deepEqual([ledger.allocate(), ledger.allocate(), ledger.allocate()], ['10.0.0.0', '10.0.0.1', undefined]);
  });

  test('never gives one address twice, never one outside, and all before it says no', () => {
    const action = fc.oneof(fc.constant('take' as const), fc.nat(63));
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), fc.integer({ min: 26, max: 30 }), (actions, prefix) => {
        const subnet = cidr(`10.7.0.0/${prefix}`);
        const ledger = new AddressLedger(subnet);
        const held = new Set<string>();
        for (const each of actions) {
          if (each === 'take') {
            const got = ledger.allocate();
            if (got === undefined) assert.equal(held.size, 2 ** (32 - prefix) - 2);
            else {
              assert.ok(contains(subnet, parseAddress(got)!));
              assert.ok(!held.has(got));
              held.add(got);
            }
          } else {
            const text = `10.7.0.${each}`;
            ledger.release(text);
            held.delete(text);
          }
        }
        assert.equal(ledger.size, held.size);
      }),
    );
  });
});

describe('pools', () => {
  test('a picked subnet overlaps nothing taken and lies in its pool', () => {
    const pools = resolvePools([{ base: '10.0.0.0/16', size: 26 }]);
    const taken = fc.array(
      fc
        .record({ value: fc.nat(0xffff), prefix: fc.integer({ min: 17, max: 32 }) })
        .map(({ value, prefix }) => cidr(`10.0.${value >> 8}.${value & 255}/${prefix}`)),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(taken, (others) => {
        const picked = pickSubnet(pools, others);
        if (picked === undefined) return;
        assert.equal(picked.prefix, 26);
        assert.ok(overlaps(picked, pools[0]!.base));
        for (const other of others) assert.ok(!overlaps(picked, other), formatCidr(other));
      }),
    );
  });

  test('a route over the whole pool leaves the next pool, or nothing', () => {
    assert.equal(formatCidr(pickSubnet(resolvePools(undefined), [cidr('172.16.0.0/12')])!), '10.210.0.0/26');
    assert.equal(pickSubnet(resolvePools(undefined), [cidr('0.0.0.0/0')]), undefined);
    assert.throws(() => resolvePools([{ base: '10.0.0.0/24', size: 16 }]), /does not fit/);
  });

  test('local IPv6 subnets are private and differ', () => {
    assert.match(formatCidr(uniqueLocalSubnet('a')), /^fd.*::\/64$/);
    assert.notEqual(formatCidr(uniqueLocalSubnet('a')), formatCidr(uniqueLocalSubnet('b')));
  });
});
