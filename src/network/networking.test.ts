/** The room end to end, in namespaces made here: reachability, isolation, published ports, restarts, leaks. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { listLinks, openNetlink, openNft } from '../linux/index.ts';
import { Fault, randomId } from '../std/index.ts';
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

  test('opening and connecting is quick', async () => {
    const times: number[] = [];
    for (let round = 0; round < 10; round++) {
      await new Promise((resolve) => {
        setTimeout(resolve, 80);
      });
      const id = randomBytes(32).toString('hex');
      const start = performance.now();
      await fixture.networking.openSandbox(id);
      await fixture.networking.connect(id, `quick${round}`, endpoint('bridge'));
      times.push(performance.now() - start);
      await fixture.networking.closeSandbox(id);
    }
    times.sort((left, right) => left - right);
    console.log(`openSandbox + connect: median ${times[5]!.toFixed(2)} ms, best ${times[0]!.toFixed(2)} ms`);
    assert.ok(times[5]! < 50);
  });
});
