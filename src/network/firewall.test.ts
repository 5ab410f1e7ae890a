/** The firewall in a namespace of its own, beside firewalls of others. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import {
  createNetworkNamespace,
  type Nft,
  openNft,
  removeNetworkNamespace,
  runInNetworkNamespace,
} from '../linux/index.ts';
import { silentLogger } from '../std/index.ts';
import { Firewall } from './firewall.ts';
import { skipUnlessRoot } from './fixture.ts';
import type { BridgeRules, PortRule } from './ruleset.ts';

const bridge: BridgeRules = {
  link: 'wt0',
  internal: false,
  icc: true,
  open: false,
  subnets: [
    { family: 4, cidr: '10.9.0.0/26', masquerade: true },
    { family: 6, cidr: 'fd09::/64', masquerade: true },
  ],
};
const port: PortRule = { protocol: 'tcp', hostAddress: '', hostPort: 8080, family: 4, address: '10.9.0.2', port: 80 };

describe('firewall', { skip: skipUnlessRoot }, () => {
  let path: string;
  let nft: Nft;
  let firewall: Firewall;
  const open = (respectHostFirewall = false): Firewall =>
    runInNetworkNamespace(
      path,
      () =>
        new Firewall({
          table: 'wt',
          linkPrefix: 'wt0',
          respectHostFirewall,
          directRouting: false,
          logger: silentLogger,
        }),
    );
  beforeEach(() => {
    path = join(tmpdir(), `wherry-firewall-${randomBytes(4).toString('hex')}`);
    nft = createNetworkNamespace(path, () => openNft());
    firewall = open();
  });
  afterEach(() => {
    firewall.close({ remove: true });
    nft.close();
    removeNetworkNamespace(path);
  });

  test('bridges and ports come and go as elements', () => {
    firewall.addBridge(bridge);
    firewall.addBridge({
      ...bridge,
      link: 'wt0-2',
      internal: true,
      icc: false,
      subnets: [{ family: 4, cidr: '10.9.1.0/26', masquerade: true }],
    });
    firewall.addPorts([
      port,
      { ...port, hostAddress: '127.0.0.1', hostPort: 81 },
      { ...port, protocol: 'udp', family: 6, address: 'fd09::2' },
      { ...port, protocol: 'sctp' },
    ]);
    const text = nft.run('list table inet wt');
    for (const part of [
      'tcp . 8080 : 10.9.0.2 . 80',
      '127.0.0.1 . tcp . 81',
      'udp . 8080 : fd09::2 . 80',
      'sctp . 8080',
      '"wt0-2"',
    ]) {
      assert.ok(text.includes(part), part);
    }
    firewall.removePorts([port]);
    firewall.removeBridge('wt0-2');
    const less = nft.run('list table inet wt');
    assert.ok(!less.includes('tcp . 8080 : 10.9.0.2'));
    assert.ok(!less.includes('wt0-2'));
    firewall.close({ remove: true });
    assert.equal(nft.run('list tables').trim(), '');
  });

  test('what somebody flushed is restored by the next look', () => {
    firewall.addBridge(bridge);
    firewall.addPorts([port]);
    nft.run('flush ruleset');
    firewall.check();
    assert.ok(nft.run('list map inet wt port4').includes('8080'));
    nft.run('flush set inet wt bridges');
    firewall.check();
    assert.ok(nft.run('list set inet wt bridges').includes('"wt0"'));
  });

  test('a forward chain that drops gets our accepts, once, and is left clean', () => {
    nft.run(
      'add table ip filter\nadd chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }\nadd rule ip filter FORWARD counter',
    );
    firewall.addBridge(bridge);
    const accepts = (): string[] =>
      nft
        .run('list chain ip filter FORWARD')
        .split('\n')
        .filter((line) => line.includes('comment "wt"'));
    assert.equal(accepts().length, 2);
    assert.ok(accepts()[0]!.includes('"wt0*"'));
    nft.run('add table ip other');
    firewall.check();
    assert.equal(accepts().length, 2);
    nft.run('flush chain ip filter FORWARD');
    firewall.check();
    assert.equal(accepts().length, 2);
    nft.run('add chain ip filter DOCKER-USER');
    firewall.addBridge({ ...bridge, link: 'own-name', subnets: [] });
    assert.equal(nft.run('list chain ip filter DOCKER-USER').split('comment "wt"').length - 1, 4);
    firewall.close({ remove: true });
    assert.ok(!nft.run('list ruleset').includes('comment "wt"'));
  });

  test('a host firewall decides about outside clients where that is wanted', () => {
    firewall.close({ remove: true });
    firewall = open(true);
    firewall.addBridge(bridge);
    const through = (): boolean => nft.run('list chain inet wt prerouting').includes('iifname != @bridges accept');
    assert.equal(through(), false, 'no host firewall');
    nft.run('add table inet host\nadd chain inet host input { type filter hook input priority 0; policy drop; }');
    firewall.check();
    assert.equal(through(), true);
    nft.run('delete table inet host');
    firewall.check();
    assert.equal(through(), false);
  });
});
