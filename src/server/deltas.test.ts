/** One test per row of the version table, on both sides of its boundary. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerCreateBody, ContainerInspect, ImageInspect, ImageSummary } from '../api/index.ts';
import {
  applyDeltas,
  containerDeltas,
  createDeltas,
  diskUsageDeltas,
  execDeltas,
  imageDeltas,
  imageSummaryDeltas,
  showsEvent,
  updateDeltas,
} from './deltas.ts';

const create = (version: number, body: ContainerCreateBody): ContainerCreateBody =>
  applyDeltas(createDeltas, version, body);

describe('create', () => {
  test('IpcMode is shareable by default below 1.40', () => {
    assert.equal(create(39, {}).HostConfig?.IpcMode, 'shareable');
    assert.equal(create(39, { HostConfig: { IpcMode: 'private' } }).HostConfig?.IpcMode, 'private');
    assert.equal(create(40, {}).HostConfig?.IpcMode, undefined);
  });

  test('options a version does not know are ignored', () => {
    const body: ContainerCreateBody = {
      Healthcheck: { StartInterval: 5 },
      HostConfig: {
        ConsoleSize: [1, 2],
        Annotations: { a: 'b' },
        Mounts: [
          { Type: 'bind', BindOptions: { NonRecursive: true, CreateMountpoint: true, ReadOnlyNonRecursive: true } },
        ],
      },
    };
    const options = (version: number): unknown => create(version, body).HostConfig?.Mounts?.[0]?.BindOptions;
    assert.deepEqual(options(39), {
      NonRecursive: undefined,
      CreateMountpoint: undefined,
      ReadOnlyNonRecursive: undefined,
      ReadOnlyForceRecursive: undefined,
    });
    assert.deepEqual(options(44), { NonRecursive: true, CreateMountpoint: true, ReadOnlyNonRecursive: true });
    assert.equal(create(41, body).HostConfig?.ConsoleSize, undefined);
    assert.deepEqual(create(42, body).HostConfig?.ConsoleSize, [1, 2]);
    assert.equal(create(42, body).HostConfig?.Annotations, undefined);
    assert.deepEqual(create(43, body).HostConfig?.Annotations, { a: 'b' });
    assert.equal(create(43, body).Healthcheck?.StartInterval, 0);
    assert.equal(create(44, body).Healthcheck?.StartInterval, 5);
  });

  test('several endpoints need 1.44', () => {
    const body = { NetworkingConfig: { EndpointsConfig: { b: {}, a: {} } } };
    assert.throws(() => create(43, body), { message: 'Container cannot be connected to network endpoints: a, b' });
    assert.deepEqual(create(51, body), body);
  });

  test('a MAC address moves to the endpoint of the network mode, and must not contradict it', () => {
    const moved = create(43, { MacAddress: '02:00:00:00:00:01', HostConfig: { NetworkMode: 'n' } });
    assert.equal(moved.MacAddress, undefined);
    assert.equal(moved.NetworkingConfig?.EndpointsConfig?.['n']?.MacAddress, '02:00:00:00:00:01');
    const contradicting = { MacAddress: 'x', NetworkingConfig: { EndpointsConfig: { default: { MacAddress: 'y' } } } };
    assert.throws(() => create(51, contradicting), /must match the endpoint-specific MAC address/);
  });

  test('mounts of a later version are refused', () => {
    const mounts = (mount: object): ContainerCreateBody => ({ HostConfig: { Mounts: [mount] } });
    assert.throws(() => create(44, mounts({ VolumeOptions: { Subpath: 'x' } })), /needs API v1\.45/);
    assert.doesNotThrow(() => create(45, mounts({ VolumeOptions: { Subpath: 'x' } })));
    assert.throws(() => create(45, mounts({ TmpfsOptions: { Options: [['x']] } })), /needs API v1\.46/);
    assert.throws(() => create(47, mounts({ Type: 'image' })), {
      message: 'Mount type "Image" needs API v1.48 or newer',
    });
    assert.doesNotThrow(() => create(48, mounts({ Type: 'image' })));
  });

  test('gateway priority needs 1.48', () => {
    const body = { NetworkingConfig: { EndpointsConfig: { a: { GwPriority: 3 } } } };
    assert.equal(create(47, body).NetworkingConfig?.EndpointsConfig?.['a']?.GwPriority, undefined);
    assert.equal(create(48, body).NetworkingConfig?.EndpointsConfig?.['a']?.GwPriority, 3);
  });

  test('the input is never changed in place', () => {
    const body = Object.freeze({ HostConfig: Object.freeze({ ConsoleSize: [1, 2] as [number, number] }) });
    assert.doesNotThrow(() => create(24, body));
  });
});

test('exec and update ignore what came later', () => {
  assert.equal(applyDeltas(execDeltas, 41, { ConsoleSize: [1, 2] }).ConsoleSize, undefined);
  assert.equal(applyDeltas(updateDeltas, 39, { PidsLimit: 5 }).PidsLimit, undefined);
  assert.equal(applyDeltas(updateDeltas, 40, { PidsLimit: 5 }).PidsLimit, 5);
});

test('container inspect: own names among the aliases of user networks below 1.45', () => {
  const container = {
    Id: 'f'.repeat(64),
    Config: { Hostname: 'h' },
    NetworkSettings: { Networks: { bridge: { Aliases: null }, own: { Aliases: ['web'] } } },
  } as unknown as ContainerInspect;
  const { Networks } = applyDeltas(containerDeltas, 44, container).NetworkSettings;
  assert.deepEqual(Networks['own']?.Aliases, ['web', 'f'.repeat(12), 'h']);
  assert.equal(Networks['bridge']?.Aliases, null);
  assert.equal(applyDeltas(containerDeltas, 45, container), container);
});

test('image list: untagged names, virtual size, container counts', () => {
  const untagged = { RepoTags: [], RepoDigests: [], Size: 7, Containers: 2 } as unknown as ImageSummary;
  const at = (version: number): unknown => applyDeltas(imageSummaryDeltas, version, untagged);
  assert.deepEqual(at(42), {
    RepoTags: ['<none>:<none>'],
    RepoDigests: ['<none>@<none>'],
    Size: 7,
    VirtualSize: 7,
    Containers: -1,
  });
  assert.deepEqual(at(43), { RepoTags: [], RepoDigests: [], Size: 7, VirtualSize: 7, Containers: -1 });
  assert.deepEqual(at(44), { RepoTags: [], RepoDigests: [], Size: 7, Containers: -1 });
  assert.deepEqual(at(51), untagged);
  const usage = applyDeltas(diskUsageDeltas, 43, {
    LayersSize: 0,
    Images: [untagged],
    Containers: [],
    Volumes: [],
    BuildCache: [],
    BuilderSize: 0,
  });
  assert.equal((usage.Images[0] as unknown as { VirtualSize: number }).VirtualSize, 7);
});

test('image inspect: fields of containers that older clients expect', () => {
  const image = { Size: 7, Config: { Cmd: ['sh'] } } as unknown as ImageInspect;
  const at = (version: number): Record<string, unknown> => ({ ...applyDeltas(imageDeltas, version, image) });
  assert.equal(at(43)['VirtualSize'], 7);
  assert.equal(at(44)['VirtualSize'], undefined);
  assert.equal(at(44)['Container'], '');
  assert.equal(at(45)['Container'], undefined);
  assert.equal((at(49)['Config'] as { Tty?: boolean }).Tty, false);
  assert.deepEqual(at(50)['Config'], { Cmd: ['sh'] });
});

test('image create events begin at 1.46', () => {
  const event = {
    Type: 'image',
    Action: 'create',
    Actor: { ID: '', Attributes: {} },
    scope: 'local',
    timeNano: 0n,
  } as const;
  assert.equal(showsEvent(45, event), false);
  assert.equal(showsEvent(46, event), true);
  assert.equal(showsEvent(45, { ...event, Type: 'container' }), true);
});
