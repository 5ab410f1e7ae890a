/** Specifications as vendors write them, good and bad, in folders that overrule each other. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { CdiDevices } from './devices.ts';
import { parseDeviceName } from './names.ts';
import { readSpecification } from './specification.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'wherry-cdi-'));
  for (const folder of ['low', 'high']) mkdirSync(join(root, folder));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (path: string, content: unknown): void =>
  writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content));
const open = (): CdiDevices => new CdiDevices([join(root, 'low'), join(root, 'high'), join(root, 'absent')]);
const specification = (kind: string, devices: Record<string, string>): object => ({
  cdiVersion: '0.6.0',
  kind,
  devices: Object.entries(devices).map(([name, value]) => ({ name, containerEdits: { env: [`WHICH=${value}`] } })),
});

/** As nvidia-ctk writes them. */
const yaml = `---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
  deviceNodes: [{ path: /dev/nvidiactl }, { path: /dev/nvidia-uvm, fileMode: 0660 }]
  hooks:
    - hookName: createContainer
      path: /usr/bin/nvidia-ctk
      args: [nvidia-ctk, hook, update-ldcache, --folder, /usr/lib]
  mounts:
    - containerPath: /usr/bin/nvidia-smi
      hostPath: /usr/bin/nvidia-smi
      options: [ro, nosuid, nodev, bind]
devices:
  - name: "0"
    containerEdits: { deviceNodes: [{ path: /dev/nvidia0 }], additionalGids: [0, 44] }
  - name: all
    containerEdits: { deviceNodes: [{ path: /dev/nvidia0 }, { path: /dev/nvidia1, hostPath: /dev/other, permissions: rw }] }
`;

test('what a vendor wrote is read, and what all its devices need comes once', async () => {
  put('low/nvidia.yaml', yaml);
  put('low/notes.txt', 'not one');
  const devices = open();
  assert.deepEqual(await devices.list(), { names: ['nvidia.com/gpu=0', 'nvidia.com/gpu=all'], problems: [] });
  const { edits, unresolved } = await devices.edits(['nvidia.com/gpu=0', 'nvidia.com/gpu=all', 'nvidia.com/gpu=9']);
  assert.deepEqual(unresolved, ['nvidia.com/gpu=9']);
  assert.deepEqual(edits.env, ['NVIDIA_VISIBLE_DEVICES=void']);
  assert.deepEqual(
    edits.deviceNodes.map(({ path, hostPath, permissions, fileMode }) => [path, hostPath, permissions, fileMode]),
    [
      ['/dev/nvidiactl', '/dev/nvidiactl', 'rwm', undefined],
      ['/dev/nvidia-uvm', '/dev/nvidia-uvm', 'rwm', 0o660],
      ['/dev/nvidia0', '/dev/nvidia0', 'rwm', undefined],
      ['/dev/nvidia0', '/dev/nvidia0', 'rwm', undefined],
      ['/dev/nvidia1', '/dev/other', 'rw', undefined],
    ],
  );
  assert.deepEqual(edits.hooks[0]!.args.slice(0, 3), ['nvidia-ctk', 'hook', 'update-ldcache']);
  assert.deepEqual(edits.additionalGids, [44]);
  assert.equal(edits.mounts.length, 1);
});

test('a later folder overrules, two files of one folder that claim a name make it nobody’s, changes are seen', async () => {
  put('low/a.json', specification('v.com/c', { one: 'low', two: 'low', three: 'low' }));
  put('high/a.json', specification('v.com/c', { one: 'high' }));
  put('low/b.json', specification('v.com/c', { two: 'again', one: 'again' }));
  const devices = open();
  const first = await devices.list();
  assert.deepEqual(first.names, ['v.com/c=one', 'v.com/c=three']);
  assert.equal(first.problems.length, 2);
  assert.match(first.problems[0]!.message, /^conflicting device "v\.com\/c=(one|two)" \(specs .*a\.json, .*b\.json\)$/);
  assert.deepEqual((await devices.edits(['v.com/c=one'])).edits.env, ['WHICH=high']);
  put('high/a.json', specification('v.com/c', { one: 'changed' }));
  rmSync(join(root, 'low/b.json'));
  assert.deepEqual((await devices.edits(['v.com/c=one'])).edits.env, ['WHICH=changed']);
  assert.deepEqual((await devices.list()).names, ['v.com/c=one', 'v.com/c=three', 'v.com/c=two']);
});

test('files that say nothing usable are named with the reason, and harm no other', async () => {
  put('low/good.json', specification('v.com/c', { one: '1' }));
  put('low/text.json', '{');
  put('low/tabs.yaml', 'a:\n\t- b');
  put(
    'low/bombs.yaml',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'.replace(/./g, (name, at: number) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[at]}`).join()}]\n`)}`,
  );
  mkdirSync(join(root, 'low/folder.json'));
  const { names, problems } = await open().list();
  assert.deepEqual(names, ['v.com/c=one']);
  assert.deepEqual(problems.map(({ path }) => path.slice(root.length + 5)).sort(), [
    'bombs.yaml',
    'tabs.yaml',
    'text.json',
  ]);
});

test('every rule of the specification refuses with what it refuses', () => {
  const device = (containerEdits: object, more: object = {}): object => ({
    cdiVersion: '0.6.0',
    kind: 'v.com/c',
    devices: [{ name: 'd', containerEdits }],
    ...more,
  });
  const rows: [object | null, RegExp][] = [
    [null, /not a map/],
    [[], /not a map/],
    [device({ env: ['A=b'] }, { cdiVersion: '9.0.0' }), /invalid cdiVersion "9\.0\.0"/],
    [device({ env: ['A=b'] }, { kind: 'nokind' }), /invalid kind "nokind"/],
    [device({ env: ['A=b'] }, { kind: 1 }), /kind is missing/],
    [device({ env: ['A=b'] }, { devices: [] }), /no devices/],
    [
      device({ env: ['A=b'] }, { devices: [{ name: '-', containerEdits: { env: ['A=b'] } }] }),
      /invalid device name "-"/,
    ],
    [device({}), /"d", empty device edits/],
    [device({ env: ['A'] }), /invalid environment variable "A"/],
    [device({ env: ['=b'] }), /invalid environment variable/],
    [device({ deviceNodes: [{ path: 'dev/x' }] }), /not an absolute path/],
    [device({ deviceNodes: [{ path: '/dev/x', type: 'z' }] }), /invalid type "z"/],
    [device({ deviceNodes: [{ path: '/dev/x', permissions: 'rx' }] }), /invalid permissions "rx"/],
    [device({ deviceNodes: [{ path: '/dev/x', major: -1 }] }), /major of \/dev\/x is not a number/],
    [device({ mounts: [{ hostPath: '', containerPath: '/x' }] }), /hostPath of a mount is missing/],
    [device({ mounts: [{ hostPath: '/x' }] }), /containerPath of a mount is missing/],
    [device({ hooks: [{ hookName: 'later', path: '/x' }] }), /invalid hook name "later"/],
    [device({ hooks: [{ hookName: 'poststop', path: 'x' }] }), /not an absolute path/],
    [device({ additionalGids: ['x'] }), /additionalGids is not a number/],
    [device({ netDevices: [{ hostInterfaceName: 'eth0' }] }), /netDevices cannot be given/],
  ];
  for (const [document, message] of rows)
    assert.throws(() => readSpecification(document), message, JSON.stringify(document));
  const twice = { name: 'd', containerEdits: { env: ['A=b'] } };
  assert.throws(() => readSpecification(device({}, { devices: [twice, twice] })), /multiple device "d"/);
  assert.equal(readSpecification(device({ intelRdt: { closID: 'x' } })).devices[0]!.edits.intelRdt!['closID'], 'x');
});

test('names of devices', () => {
  assert.deepEqual(parseDeviceName('vendor.com/class=dev:1'), { kind: 'vendor.com/class', name: 'dev:1' });
  for (const text of ['', '=', 'a/b', 'a/b=', '/b=c', 'a=b', '1a/b=c', 'a/b=-', 'a/b=c d', '/dev/x', '/dev/x=/y'])
    assert.equal(parseDeviceName(text), undefined, text);
});
