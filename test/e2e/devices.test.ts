/**
 * Devices by name (Container Device Interface), as GPUs are given to containers: a made-up vendor's files beside the reference
 * dockerd, word by word, and what only Wherry does with them.
 */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { cannotRun, repository, sharedDaemon } from '../support/daemon.ts';
import type { Docker } from '../support/docker.ts';
import { busyboxImage } from '../support/images.ts';
import { ReferenceEngine } from '../support/peers.ts';

const root = mkdtempSync(join(tmpdir(), 'wherry-devices-'));
after(() => rmSync(root, { recursive: true, force: true }));
const [low, high] = [join(root, 'low'), join(root, 'high')];
for (const folder of [low, high, join(root, 'tools')]) mkdirSync(folder);
writeFileSync(join(root, 'tools/tool'), 'a tool\n');
const seen = join(root, 'seen');
writeFileSync(
  join(root, 'hook'),
  `#!/bin/sh\n{ echo "$1 $SAID"; grep -o '"ociVersion"'; } > ${seen}.tmp\nmv ${seen}.tmp ${seen}\n`,
);
chmodSync(join(root, 'hook'), 0o755);

/** Whole, or not at all: both engines read while we write. */
function describe(folder: string, name: string, specification: object): void {
  writeFileSync(join(root, name), JSON.stringify(specification));
  renameSync(join(root, name), join(folder, name));
}

const node = (path: string, more: object = {}): object => ({ deviceNodes: [{ path, hostPath: '/dev/zero', ...more }] });
const vendor = (devices: object[], containerEdits: object = {}): object => ({
  cdiVersion: '0.7.0',
  kind: 'vendor.com/device',
  containerEdits,
  devices,
});
const first = vendor(
  [
    { name: 'zero', containerEdits: { ...node('/dev/vnd0'), env: ['WHICH=zero', 'COLOUR=changed'] } },
    { name: 'readable', containerEdits: node('/dev/vnd1', { permissions: 'r', fileMode: 0o640, gid: 77 }) },
    { name: 'groups', containerEdits: { additionalGids: [4242, 0] } },
    {
      name: 'hooked',
      containerEdits: {
        hooks: [{ hookName: 'createRuntime', path: join(root, 'hook'), args: ['hook', 'begun'], env: ['SAID=so'] }],
      },
    },
    { name: 'missing', containerEdits: node('/dev/vnd2', { hostPath: '/dev/not-there' }) },
    { name: 'mistyped', containerEdits: node('/dev/vnd3', { type: 'b' }) },
  ],
  {
    env: ['VENDOR=1'],
    mounts: [{ hostPath: join(root, 'tools'), containerPath: '/opt/vendor', options: ['ro', 'rbind'] }],
  },
);
describe(low, 'vendor.json', first);
writeFileSync(join(low, 'broken.yaml'), 'cdiVersion: 0.6.0\nkind: vendor.com/broken\ndevices: []\n');
writeFileSync(
  join(low, 'written.yaml'),
  'cdiVersion: 0.5.0\nkind: other.org/thing\ndevices:\n- name: "0"\n  containerEdits:\n    env: [THING=yaml]\n',
);

let reason = cannotRun();
const reference =
  reason === undefined
    ? await ReferenceEngine.open({ 'cdi-spec-dirs': [low, high] }).catch((error: Error) => {
        reason = `no reference dockerd: ${error.message.split('\n')[0]}`;
        return undefined;
      })
    : undefined;
after(() => reference?.[Symbol.asyncDispose]());
const host = await sharedDaemon({
  args: ['--cdi-spec-dir', low, '--cdi-spec-dir', high],
  expectedErrors: [/could not select device driver/],
});
if (reference !== undefined) await reference.docker.ok('load', '-q', '-i', await busyboxImage());

const device = (...names: string[]): string[] => names.flatMap((name) => ['--device', `vendor.com/device=${name}`]);
const run = (...args: string[]): string[] => ['run', '--rm', ...args];
const shell = (...args: string[]): string[] => [...args.slice(0, -1), 'busybox', 'sh', '-c', args.at(-1)!];
const commands: readonly string[][] = [
  shell(
    ...run(...device('zero')),
    'head -c 3 /dev/vnd0 | od -An -tx1; ls -l /dev/vnd0 | cut -c1-10; echo $WHICH $VENDOR',
  ),
  shell(...run('-e', 'COLOUR=own', ...device('zero')), 'echo $COLOUR; cat /opt/vendor/tool; touch /opt/vendor/x'),
  shell(
    ...run('-u', '1000:1000', ...device('zero', 'readable')),
    'stat -c "%u:%g %a" /dev/vnd0 /dev/vnd1; echo > /dev/vnd1',
  ),
  shell(...run(...device('readable')), 'echo > /dev/vnd1'),
  shell(...run('--privileged', ...device('zero')), 'head -c 1 /dev/vnd0 | od -An -tx1; ls /dev/vnd0'),
  shell(...run('-v', `${root}:/opt/vendor`, ...device('groups')), 'ls /opt/vendor'),
  shell(...run('--device', 'other.org/thing=0', ...device('zero')), 'echo $THING $WHICH'),
  shell(...run(...device('hooked')), 'true'),
  shell(...run(...device('nothing', 'zero', 'nor')), 'true'),
  shell(...run('--device', 'vendor.com/broken=0'), 'true'),
  shell(...run(...device('missing')), 'true'),
  shell(...run(...device('mistyped')), 'true'),
  shell(...run('--device', 'vendor.com/device'), 'true'),
  shell(...run('--device', 'vendor.com/device=zero:/dev/x'), 'true'),
  shell(...run('--gpus', 'all'), 'true'),
  ['create', '--name', 'described', ...device('zero'), 'busybox', 'true'],
  ['inspect', '-f', '{{json .HostConfig.DeviceRequests}} {{json .HostConfig.Devices}}', 'described'],
  ['rm', 'described'],
];

async function outcome(docker: Docker, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await docker.run(args);
  const text = `${stdout}${stderr}`
    .replaceAll(/\b[0-9a-f]{64}\b/g, 'ID')
    // Debian's dockerd tells at some length in which of its own words it failed.
    .replaceAll(/: unknown$/gm, '')
    // We say which files were of no use.
    .replaceAll(/(unresolvable CDI devices [^;\n]*); .*$/gm, '$1');
  return `exit ${code}\n${text}`;
}

host.scenario(
  'the same commands, the same outcomes as of dockerd',
  async () => {
    for (const args of commands) {
      rmSync(seen, { force: true });
      const theirs = await outcome(reference!.docker, args);
      const hook = args.includes('vendor.com/device=hooked') ? readFileSync(seen, 'utf8') : '';
      rmSync(seen, { force: true });
      const ours = await outcome(host.docker, args);
      assert.equal(ours, theirs, args.join(' '));
      if (hook !== '') assert.equal(readFileSync(seen, 'utf8'), hook);
    }
  },
  { skip: reason, timeoutMs: 120_000 },
);

host.scenario(
  'info tells the folders and what is in them',
  async () => {
    const told = async (docker: Docker): Promise<string> =>
      docker.ok('info', '-f', '{{json .CDISpecDirs}} {{json .DiscoveredDevices}}');
    const names = (text: string): string[] => [...text.matchAll(/"ID":"([^"]+)"/g)].map(([, id]) => id!).sort();
    const [ours, theirs] = [await told(host.docker), await told(reference!.docker)];
    assert.equal(ours.split(' ')[0], theirs.split(' ')[0]);
    assert.deepEqual(names(ours), names(theirs));
    assert.equal(names(ours).length, 7);
  },
  { skip: reason },
);

host.scenario(
  'a running container keeps its devices through exec, restarts and kill -9; later files are seen',
  async () => {
    const { docker, daemon } = host;
    await docker.ok('run', '-d', '--name', 'kept', ...device('zero'), 'busybox', 'sleep', '600');
    const look = ['exec', 'kept', 'sh', '-c', 'head -c 1 /dev/vnd0 | od -An -tx1; cat /opt/vendor/tool'];
    assert.equal(await docker.ok(...look), ' 00\na tool');
    await daemon.restart();
    assert.equal(await docker.ok(...look), ' 00\na tool');
    await docker.ok('restart', '-t', '0', 'kept');
    assert.equal(await docker.ok(...look), ' 00\na tool');
    describe(high, 'vendor.json', vendor([{ name: 'zero', containerEdits: { env: ['WHICH=high'] } }]));
    assert.equal(
      await docker.ok(...shell(...run(...device('zero')), 'echo $WHICH; ls /dev/vnd0 2>&1; true')),
      'high\nls: /dev/vnd0: No such file or directory',
    );
    rmSync(join(high, 'vendor.json'));
    await docker.ok('stop', '-t', '0', 'kept');
    rmSync(join(low, 'vendor.json'));
    const failed = await docker.run(['start', 'kept']);
    assert.notEqual(failed.code, 0);
    assert.match(
      failed.stderr,
      /unresolvable CDI devices vendor\.com\/device=zero; .*broken\.yaml: invalid spec, no devices/,
    );
    assert.equal(await docker.inspect('kept', '.State.Status'), 'exited');
    describe(low, 'vendor.json', first);
    await docker.ok('start', 'kept');
    await docker.ok('rm', '-f', 'kept');
  },
);

host.scenario('groups that a device asks for are given, which dockerd forgets', async () => {
  const groups = await host.docker.ok(...shell(...run('-u', '1000', '--group-add', '5', ...device('groups')), 'id -G'));
  assert.equal(groups, '0 5 4242');
});

host.scenario('GPUs are devices of class gpu: --gpus, and compose files in their three forms', async () => {
  const { docker, daemon } = host;
  const edits = (value: string): object => ({
    containerEdits: { ...node(`/dev/nvidia${value}`), env: [`GPU=${value}`] },
  });
  describe(low, 'nvidia.json', {
    cdiVersion: '0.6.0',
    kind: 'nvidia.com/gpu',
    devices: [
      { name: '0', ...edits('0') },
      { name: '1', ...edits('1') },
      { name: 'all', containerEdits: { env: ['GPU=all'] } },
    ],
  });
  const wherry = daemon.cli(join(repository, 'bin/wherry'));
  for (const cli of [docker, wherry]) {
    const gpu = (...args: string[]): Promise<string> =>
      cli.ok(...shell(...run(...args), 'echo $GPU; ls /dev | grep nvidia'));
    assert.equal(await gpu('--gpus', 'all').catch((error: Error) => error.message.includes('exit 1')), true);
    assert.equal(await gpu('--gpus', '1'), '0\nnvidia0');
    assert.equal(await gpu('--gpus', '"device=1"'), '1\nnvidia1');
    assert.equal(await gpu('--gpus', 'device=nvidia.com/gpu=1'), '1\nnvidia1');
  }
  const few = await wherry.run(['run', '--rm', '--gpus', '3', 'busybox']);
  assert.equal(few.code, 125);
  assert.match(few.stderr, /Cannot give 3 GPUs to a container: this machine has 2 of nvidia\.com\/gpu/);
  const file = join(root, 'compose.yaml');
  const service = (name: string, more: string): string =>
    `  ${name}:\n    image: busybox\n    command: [sh, -c, 'echo is $$GPU']\n${more}`;
  writeFileSync(
    file,
    `name: gpus${process.pid}\nservices:\n${service('all', '    gpus: all\n')}${service('named', '    devices: [nvidia.com/gpu=1]\n')}${service(
      'reserved',
      '    deploy: { resources: { reservations: { devices: [{ driver: nvidia, count: 1, capabilities: [gpu] }] } } }\n',
    )}`,
  );
  const up = await wherry.ok('compose', '-f', file, 'up', '--no-color', '--no-log-prefix');
  for (const line of ['is all', 'is 1', 'is 0']) assert.ok(up.split('\n').includes(line), up);
  await wherry.ok('compose', '-f', file, 'down');
});
