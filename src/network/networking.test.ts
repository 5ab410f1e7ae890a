/** The room end to end, in namespaces made here: reachability, isolation, published ports, restarts, leaks. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  addAddress,
  addLink,
  deleteLink,
  linkIndex,
  listAddresses,
  listLinks,
  openNetlink,
  openNft,
} from '../linux/index.ts';
import { Fault, randomId } from '../std/index.ts';
import type { Networking } from './door.ts';
import { ask, endpoint, type Fixture, openFixture, pings, skipUnlessRoot, whoServer } from './fixture.ts';

async function sandbox(
  fixture: Fixture,
  network: string,
  name: string,
): Promise<{ id: string; path: string; ip: string }> {
  const id = randomId();
  const { path } = await fixture.networking.openSandbox(id);
  const settings = await fixture.networking.connect(id, name, endpoint(network, { dnsNames: [name] }));
  return { id, path, ip: settings.IPAddress };
}

function isFault(kind: string, text: string | RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.kind, kind, error.message);
    if (typeof text === 'string') assert.ok(error.message.includes(text), error.message);
    else assert.match(error.message, text);
    return true;
  };
}

describe('networking', { skip: skipUnlessRoot }, () => {
  let fixture: Fixture;
  before(async () => {
    fixture = await openFixture();
  });
  after(async () => {
    const { bridge, tableName, runRoot } = fixture.options;
    await fixture.close();
    const route = openNetlink(0);
    const left = listLinks(route).filter((link) => link.name.startsWith(bridge));
    route.close();
    assert.deepEqual(left, [], 'links left');
    assert.equal(existsSync(runRoot), false);
    const nft = openNft();
    assert.ok(!nft.run('list tables').includes(tableName), 'nft table left');
    nft.close();
  });

  test('containers of one network reach each other, those of others are kept out', async () => {
    await fixture.networking.create({ Name: 'red' });
    await fixture.networking.create({ Name: 'blue' });
    const a = await sandbox(fixture, 'red', 'a');
    const b = await sandbox(fixture, 'red', 'b');
    const c = await sandbox(fixture, 'blue', 'c');
    assert.ok(await pings(a.path, b.ip), 'same network');
    assert.ok(!(await pings(a.path, c.ip)), 'other network');
    assert.ok(!(await pings(c.path, a.ip)), 'other network');
    const server = whoServer(b.path, 8000);
    assert.equal(await ask(a.path, b.ip, 8000), a.ip);
    assert.equal(await ask(undefined, b.ip, 8000), fixture.networking.hostGateway('red'));
    server.close();
    await assert.rejects(fixture.networking.remove('red'), isFault('forbidden', 'has active endpoints'));
    const shown = await fixture.networking.inspect('red');
    assert.deepEqual(Object.keys(shown.Containers).sort(), [a.id, b.id].sort());
    for (const { id } of [a, b, c]) await fixture.networking.closeSandbox(id);
    assert.equal(existsSync(a.path), false);
    await fixture.networking.remove('red');
    await fixture.networking.remove('blue');
  });

  test('a published port answers on loopback, on the host address, from its own network, and not when closed', async () => {
    await fixture.networking.create({ Name: 'web' });
    const web = await sandbox(fixture, 'web', 'web');
    const other = await sandbox(fixture, 'web', 'other');
    const far = await sandbox(fixture, 'bridge', 'far');
    const server = whoServer(web.path, 80);
    const ports = await fixture.networking.publish(web.id, {
      bindings: { '80/tcp': [{ HostIp: '', HostPort: '' }] },
      containerName: 'web',
    });
    const [v4, v6] = ports['80/tcp']!;
    assert.equal(v4?.HostIp, '0.0.0.0');
    assert.equal(v6?.HostPort, v4?.HostPort);
    const port = Number(v4?.HostPort);
    const gateway = fixture.networking.hostGateway('web');
    assert.equal(await ask(undefined, '127.0.0.1', port), gateway, 'loopback');
    assert.notEqual(await ask(undefined, '::1', port), '', 'IPv6 loopback through the relay');
    assert.notEqual(await ask(undefined, gateway, port), '', 'host address');
    assert.equal(await ask(other.path, gateway, port), gateway, 'hairpin');
    assert.equal(await ask(web.path, gateway, port), gateway, 'itself');
    assert.equal(await ask(far.path, fixture.networking.hostGateway(), port), far.ip, 'another network, by the host');
    await assert.rejects(
      fixture.networking.publish(other.id, {
        bindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
        containerName: 'other',
      }),
      isFault(
        'internal',
        new RegExp(
          `^driver failed programming external connectivity on endpoint other \\([0-9a-f]{64}\\): Bind for 127.0.0.1:${port} failed: port is already allocated \\(by container "web"\\)$`,
        ),
      ),
    );
    server.close();
    for (const { id } of [web, other, far]) await fixture.networking.closeSandbox(id);
    const refused = await new Promise((resolve) => {
      connect(port, '127.0.0.1')
        .on('error', (error) => resolve((error as NodeJS.ErrnoException).code))
        .on('connect', resolve);
    });
    assert.equal(refused, 'ECONNREFUSED');
    await fixture.networking.remove('web');
  });

  test('a port of a host process is named with its owner', async () => {
    const holder = await sandbox(fixture, 'bridge', 'late');
    const { createServer } = await import('node:net');
    const server = createServer().listen(0, '0.0.0.0');
    await new Promise((resolve) => {
      server.once('listening', resolve);
    });
    const { port } = server.address() as { port: number };
    await assert.rejects(
      fixture.networking.publish(holder.id, {
        bindings: { '80/tcp': [{ HostPort: String(port) }] },
        containerName: 'late',
      }),
      isFault('internal', `80/tcp: address already in use (by ${basename(process.execPath)}, process ${process.pid})`),
    );
    server.close();
    await fixture.networking.closeSandbox(holder.id);
  });

  test('kill and restart: running containers keep their addresses, ports and names; dead ones go', async () => {
    const alive = await sandbox(fixture, 'bridge', 'alive');
    const dead = await sandbox(fixture, 'bridge', 'dead');
    const server = whoServer(alive.path, 80);
    const ports = await fixture.networking.publish(alive.id, {
      bindings: { '80/tcp': null, '80': [] },
      containerName: 'alive',
    });
    const port = Number(ports['80/tcp']![0]!.HostPort);
    await fixture.networking.close();
    assert.notEqual(await ask(undefined, '127.0.0.1', port), '', 'the kernel serves while no daemon runs');
    const second = await fixture.reopen();
    await second.restore(new Map([[alive.id, undefined]]));
    assert.equal(existsSync(dead.path), false, 'the dead one is gone');
    assert.ok(existsSync(alive.path));
    assert.notEqual(await ask(undefined, '127.0.0.1', port), '');
    const again = await second.connect(alive.id, 'alive', endpoint('none')).then(
      () => 'connected',
      (error: unknown) => String(error),
    );
    assert.equal(again, 'connected');
    server.close();
    fixture.networking = second;
    await second.closeSandbox(alive.id);
    assert.equal(existsSync(alive.path), false);
  });

  test('a flushed table comes back', async () => {
    const { tableName } = fixture.options;
    const nft = openNft();
    nft.run(`delete table inet ${tableName}`);
    const one = await sandbox(fixture, 'bridge', 'one');
    const ports = await fixture.networking.publish(one.id, { bindings: { '81/tcp': [{}] }, containerName: 'one' });
    assert.ok(nft.run(`list map inet ${tableName} port4`).includes(ports['81/tcp']![0]!.HostPort));
    nft.close();
    await fixture.networking.closeSandbox(one.id);
  });

  test('no namespace file is left', () => {
    const spare = readdirSync(`${fixture.options.runRoot}/netns`);
    assert.ok(spare.length <= 2, spare.join());
    assert.deepEqual(readdirSync(`${fixture.options.runRoot}/sandboxes`), []);
  });
});

describe('subnets that others take', { skip: skipUnlessRoot }, () => {
  const subnetOf = async (networking: Networking, name: string): Promise<string> =>
    (await networking.inspect(name)).IPAM.Config[0]!.Subnet!;
  const addressPools = (): { base: string; size: number }[] => [
    { base: `10.${220 + (randomBytes(1)[0]! % 30)}.0.0/16`, size: 26 },
  ];

  test('engines that open at the same moment get different ones', async () => {
    const pools = addressPools();
    const fixtures = await Promise.all([1, 2, 3, 4].map(() => openFixture({ addressPools: pools })));
    try {
      const subnets = await Promise.all(fixtures.map(({ networking }) => subnetOf(networking, 'bridge')));
      assert.equal(new Set(subnets).size, 4, subnets.join(' '));
      const route = openNetlink(0);
      for (const [index, { options }] of fixtures.entries()) {
        const link = listLinks(route).find(({ name }) => name === options.bridge)!;
        const addresses = listAddresses(route).filter((each) => each.link === link.index);
        assert.equal(addresses.length, 1, JSON.stringify(addresses));
        assert.equal(subnets[index], `${addresses[0]!.address.replace(/\d+$/, (last) => String(Number(last) - 1))}/26`);
      }
      route.close();
      for (const fixture of fixtures) {
        const one = await sandbox(fixture, 'bridge', 'one');
        const server = whoServer(one.path, 80);
        assert.notEqual(await ask(undefined, one.ip, 80), '', 'reached over its own bridge');
        server.close();
        await fixture.networking.closeSandbox(one.id);
      }
    } finally {
      for (const fixture of fixtures) await fixture.close();
    }
  });

  test('what was taken while no daemon ran is given up, but not under containers, nor what a person chose', async () => {
    const fixture = await openFixture({ addressPools: addressPools() });
    const route = openNetlink(0);
    const squatter = `wq${randomBytes(3).toString('hex')}`;
    addLink(route, squatter, { kind: 'bridge' }, { up: true });
    const squat = (subnet: string): void => {
      const [address, prefix] = subnet.replace(/\d+\//, (last) => `${Number.parseInt(last, 10) + 9}/`).split('/');
      addAddress(route, { link: linkIndex(route, squatter), address: address!, prefix: Number(prefix) });
    };
    try {
      const [before, chosen] = [await subnetOf(fixture.networking, 'bridge'), '10.219.7.0/28'];
      await fixture.networking.create({ Name: 'chosen', IPAM: { Config: [{ Subnet: chosen }] } });
      await fixture.networking.create({ Name: 'ours' });
      const ours = await subnetOf(fixture.networking, 'ours');
      await fixture.networking.close();
      for (const each of [before, chosen, ours]) squat(each);
      const second = await fixture.reopen();
      assert.equal(await subnetOf(second, 'chosen'), chosen);
      const [moved, movedOurs] = [await subnetOf(second, 'bridge'), await subnetOf(second, 'ours')];
      assert.equal(new Set([before, ours, moved, movedOurs]).size, 4, [before, ours, moved, movedOurs].join(' '));
      fixture.networking = second;
      const one = await sandbox(fixture, 'bridge', 'one');
      assert.ok(await pings(one.path, second.hostGateway('bridge')));
      await second.close();
      deleteLink(route, fixture.options.bridge);
      squat(moved);
      const third = await fixture.reopen();
      assert.equal(await subnetOf(third, 'bridge'), moved, 'a container lives in it');
      assert.equal(await subnetOf(third, 'ours'), movedOurs, 'written down');
      await third.restore(new Map([[one.id, undefined]]));
      await third.closeSandbox(one.id);
    } finally {
      deleteLink(route, squatter);
      route.close();
      await fixture.close();
    }
  });
});
