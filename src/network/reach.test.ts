/** Who reaches whom: clients on the local network, UDP, IPv6, internal and secluded networks, live connections, names. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decode, encode } from 'dns-packet';
import {
  addAddress,
  addVethPair,
  bindInNamespace,
  createNetworkNamespace,
  deleteLink,
  linkIndex,
  openNetlink,
  removeNetworkNamespace,
  replaceRoute,
  runInNetworkNamespace,
  setLink,
} from '../linux/index.ts';
import { faultKind, messageOf, randomId } from '../std/index.ts';
import { ask, endpoint, type Fixture, openFixture, pings, skipUnlessRoot, whoServer, within } from './fixture.ts';
import { openSync, closeSync } from 'node:fs';

describe('reachability', { skip: skipUnlessRoot }, () => {
  let fixture: Fixture;
  const opened: string[] = [];
  const mark = randomBytes(2).toString('hex');
  const lan = { path: join(tmpdir(), `wherry-lan-${mark}`), link: `wl${mark}`, host: '', address: '' };

  async function container(
    network: string,
    name: string,
    config = {},
  ): Promise<{ id: string; path: string; ip: string; ip6: string }> {
    const id = randomId();
    const { path } = await fixture.networking.openSandbox(id);
    opened.push(id);
    const settings = await fixture.networking.connect(
      id,
      name,
      endpoint(network, { dnsNames: [name, id.slice(0, 12)], config }),
    );
    return { id, path, ip: settings.IPAddress, ip6: settings.GlobalIPv6Address };
  }

  before(async () => {
    fixture = await openFixture({ dns: ['127.0.0.1#1'] });
    // A machine on the local network of the host.
    const third = randomBytes(1)[0]!;
    lan.host = `10.250.${third}.1`;
    lan.address = `10.250.${third}.2`;
    const route = openNetlink(0);
    const inner = createNetworkNamespace(lan.path, () => openNetlink(0));
    const fd = openSync(lan.path, 'r');
    addVethPair(route, lan.link, { up: true }, { name: 'eth0', namespace: fd });
    closeSync(fd);
    addAddress(route, { link: linkIndex(route, lan.link), address: lan.host, prefix: 24 });
    addAddress(inner, { link: linkIndex(inner, 'eth0'), address: lan.address, prefix: 24 });
    setLink(inner, 1, { up: true });
    setLink(inner, linkIndex(inner, 'eth0'), { up: true });
    replaceRoute(inner, { family: 4, link: linkIndex(inner, 'eth0'), gateway: lan.host });
    inner.close();
    route.close();
  });
  after(async () => {
    for (const id of opened) await fixture.networking.closeSandbox(id);
    rmSync(join(tmpdir(), `wherry-resolv-${mark}`), { force: true });
    await fixture.close();
    const route = openNetlink(0);
    deleteLink(route, lan.link);
    route.close();
    removeNetworkNamespace(lan.path);
  });

  test('an outside client reaches published ports under its own address, and nothing else', async () => {
    const web = await container('bridge', 'web');
    const server = whoServer(web.path, 80);
    const hidden = whoServer(web.path, 81);
    const ports = await fixture.networking.publish(web.id, { bindings: { '80/tcp': [{}] }, containerName: 'web' });
    const port = Number(ports['80/tcp']![0]!.HostPort);
    assert.equal(await ask(lan.path, lan.host, port), lan.address);
    assert.equal(await ask(lan.path, web.ip, 81), '', 'unpublished, by route');
    assert.equal(await ask(lan.path, web.ip, 80), '', 'published, but by route');
    assert.ok(!(await pings(lan.path, web.ip)));
    const outgoing = whoServer(lan.path, 9000);
    assert.equal(await ask(web.path, lan.address, 9000), lan.host, 'masqueraded on the way out');
    for (const each of [server, hidden, outgoing]) each.close();
  });

  test('a port on one address is not on others', async () => {
    const web = await container('bridge', 'local');
    const server = whoServer(web.path, 80);
    const ports = await fixture.networking.publish(web.id, {
      bindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] },
      containerName: 'local',
    });
    const port = Number(ports['80/tcp']![0]!.HostPort);
    assert.equal(ports['80/tcp']!.length, 1);
    assert.notEqual(await ask(undefined, '127.0.0.1', port), '');
    assert.equal(await ask(lan.path, lan.host, port), '');
    assert.equal(await ask(web.path, '10.255.255.1', 1), '');
    server.close();
  });

  test('UDP is published, and answers come from where they were asked', async () => {
    const server = await container('bridge', 'udp');
    const { fd } = runInNetworkNamespace(server.path, () => bindInNamespace('udp', '0.0.0.0', 53));
    const socket = createSocket('udp4');
    socket.on('message', (message, from) =>
      socket.send(`${message.toString()} ${from.address}`, from.port, from.address),
    );
    socket.bind({ fd });
    const ports = await fixture.networking.publish(server.id, { bindings: { '53/udp': [{}] }, containerName: 'udp' });
    const port = Number(ports['53/udp']![0]!.HostPort);
    const reply = (address: string, family: 'udp4' | 'udp6'): Promise<string> =>
      new Promise((resolve) => {
        const client = createSocket(family);
        const done = (text: string): void => {
          clearTimeout(timer);
          client.close();
          resolve(text);
        };
        const timer = setTimeout(() => done(''), 2000);
        client.on('message', (message) => done(message.toString()));
        client.connect(port, address, () => client.send('hello'));
      });
    assert.match(await reply('127.0.0.1', 'udp4'), /^hello /);
    assert.match(await reply('::1', 'udp6'), /^hello /, 'through the relay');
    // A client that keeps its port follows the published port to the next container.
    const flow = createSocket('udp4');
    const next = (): Promise<string> =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(''), 1000);
        flow.once('message', (message) => {
          clearTimeout(timer);
          resolve(message.toString());
        });
        flow.send('again', port, fixture.networking.hostGateway());
      });
    assert.match(await next(), /^again /);
    socket.close();
    await fixture.networking.closeSandbox(server.id);
    const heir = await container('bridge', 'heir');
    const inherited = runInNetworkNamespace(heir.path, () => bindInNamespace('udp', '0.0.0.0', 53));
    const second = createSocket('udp4');
    second.on('message', (_, from) => second.send('heir', from.port, from.address));
    second.bind({ fd: inherited.fd });
    await fixture.networking.publish(heir.id, {
      bindings: { '53/udp': [{ HostPort: String(port) }] },
      containerName: 'heir',
    });
    assert.equal(await next(), 'heir');
    flow.close();
    second.close();
  });

  test('an internal network leads nowhere but to itself', async () => {
    await fixture.networking.create({ Name: 'inside', Internal: true });
    const a = await container('inside', 'a');
    const b = await container('inside', 'b');
    const out = await container('bridge', 'out');
    assert.ok(await pings(a.path, b.ip));
    assert.ok(!(await pings(a.path, out.ip)));
    assert.ok(!(await pings(a.path, lan.address)));
    assert.equal((await within(a.path, 'ip', 'route', 'show', 'default')).stdout, '');
  });

  test('without icc containers of a network do not see each other', async () => {
    await fixture.networking.create({ Name: 'apart', Options: { 'com.docker.network.bridge.enable_icc': 'false' } });
    const a = await container('apart', 'a');
    const b = await container('apart', 'b');
    assert.ok(!(await pings(a.path, b.ip)));
    assert.ok(await pings(a.path, fixture.networking.hostGateway('apart')));
  });

  test('IPv6: addresses, neighbours, published ports with the client address', async () => {
    const { Id } = await fixture.networking.create({ Name: 'six', EnableIPv6: true });
    const shown = await fixture.networking.inspect(Id);
    assert.match(shown.IPAM.Config[1]!.Subnet!, /^fd/);
    const a = await container('six', 'a');
    const b = await container('six', 'b');
    assert.notEqual(a.ip6, '');
    const server = whoServer(b.path, 80, '::');
    assert.equal(await ask(a.path, b.ip6, 80), a.ip6);
    const ports = await fixture.networking.publish(b.id, { bindings: { '80/tcp': [{}] }, containerName: 'b' });
    const port = Number(ports['80/tcp']![1]!.HostPort);
    assert.equal(ports['80/tcp']![1]!.HostIp, '::');
    assert.notEqual(await ask(undefined, '::1', port), '');
    assert.equal(await ask(a.path, shown.IPAM.Config[1]!.Gateway!, port), shown.IPAM.Config[1]!.Gateway!);
    server.close();
  });

  for (const driver of ['macvlan', 'ipvlan']) {
    test(`${driver}: a container beside the host on its parent link`, async (context) => {
      const subnet = `${lan.host.slice(0, lan.host.lastIndexOf('.'))}.0/24`;
      const body = {
        Driver: driver,
        Options: { parent: lan.link },
        IPAM: { Config: [{ Subnet: subnet, Gateway: lan.address }] },
      };
      await fixture.networking.create({ Name: driver, ...body });
      let beside;
      try {
        beside = await container(driver, `on-${driver}`, {
          IPAMConfig: { IPv4Address: subnet.replace('.0/24', '.77') },
        });
      } catch (error) {
        await fixture.networking.remove(driver);
        if (faultKind(error) !== 'not-implemented') throw error;
        context.skip(messageOf(error));
        return;
      }
      assert.ok(beside.ip.endsWith('.77'));
      assert.ok(await pings(beside.path, lan.address));
      await fixture.networking.closeSandbox(beside.id);
      await fixture.networking.remove(driver);
    });
  }

  test('connecting and disconnecting live moves the default route and the published ports', async () => {
    await fixture.networking.create({ Name: 'aaa' });
    const web = await container('bridge', 'roaming');
    const server = whoServer(web.path, 80);
    const ports = await fixture.networking.publish(web.id, { bindings: { '80/tcp': [{}] }, containerName: 'roaming' });
    const port = Number(ports['80/tcp']![0]!.HostPort);
    const settings = await fixture.networking.connect(
      web.id,
      'roaming',
      endpoint('aaa', { config: { GwPriority: 5 } }),
    );
    const via = (await within(web.path, 'ip', 'route', 'show', 'default')).stdout;
    assert.ok(via.includes(settings.Gateway) && via.includes('eth1'), via);
    assert.notEqual(await ask(undefined, '127.0.0.1', port), '');
    await fixture.networking.disconnect(web.id, fixture.networking.lookup('bridge').id);
    assert.equal(await ask(lan.path, lan.host, port), lan.address);
    await fixture.networking.disconnect(web.id, settings.NetworkID);
    assert.equal((await within(web.path, 'ip', '-o', 'link')).stdout.includes('eth'), false);
    server.close();
  });

  test('names: neighbours, links, reverse, unknown ones forwarded, malformed packets survived', async () => {
    await fixture.networking.create({ Name: 'names' });
    const upstream = createSocket('udp4');
    upstream.on('message', (message, from) => {
      const query = decode(message);
      const answers = [{ type: 'A' as const, name: query.questions![0]!.name, ttl: 5, data: '192.0.2.77' }];
      upstream.send(
        encode({ type: 'response', id: query.id!, questions: query.questions!, answers }),
        from.port,
        from.address,
      );
    });
    await new Promise<void>((resolve) => {
      upstream.bind(0, '127.0.0.1', resolve);
    });
    const web = await container('names', 'web');
    const client = await container('names', 'client');
    await fixture.networking.serveNames(client.id, {
      dns: [`127.0.0.1#${upstream.address().port}`],
      search: [],
      options: [],
    });
    const resolvConf = join(tmpdir(), `wherry-resolv-${mark}`);
    writeFileSync(
      resolvConf,
      await fixture.networking.resolvConf({ embedded: true, dns: [], search: [], options: [] }),
    );
    const getent = async (...words: string[]): Promise<string> =>
      (
        await within(
          client.path,
          'unshare',
          '-m',
          'sh',
          '-c',
          'mount --bind "$0" /etc/resolv.conf && exec getent "$@"',
          resolvConf,
          ...words,
        )
      ).stdout.trim();
    assert.equal((await getent('ahostsv4', 'web')).split(/\s+/)[0], web.ip);
    assert.equal((await getent('ahostsv4', 'WEB.names')).split(/\s+/)[0], web.ip);
    assert.equal((await getent('ahostsv4', web.id.slice(0, 12))).split(/\s+/)[0], web.ip);
    assert.match(await getent('hosts', web.ip), /web\.names/);
    assert.equal(await getent('ahostsv6', 'web'), '');
    assert.equal((await getent('ahostsv4', 'example.org')).split(/\s+/)[0], '192.0.2.77');
    assert.equal(
      (await getent('ahostsv4', 'host.docker.internal')).split(/\s+/)[0],
      fixture.networking.hostGateway('names'),
    );
    for (const bytes of [
      '\\x00',
      '\\x12\\x34\\x01\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x01',
      'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    ]) {
      await within(client.path, 'sh', '-c', `printf '${bytes}' | busybox nc -u -w 1 127.0.0.11 53`);
    }
    assert.equal((await getent('ahostsv4', 'web')).split(/\s+/)[0], web.ip);
    // The container may serve port 53 itself.
    const own = runInNetworkNamespace(client.path, () => [
      bindInNamespace('udp', '0.0.0.0', 53),
      bindInNamespace('tcp', '0.0.0.0', 53),
    ]);
    for (const { fd } of own) closeSync(fd);
    await fixture.networking.closeSandbox(web.id);
    upstream.close();
  });
});
