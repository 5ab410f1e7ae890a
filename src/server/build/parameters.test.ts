import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Query } from '../query.ts';
import { type ClassicBuild, classicBuild } from './parameters.ts';

function build(parameters: Record<string, string | string[]>, version = 51): ClassicBuild {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) for (const each of [value].flat()) query.append(name, each);
  return classicBuild(new Query(query.toString()), version);
}

test('nothing said', () => {
  const { request, ...asked } = build({});
  assert.deepEqual(asked, {
    id: undefined,
    remote: undefined,
    dockerfile: 'Dockerfile',
    tags: [],
    quiet: false,
    removes: 'on-success',
  });
  assert.deepEqual(request.limits, {
    memory: 0,
    memorySwap: 0,
    cpuShares: 0,
    cpuPeriod: 0,
    cpuQuota: 0,
    cpusetCpus: '',
    cpusetMems: '',
    shmSize: 0,
    ulimits: [],
    cgroupParent: '',
  });
  assert.deepEqual([request.network, request.noCache, request.pull, request.call], ['default', false, false, 'build']);
  assert.deepEqual(request.outputs, [{ type: 'image', names: [], push: false, attributes: {}, write: undefined }]);
});

test('what the docker CLI sends', () => {
  const { request, ...asked } = build({
    buildargs: '{"A":"1","B":null}',
    buildid: 'id1',
    cachefrom: '["c:1"]',
    cgroupparent: '/g',
    cpuperiod: '1000',
    cpuquota: '500',
    cpusetcpus: '0,1',
    cpusetmems: '0',
    cpushares: '7',
    dockerfile: 'sub/Dockerfile.x',
    extrahosts: ['a:1.2.3.4', 'b:::1'],
    labels: '{"z":"1","a":"x y"}',
    memory: '67108864',
    memswap: '-1',
    networkmode: 'bridge',
    nocache: '1',
    pull: '1',
    q: '1',
    rm: '0',
    shmsize: '1024',
    t: ['a:1', 'b', 'docker.io/library/b:latest', ''],
    target: 'stage',
    ulimits: '[{"Name":"nofile","Hard":20,"Soft":10}]',
    version: '1',
    platform: 'linux/amd64',
    remote: 'https://git.example/x.git',
  });
  assert.deepEqual(asked, {
    id: 'id1',
    remote: 'https://git.example/x.git',
    dockerfile: 'sub/Dockerfile.x',
    tags: ['a:1', 'b:latest'],
    quiet: true,
    removes: 'never',
  });
  assert.deepEqual(
    [...request.buildArgs],
    [
      ['A', '1'],
      ['B', undefined],
    ],
  );
  assert.deepEqual(
    [...request.labels],
    [
      ['a', 'x y'],
      ['z', '1'],
    ],
  );
  assert.deepEqual(request.cacheFrom, [{ type: 'registry', attributes: { ref: 'c:1' } }]);
  assert.deepEqual(request.extraHosts, ['a:1.2.3.4', 'b:::1']);
  assert.deepEqual(request.limits, {
    memory: 64 << 20,
    memorySwap: -1,
    cpuShares: 7,
    cpuPeriod: 1000,
    cpuQuota: 500,
    cpusetCpus: '0,1',
    cpusetMems: '0',
    shmSize: 1024,
    ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
    cgroupParent: '/g',
  });
  const { network, noCache, pull, target, platform, outputs } = request;
  assert.deepEqual(
    { network, noCache, pull, target, platform },
    { network: 'default', noCache: true, pull: true, target: 'stage', platform: 'linux/amd64' },
  );
  assert.deepEqual(outputs[0]?.names, ['a:1', 'b:latest']);
});

test('networks that are to be looked up; forced removal; versions without platforms', () => {
  assert.equal(build({ networkmode: 'mine' }).request.network, 'mine');
  assert.equal(build({ networkmode: 'host' }).request.network, 'host');
  assert.equal(build({ forcerm: '1', rm: '0' }).removes, 'always');
  assert.equal(build({ platform: 'linux/arm64' }, 31).request.platform, undefined);
});

test('what other clients send for nothing', () => {
  const { request } = build({
    ulimits: 'null',
    buildargs: 'null',
    labels: 'null',
    cachefrom: 'null',
    memory: 'x',
    isolation: 'default',
    t: '',
    remote: '',
    rm: 'True',
  });
  assert.deepEqual([...request.buildArgs, ...request.labels, ...request.cacheFrom], []);
  assert.deepEqual(request.limits.ulimits, []);
  assert.equal(request.limits.memory, 0);
});

for (const [parameter, value, message] of [
  ['squash', '1', /^squash is only supported with experimental mode$/],
  ['securityopt', 'x', /^security options are not supported on linux$/],
  ['isolation', 'hyperv', /^unsupported isolation: "hyperv"$/],
  ['version', '3', /^invalid version "3"$/],
  ['remote', 'client-session', /^experimental session with v1 builder is no longer supported/],
  ['t', 'UPPER', /^invalid reference format: repository name \(library\/UPPER\) must be lowercase$/],
  ['t', `x@sha256:${'a'.repeat(64)}`, /^build tag cannot contain a digest$/],
  ['ulimits', 'x', /^error reading ulimit settings: /],
  ['ulimits', '[{"Name":1}]', /^error reading ulimit settings: ulimits\[0\]\.Name: want a string, got 1$/],
  ['buildargs', '["A"]', /^error reading build args: buildargs: want an object/],
  ['labels', '[]', /^error reading labels: labels: want an object, got \[\]$/],
  ['cachefrom', 'x', /^error reading cache-from: /],
  ['shmsize', 'x', /"shmsize"/],
] as const) {
  test(`refused: ${parameter}=${value}`, () => {
    assert.throws(() => build({ [parameter]: value }), { kind: 'invalid', message });
  });
}
