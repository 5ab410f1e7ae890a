import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Proxies, proxiesOf } from './proxies.ts';

const settings = { httpProxy: 'http://plain:3128', httpsProxy: 'tunnel:3129', noProxy: '' };
const chosen = (url: string, noProxy = ''): string | undefined =>
  new Proxies({ ...settings, noProxy }).for(new URL(url))?.url;

test('by scheme, with http for a proxy that names none', () => {
  assert.equal(chosen('http://registry.example/v2/'), 'http://plain:3128');
  assert.equal(chosen('https://registry.example/v2/'), 'http://tunnel:3129');
  assert.equal(new Proxies({ ...settings, httpProxy: '' }).for(new URL('http://registry.example')), undefined);
});

test('this machine is never reached by a proxy', () => {
  for (const url of ['http://localhost:5000', 'https://127.0.0.1', 'http://127.8.8.8:5000', 'http://[::1]:5000'])
    assert.equal(chosen(url), undefined, url);
});

test('exceptions as Go reads them', () => {
  const cases: [noProxy: string, direct: string[], proxied: string[]][] = [
    ['*', ['http://any.example'], []],
    [
      'example.com',
      ['http://example.com', 'http://a.example.com', 'http://a.b.EXAMPLE.com'],
      ['http://badexample.com'],
    ],
    ['.example.com', ['http://a.example.com'], ['http://example.com', 'http://badexample.com']],
    ['*.example.com', ['http://a.example.com'], ['http://example.com']],
    ['example.com:5000', ['http://example.com:5000', 'http://a.example.com:5000'], ['http://example.com']],
    ['example.com:80', ['http://example.com'], ['https://example.com']],
    ['192.0.2.0/24, 2001:db8::/32', ['http://192.0.2.77:5000', 'http://[2001:db8::5]'], ['http://192.0.3.1']],
    ['192.0.2.1 198.51.100.1:5000', ['http://192.0.2.1', 'http://198.51.100.1:5000'], ['http://198.51.100.1']],
    ['[2001:db8::1]:5000,2001:db8::2', ['http://[2001:db8::1]:5000', 'http://[2001:db8::2]'], ['http://[2001:db8::1]']],
    ['2.1', [], ['http://192.0.2.1']],
  ];
  for (const [noProxy, direct, proxied] of cases) {
    for (const url of direct) assert.equal(chosen(url, noProxy), undefined, `${noProxy} ${url}`);
    for (const url of proxied) assert.equal(chosen(url, noProxy)?.startsWith('http://'), true, `${noProxy} ${url}`);
  }
});

test('credentials of a proxy become a header, and are not printed', () => {
  const proxies = new Proxies({ ...settings, httpsProxy: 'https://me:p%40ss@proxy.example:8443' });
  assert.deepEqual(proxies.for(new URL('https://registry.example')), {
    url: 'https://proxy.example:8443',
    authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
  });
  const broken = new Proxies({ ...settings, httpsProxy: 'socks5://me:secret@proxy:1080' });
  assert.throws(() => broken.for(new URL('https://registry.example')), {
    kind: 'invalid',
    message: 'invalid proxy address "socks5://xxxxx@proxy:1080": wanted http://host:port or https://host:port',
  });
});

test('the environment, upper case first', () => {
  assert.deepEqual(proxiesOf({ HTTP_PROXY: 'a', http_proxy: 'b', https_proxy: 'c', NO_PROXY: '', no_proxy: 'd' }), {
    httpProxy: 'a',
    httpsProxy: 'c',
    noProxy: 'd',
  });
  assert.deepEqual(proxiesOf({}), { httpProxy: '', httpsProxy: '', noProxy: '' });
});
