import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gcPolicy } from './gc-policy.ts';

const disk = 1000;
const nothing = { reserved: 0, maxUsed: 0, minFree: 0 };

test('unless said, what is old goes, and what is over a tenth of the disk', () => {
  const [age, size] = gcPolicy(undefined, disk);
  assert.deepEqual(age, { all: true, filters: new Map([['unused-for', new Set(['1440h'])]]), space: nothing });
  assert.deepEqual(size, { all: true, filters: new Map(), space: { ...nothing, maxUsed: 100 } });
});

test('switched off, or with a size', () => {
  assert.deepEqual(gcPolicy({ gc: { enabled: false } }, disk), []);
  assert.equal(gcPolicy({ gc: { defaultKeepStorage: '20KB' } }, disk)[1]?.space.maxUsed, 20_480);
  assert.equal(gcPolicy({ gc: { defaultKeepStorage: '30%' } }, disk)[1]?.space.maxUsed, 300);
  assert.equal(gcPolicy({ gc: { defaultKeepStorage: 0 } }, disk)[1]?.space.maxUsed, 1);
});

test('rules as Docker writes them', () => {
  const policy = [
    { keepStorage: '512B', filter: ['unused-for=48h', 'type==exec.cachemount', 'type=source.local'] },
    { all: true, maxUsedSpace: '75%', minFreeSpace: '10%', reservedSpace: '1KB', keepDuration: '24h' },
  ];
  const [first, second] = gcPolicy({ gc: { policy } }, disk);
  assert.deepEqual(first, {
    all: false,
    filters: new Map([
      ['unused-for', new Set(['48h'])],
      ['type', new Set(['exec.cachemount', 'source.local'])],
    ]),
    space: { ...nothing, reserved: 512 },
  });
  assert.deepEqual(second?.space, { reserved: 1024, maxUsed: 750, minFree: 100 });
  assert.deepEqual(second.filters, new Map([['unused-for', new Set(['24h'])]]));
});

test('what is wrong is named', () => {
  const bad: readonly [unknown, RegExp][] = [
    [[], /^builder: want an object/],
    [{ gc: { enabled: 'yes' } }, /^builder.gc.enabled: want true or false, got "yes"/],
    [{ gc: { defaultKeepStorage: 'lots' } }, /^builder.gc.defaultKeepStorage: want a size/],
    [{ gc: { policy: [{ filter: ['x'] }] } }, /^builder.gc.policy\[0\].filter: want entries as key=value, got "x"/],
    [{ gc: { policy: {} } }, /^builder.gc.policy: want a list/],
  ];
  for (const [value, message] of bad) assert.throws(() => gcPolicy(value, disk), { kind: 'invalid', message });
});
