import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notices } from './notices.ts';
import { type MirrorWords, resolveMirror } from './settings.ts';

const none: MirrorWords = {
  address: undefined,
  certificate: undefined,
  key: undefined,
  upstreams: [],
  clients: [],
  credentials: undefined,
  size: undefined,
  age: undefined,
};
const resolve = (words: Partial<MirrorWords>) => resolveMirror({ ...none, address: '5000', ...words })!;
const refused = (words: Partial<MirrorWords>, message: RegExp): void =>
  assert.throws(() => resolve(words), { kind: 'invalid', message });

test('no address, no cache; else of loopback, for the default registry, with bounds', () => {
  assert.equal(resolveMirror({ ...none, upstreams: ['quay.io'] }), undefined);
  const { clients, ...rest } = resolve({});
  assert.deepEqual(rest, {
    host: '127.0.0.1',
    port: 5000,
    tls: undefined,
    upstreams: ['docker.io'],
    credentials: undefined,
    maxBytes: 10 * 1024 ** 3,
    maxAgeMs: 30 * 24 * 3600 * 1000,
  });
  assert.ok(clients.includes('192.168.0.0/16') && !clients.includes('0.0.0.0/0'));
});

test('addresses', () => {
  const at = (address: string): string => {
    const { host, port } = resolve({ address });
    return `${host} ${port}`;
  };
  assert.equal(at('192.168.1.10:5000'), '192.168.1.10 5000');
  assert.equal(at('[fd00::1]:5000'), 'fd00::1 5000');
  assert.equal(at('localhost:5000'), '127.0.0.1 5000');
  assert.equal(at('0.0.0.0:5000'), '0.0.0.0 5000');
  for (const address of [':5000', 'host:5000', '::1:5000', '65536', '0.0.0.0', '', 'http://1.2.3.4:5'])
    refused({ address }, /^invalid pull-through-cache: ".*"; wanted a port \(of 127\.0\.0\.1\) or an address/);
});

test('registries, clients and bounds', () => {
  assert.deepEqual(
    resolve({ upstreams: ['index.docker.io', 'Quay.io', 'https://ghcr.io/', '10.0.0.1:5000'] }).upstreams,
    ['docker.io', 'quay.io', 'ghcr.io', '10.0.0.1:5000'],
  );
  for (const upstream of ['library', 'quay.io/team', '*', '', 'a b.c'])
    refused(
      { upstreams: [upstream] },
      /^invalid pull-through-cache-upstream: ".*"; wanted a registry such as quay\.io$/,
    );
  assert.deepEqual(resolve({ clients: ['10.0.0.0/8', '192.168.1.7', 'fd00::1'] }).clients, [
    '10.0.0.0/8',
    '192.168.1.7/32',
    'fd00::1/128',
  ]);
  for (const client of ['10.0.0.0/33', 'host', '10.0.0.0/8/8', ''])
    refused({ clients: [client] }, /^invalid pull-through-cache-client/);
  assert.equal(resolve({ size: '500MB' }).maxBytes, 500 * 1024 ** 2);
  for (const size of ['0', 'much', '-1']) refused({ size }, /^invalid pull-through-cache-size/);
  assert.equal(resolve({ age: '48h' }).maxAgeMs, 48 * 3600 * 1000);
  assert.equal(resolve({ age: '0' }).maxAgeMs, Infinity);
  for (const age of ['2d', '-1h']) refused({ age }, /^invalid pull-through-cache-age/);
});

test('a certificate and its key belong together', () => {
  assert.deepEqual(resolve({ certificate: '/a', key: '/b' }).tls, { certificate: '/a', key: '/b' });
  for (const words of [{ certificate: '/a' }, { key: '/b' }]) refused(words, /only of use together$/);
});

test('what credentials open is offered to nobody by default', () => {
  const credentials = '/etc/wherry/upstream.json';
  assert.equal(resolve({ credentials }).credentials, credentials, 'this machine alone');
  refused(
    { credentials, address: '0.0.0.0:5000' },
    /^Cannot offer on 0\.0\.0\.0:5000 what pull-through-cache-credentials open: .* Name who may with pull-through-cache-client/,
  );
  assert.equal(resolve({ credentials, address: '0.0.0.0:5000', clients: ['10.0.0.7'] }).credentials, credentials);
});

test('what a person should know', () => {
  assert.deepEqual(notices(resolve({}), 'http://127.0.0.1:5000'), [
    'Note: the pull-through cache listens on http://127.0.0.1:5000 and serves docker.io',
  ]);
  const open = resolve({ address: '10.0.0.1:5000', clients: ['10.0.0.0/8'], credentials: '/c' });
  assert.match(
    notices(open, 'http://10.0.0.1:5000').join('\n'),
    /^WARNING: .* 10\.0\.0\.0\/8\nWARNING: .*no certificate.*\nWARNING: .*credentials in \/c/,
  );
  const secure = resolve({ address: '10.0.0.1:5000', clients: ['10.0.0.0/8'], certificate: '/a', key: '/b' });
  assert.equal(notices(secure, 'https://10.0.0.1:5000').length, 1);
  assert.match(
    notices(resolve({ address: '10.0.0.1:5000' }), 'http://10.0.0.1:5000')[0]!,
    /serves docker\.io to whoever connects from this machine and private networks$/,
  );
  assert.match(notices(secure, undefined)[0]!, /^WARNING: the pull-through cache cannot listen on 10\.0\.0\.1:5000/);
});
