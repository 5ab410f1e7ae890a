/** Requests for devices to names of what is described, without a machine that has them. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { DeviceRequest } from '../api/index.ts';
import { CdiDevices } from '../cdi/index.ts';
import { describedDevice, requestedEdits } from './device-requests.ts';

const root = mkdtempSync(join(tmpdir(), 'wherry-requests-'));
after(() => rmSync(root, { recursive: true, force: true }));

let files = 0;
function machine(...kinds: [kind: string, names: string[]][]): CdiDevices {
  const folder = mkdtempSync(join(root, 'cdi-'));
  for (const [kind, names] of kinds)
    writeFileSync(
      join(folder, `${files++}.json`),
      JSON.stringify({
        cdiVersion: '0.6.0',
        kind,
        devices: names.map((name) => ({ name, containerEdits: { env: [`${name}=${kind}`] } })),
      }),
    );
  return new CdiDevices([folder]);
}

const ask = async (devices: CdiDevices, request: DeviceRequest): Promise<string[]> =>
  (await requestedEdits(devices, { DeviceRequests: [request] })).env;
const gpu = { Capabilities: [['gpu']] };
const nvidia: [string, string[]] = ['nvidia.com/gpu', ['1', '0', '10', 'all', 'GPU-uuid']];

test('--gpus names devices of class gpu', async () => {
  const one = machine(nvidia, ['vendor.com/net', ['0']]);
  assert.deepEqual(await ask(one, { ...gpu, Count: -1 }), ['all=nvidia.com/gpu']);
  assert.deepEqual(await ask(one, { ...gpu, Count: 2 }), ['0=nvidia.com/gpu', '1=nvidia.com/gpu']);
  assert.deepEqual(await ask(one, { ...gpu, DeviceIDs: ['GPU-uuid', '10'] }), [
    'GPU-uuid=nvidia.com/gpu',
    '10=nvidia.com/gpu',
  ]);
  assert.deepEqual(await ask(one, { ...gpu, DeviceIDs: ['vendor.com/net=0'] }), ['0=vendor.com/net']);
  assert.deepEqual(await ask(one, { Capabilities: [['tpu'], ['gpu', 'compute', 'utility']], Count: -1 }), [
    'all=nvidia.com/gpu',
  ]);
  assert.deepEqual(await ask(one, { ...gpu, Count: 0 }), [], 'none, asked for by number');
  await assert.rejects(ask(one, { ...gpu, Count: 4 }), /Cannot give 4 GPUs to a container: this machine has 3/);
  await assert.rejects(ask(one, { ...gpu, DeviceIDs: ['7'] }), /unresolvable CDI devices nvidia\.com\/gpu=7$/);
  await assert.rejects(ask(one, { ...gpu, Count: 1, DeviceIDs: ['0'] }), /cannot set both Count and DeviceIDs/);
});

test('of several makers the one that is named, else NVIDIA, else the first', async () => {
  const amd: [string, string[]] = ['amd.com/gpu', ['0', 'all']];
  assert.deepEqual(await ask(machine(amd, nvidia), { ...gpu, Count: 1 }), ['0=nvidia.com/gpu']);
  assert.deepEqual(await ask(machine(amd, nvidia), { ...gpu, Driver: 'amd', Count: 1 }), ['0=amd.com/gpu']);
  assert.deepEqual(await ask(machine(amd), { ...gpu, Count: -1 }), ['all=amd.com/gpu']);
  assert.deepEqual(await ask(machine(['intel.com/gpu', ['card1', 'card0']]), { ...gpu, Count: -1 }), [
    'card0=intel.com/gpu',
    'card1=intel.com/gpu',
  ]);
});

test('without a description NVIDIA’s hook is told, where it is; else Docker’s refusal', async () => {
  const nothing = machine();
  const refusal = /^Fault: could not select device driver "" with capabilities: \[\[gpu\]\]$/;
  await assert.rejects(ask(nothing, { ...gpu, Count: -1 }), refusal);
  const path = process.env['PATH'];
  try {
    process.env['PATH'] = root;
    writeFileSync(join(root, 'nvidia-container-runtime-hook'), '');
    await assert.rejects(ask(nothing, { ...gpu, Count: -1 }), refusal);
    chmodSync(join(root, 'nvidia-container-runtime-hook'), 0o755);
    const told = await requestedEdits(nothing, {
      DeviceRequests: [{ Capabilities: [['gpu', 'compute', 'cuda>=12']], DeviceIDs: ['0', '2'] }],
    });
    assert.deepEqual(told.env, [
      'NVIDIA_VISIBLE_DEVICES=0,2',
      'NVIDIA_DRIVER_CAPABILITIES=compute',
      'NVIDIA_REQUIRE_CUDA=cuda>=12',
    ]);
    assert.deepEqual(told.hooks[0]!.args, ['nvidia-container-runtime-hook', 'prestart']);
    assert.deepEqual(await ask(nothing, { ...gpu, Count: -1 }), ['NVIDIA_VISIBLE_DEVICES=all']);
    assert.deepEqual(await ask(nothing, { ...gpu, Count: 2 }), ['NVIDIA_VISIBLE_DEVICES=0,1']);
    await assert.rejects(ask(nothing, { ...gpu, Driver: 'amd', Count: -1 }), /device driver "amd"/);
  } finally {
    process.env['PATH'] = path;
  }
});

test('other requests are refused as Docker does', async () => {
  const one = machine(nvidia);
  for (const [request, message] of [
    [{ Capabilities: [['tpu']] }, /could not select device driver "" with capabilities: \[\[tpu\]\]/],
    [{ Driver: 'other', Capabilities: [['gpu']] }, /device driver "other"/],
    [{}, /with capabilities: \[\]/],
    [{ Driver: 'cdi', Count: 1, DeviceIDs: ['a/b=c'] }, /unexpected count in CDI device request/],
    [{ Driver: 'cdi', DeviceIDs: ['a/b=c'], Options: { a: 'b' } }, /unexpected options in CDI device request/],
    [{ Driver: 'cdi', DeviceIDs: ['a/b=c', 'nvidia.com/gpu=0', 'x'] }, /unresolvable CDI devices a\/b=c, x$/],
  ] as [DeviceRequest, RegExp][])
    await assert.rejects(ask(one, request), message);
});

test('what a description leaves out, the host’s node tells', () => {
  const node = {
    path: '/dev/x',
    hostPath: '/dev/zero',
    type: '' as const,
    major: undefined,
    minor: undefined,
    fileMode: undefined,
    permissions: 'r',
    uid: undefined,
    gid: undefined,
  };
  assert.deepEqual(describedDevice(node), {
    path: '/dev/x',
    source: '/dev/zero',
    type: 'c',
    major: 1,
    minor: 5,
    fileMode: 0o666,
    uid: 0,
    gid: 0,
    access: 'r',
  });
  const told = { ...node, type: 'u' as const, major: 9, minor: 8, hostPath: '/none', uid: 3, gid: 4, fileMode: 0o600 };
  assert.deepEqual(describedDevice(told), {
    ...describedDevice(node),
    source: '/none',
    major: 9,
    minor: 8,
    uid: 3,
    gid: 4,
    fileMode: 0o600,
  });
  assert.throws(
    () => describedDevice({ ...node, hostPath: '/none' }),
    /failed to stat CDI host device "\/none": no such file/,
  );
  assert.throws(() => describedDevice({ ...node, hostPath: '/etc/passwd' }), /is not a device node/);
  assert.throws(() => describedDevice({ ...node, type: 'b' }), /host type mismatch \(b, c\)/);
});
