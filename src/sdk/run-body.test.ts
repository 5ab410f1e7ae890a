/** Options to the Engine API's words. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { runBody } from './run-body.ts';

test('what is not said is not posted', () => {
  assert.deepEqual(runBody({ image: 'busybox' }, true), { body: { Image: 'busybox', HostConfig: {} }, networks: [] });
});

test('a text is run by the shell, words as they stand', () => {
  assert.deepEqual(runBody({ image: 'x', command: 'echo $A' }, true).body.Cmd, ['sh', '-c', 'echo $A']);
  assert.deepEqual(runBody({ image: 'x', command: ['echo', '$A'] }, true).body.Cmd, ['echo', '$A']);
  assert.deepEqual(runBody({ image: 'x', healthcheck: { command: 'true', intervalMs: 200 } }, true).body.Healthcheck, {
    Test: ['CMD-SHELL', 'true'],
    Interval: 2e8,
  });
  assert.deepEqual(runBody({ image: 'x', healthcheck: false }, true).body.Healthcheck, { Test: ['NONE'] });
});

test('ports: numbers on loopback, unless the daemon is elsewhere; texts as Docker has them', () => {
  const ports = (isLocal: boolean) =>
    runBody(
      { image: 'x', ports: [80, '8081:81', { container: 53, host: 5353, protocol: 'udp', ip: '0.0.0.0' }] },
      isLocal,
    ).body;
  assert.deepEqual(ports(true).HostConfig?.PortBindings, {
    '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }],
    '81/tcp': [{ HostIp: '', HostPort: '8081' }],
    '53/udp': [{ HostIp: '0.0.0.0', HostPort: '5353' }],
  });
  assert.deepEqual(ports(false).HostConfig?.PortBindings?.['80/tcp'], [{ HostIp: '', HostPort: '' }]);
  assert.deepEqual(ports(true).ExposedPorts, { '80/tcp': {}, '81/tcp': {}, '53/udp': {} });
  assert.throws(() => runBody({ image: 'x', ports: [70_000] }, true), /Cannot publish port 70000: ports are numbers/);
});

test('mounts, networks, limits', () => {
  const { body, networks } = runBody(
    {
      image: 'x',
      mounts: [
        './here:/there:ro',
        { volume: { name: 'data' }, target: '/data' },
        { bind: '/etc', target: '/host', readOnly: true },
        { tmpfs: true, target: '/tmp', sizeBytes: 1024 },
      ],
      networks: [{ network: 'front', aliases: ['web'] }, { name: 'back' }],
      limits: { memory: '512m', cpus: 1.5, pids: 100 },
    },
    true,
  );
  assert.deepEqual(body.HostConfig, {
    Binds: [`${resolve('./here')}:/there:ro`],
    Mounts: [
      { Type: 'volume', Source: 'data', Target: '/data', ReadOnly: false },
      { Type: 'bind', Source: '/etc', Target: '/host', ReadOnly: true },
      { Type: 'tmpfs', Target: '/tmp', ReadOnly: false, TmpfsOptions: { SizeBytes: 1024 } },
    ],
    Memory: 512 << 20,
    NanoCpus: 1.5e9,
    PidsLimit: 100,
    NetworkMode: 'front',
  });
  assert.deepEqual(body.NetworkingConfig, { EndpointsConfig: { front: { Aliases: ['web'] } } });
  assert.deepEqual(networks, [{ name: 'back', config: {} }]);
  assert.throws(() => runBody({ image: 'x', limits: { memory: 'much' } }, true), /invalid size: 'much'/);
  assert.throws(() => runBody({ image: 'x', mounts: ['data'] }, true), /give it as source:target/);
});

test('what the API has and the options have not goes through, and goes first', () => {
  const { body } = runBody(
    { image: 'x', user: 'a', config: { User: 'b', Domainname: 'd', HostConfig: { CapAdd: ['NET_ADMIN'] } } },
    true,
  );
  assert.deepEqual(body, { Image: 'x', User: 'b', Domainname: 'd', HostConfig: { CapAdd: ['NET_ADMIN'] } });
});
