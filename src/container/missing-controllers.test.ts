import assert from 'node:assert/strict';
import { test } from 'node:test';
import { discardUnsupported } from './missing-controllers.ts';

const all = new Set(['memory', 'cpu', 'cpuset', 'pids', 'io']);

test('with every controller nothing is left out', () => {
  const resources = {
    Memory: 1 << 26,
    PidsLimit: 10,
    NanoCpus: 1e9,
    BlkioDeviceReadBps: [{ Path: '/dev/x', Rate: 1 }],
  };
  assert.deepEqual(discardUnsupported(resources, all), []);
  assert.equal(resources.Memory, 1 << 26);
});

test('what lacks its controller goes, with one warning a kind; what was not asked for is not spoken of', () => {
  const resources = { Memory: 1 << 26, MemorySwap: -1, PidsLimit: 0, CpuShares: 512, CpusetCpus: '' };
  assert.deepEqual(discardUnsupported(resources, new Set(['pids'])), [
    'Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
    'Your kernel does not support CPU shares or the cgroup is not mounted. Shares discarded.',
  ]);
  assert.deepEqual(resources, { PidsLimit: 0, CpusetCpus: '' });
});

test('--cpus is refused, as Docker does', () => {
  assert.throws(() => discardUnsupported({ NanoCpus: 5e8 }, new Set(['memory'])), /NanoCPUs can not be set/);
});
