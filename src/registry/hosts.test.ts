import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hosts } from './hosts.ts';

const urls = async (hosts: Hosts, domain: string, pull = true): Promise<string[]> =>
  [...(pull ? await hosts.mirrors(domain) : []), ...(await hosts.bases(domain))].map(
    ({ url, verify }) => `${url}${verify ? '' : ' (unverified)'}`,
  );

test('TLS only, except for loopback and what the operator names', async () => {
  const hosts = new Hosts({
    insecureRegistries: ['192.0.2.0/24', 'reg.invalid:5000', '2001:db8::/32'],
    mirrors: [],
    mirrorHeaders: {},
  });
  assert.deepEqual(await urls(hosts, '198.51.100.1:5000'), ['https://198.51.100.1:5000']);
  for (const domain of [
    '127.0.0.1:5000',
    'localhost:5000',
    '192.0.2.9',
    'reg.invalid:5000',
    '[2001:db8::1]:80',
    '[::1]',
  ]) {
    assert.deepEqual(
      await urls(hosts, domain),
      [`https://${domain} (unverified)`, `http://${domain}`].map((url) =>
        url.replace(/^(http:.*)$/, '$1 (unverified)'),
      ),
      domain,
    );
  }
  assert.deepEqual(await urls(hosts, 'reg.invalid:6000'), ['https://reg.invalid:6000']);
});

test('mirrors serve pulls from the default registry only', async () => {
  const hosts = new Hosts({
    insecureRegistries: [],
    mirrors: ['http://127.0.0.1:5001/', 'https://203.0.113.1'],
    mirrorHeaders: { via: '1.1 us' },
  });
  const all = await urls(hosts, 'docker.io');
  assert.deepEqual(all.slice(0, 2), ['http://127.0.0.1:5001 (unverified)', 'https://203.0.113.1']);
  assert.equal(all.length, 3);
  assert.equal((await urls(hosts, 'docker.io', false)).length, 1);
  assert.deepEqual(await urls(hosts, '198.51.100.1'), ['https://198.51.100.1']);
});
