/** Where ports are reached, and who listens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerInspect, PortBinding } from '../api/index.ts';
import { hasListener } from './listens.ts';
import { publishedAt } from './published.ts';

function inspected(Ports: Record<string, PortBinding[] | null>, Running = true): ContainerInspect {
  return { Name: '/web', State: { Running }, NetworkSettings: { Ports } } as unknown as ContainerInspect;
}

test('all interfaces are reached where the daemon is, one as it stands', () => {
  const far = { host: 'far.example', isLocal: false };
  const info = inspected({
    '80/tcp': [
      { HostIp: '::', HostPort: '1' },
      { HostIp: '0.0.0.0', HostPort: '2' },
    ],
    '81/tcp': [{ HostIp: '127.0.0.1', HostPort: '3' }],
    '53/udp': [{ HostIp: '', HostPort: '4' }],
    '90/tcp': null,
  });
  assert.deepEqual(publishedAt(info, 80, far), { host: 'far.example', port: 2 });
  assert.deepEqual(publishedAt(info, 81, far), { host: '127.0.0.1', port: 3 });
  assert.deepEqual(publishedAt(info, '53/udp', far), { host: 'far.example', port: 4 });
  assert.throws(() => publishedAt(info, 90, far), { message: '"web" publishes no port 90/tcp: add it to ports: [90]' });
  assert.throws(() => publishedAt(inspected({}, false), 80, far), /it does not run/);
});

test('listeners in the kernel’s table', () => {
  const table = `  sl  local_address rem_address   st tx_queue
   0: 00000000:1538 00000000:0000 0A 00000000:00000000
   1: 0100007F:0050 0100007F:9C40 01 00000000:00000000
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0`;
  assert.deepEqual(
    [5432, 80, 8080].map((port) => hasListener(table, port)),
    [true, false, true],
  );
});
