import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { capabilityMask, containerCapabilities, normaliseCapability } from './capabilities.ts';

const everything = (1n << 41n) - 1n;
const ask = (add: string[], drop: string[], privileged = false, held = everything): string[] =>
  containerCapabilities({ add, drop, privileged }, held);

describe('capabilities', () => {
  test("the default set is Docker's fourteen", () => {
    assert.equal(ask([], []).length, 14);
    assert.ok(ask([], []).includes('CAP_NET_RAW'));
    assert.ok(!ask([], []).includes('CAP_SYS_ADMIN'));
  });
  test('add and drop, with and without prefix, in any case', () => {
    assert.ok(ask(['net_admin'], []).includes('CAP_NET_ADMIN'));
    assert.deepEqual(ask(['CAP_CHOWN'], ['ALL']), ['CAP_CHOWN']);
    assert.equal(ask(['ALL'], ['CAP_SYS_ADMIN']).includes('CAP_SYS_ADMIN'), false);
    assert.equal(ask([], [], true).length, 41);
  });
  test('nothing that this daemon does not hold is granted', () => {
    assert.deepEqual(ask([], [], true, 1n), ['CAP_CHOWN']);
  });
  test('an unknown name is named', () => {
    assert.throws(() => normaliseCapability('SYS_BOGUS'), { message: 'unknown capability: "CAP_SYS_BOGUS"' });
  });
  test('reads the mask of /proc/<pid>/status', () => {
    assert.equal(capabilityMask('Name:\tx\nCapEff:\t000001fffeffffff\n', 'CapEff'), 0x1fffeffffffn);
  });
});
