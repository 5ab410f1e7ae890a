import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference } from '../oci/index.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { open, signal } from './fixture.ts';
import { nearness, Reach } from './reach.ts';

test('how near an address is', () => {
  const cases: [address: string, expected: string][] = [
    ['93.184.216.34', 'public'],
    ['2606:2800:220:1::1', 'public'],
    ['127.0.0.53', 'loopback'],
    ['0.0.0.0', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['10.1.2.3', 'private'],
    ['172.31.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['100.100.0.1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['fd00::1', 'private'],
    ['169.254.169.254', 'link'],
    ['fe80::1', 'link'],
  ];
  for (const [address, expected] of cases) assert.equal(nearness(address), expected, address);
});

test('a registry leads only away from us', () => {
  const table: [from: string, to: string, allowed: boolean][] = [
    ['93.184.216.34', '93.184.216.35', true],
    ['93.184.216.34', '10.0.0.1', false],
    ['93.184.216.34', '127.0.0.1', false],
    ['10.0.0.1', '192.168.0.1', true],
    ['10.0.0.1', '93.184.216.34', true],
    ['10.0.0.1', '127.0.0.1', false],
    ['10.0.0.1', '169.254.169.254', false],
    ['127.0.0.1', '10.0.0.1', true],
    ['127.0.0.1', '127.0.0.2', true],
    ['127.0.0.1', '169.254.169.254', false],
    ['169.254.1.1', '169.254.1.2', true],
  ];
  for (const [from, to, allowed] of table) {
    assert.equal(new Reach([from]).allows(to), allowed, `${from} to ${to}`);
    assert.equal(new Reach([from]).allowsName(to), allowed);
  }
  const far = new Reach(['93.184.216.34']);
  assert.ok(far.allowsName('cdn.example'), 'a name is looked at when it is resolved');
  for (const near of ['localhost', 'LOCALHOST.', 'a.localhost', '[::1]']) assert.ok(!far.allowsName(near), near);
});

test('a name is found only where it may lead', async () => {
  const find = (reach: Reach): Promise<string | undefined> =>
    new Promise((done) => {
      reach.lookup('localhost', { all: false, family: 4 }, (error, address) =>
        done(error === null && typeof address === 'string' ? address : undefined),
      );
    });
  assert.equal(await find(new Reach(['127.0.0.1'])), '127.0.0.1');
  assert.equal(await find(new Reach(['93.184.216.34'])), undefined);
});

test('a registry of loopback does not lead to the secrets of a cloud; unconfined it may', async () => {
  await using double = await RegistryDouble.open();
  double.rule({ match: /manifests/, redirect: 'http://169.254.169.254/latest/meta-data' });
  await using client = open({ confined: true, connectTimeoutMs: 500 });
  await assert.rejects(
    client.registry.resolve(parseReference(`${double.host}/a:1`), undefined, signal),
    /refused to follow a registry to 169\.254\.169\.254, an address of this machine or its network/,
  );
  await using elsewhere = await RegistryDouble.open();
  const stored = elsewhere.store.addManifest('a', '1', { schemaVersion: 2 });
  double.clear();
  double.rule({ match: /manifests/, redirect: (path) => `${elsewhere.url}${path}` });
  const found = await client.registry.resolve(parseReference(`${double.host}/a:1`), undefined, signal);
  assert.equal(found.descriptor.digest, stored.digest);
});
