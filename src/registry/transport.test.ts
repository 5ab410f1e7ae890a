/** Connections: private authorities, client certificates, proxies, and answers that are too much. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parseReference, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { TestAuthority } from '../../test/support/certificates.ts';
import { proxyDouble } from '../../test/support/proxy-double.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { readCertificates } from './certificates.ts';
import { open, type Opened, signal } from './fixture.ts';

using authority = new TestAuthority();
const server = authority.issue('DNS:registry.test,DNS:store.test,IP:127.0.0.1');
const root = mkdtempSync(join(tmpdir(), 'wherry-certs-'));
after(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** A folder like /etc/docker/certs.d with these files. */
function certificates(files: Record<string, string>): string {
  const folder = join(root, String(folders++));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

const bytes = Buffer.from('blob');
const name = 'registry.test:5443';

/** A TLS registry that answers to `registry.test:5443`, which only a proxy can reach. */
async function start(options: { clientAuthority?: string } = {}) {
  const double = await RegistryDouble.open({ tls: { ...server, ...options } });
  double.store.addManifest('a', '1', { schemaVersion: 2 });
  double.store.addBlob('a', bytes);
  const store = await RegistryDouble.open({ tls: { ...server, ...options } });
  store.store.addBlob('a', bytes);
  const proxy = await proxyDouble({ [name]: double.host, 'store.test:443': store.host });
  const proxies = { httpProxy: proxy.host, httpsProxy: proxy.host, noProxy: '' };
  return {
    double,
    store,
    proxy,
    proxies,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

const resolve = (client: Opened): Promise<unknown> =>
  client.registry.resolve(parseReference(`${name}/a:1`), undefined, signal);

test('a private authority is trusted where it is laid down, and only for that registry', async () => {
  await using all = await start();
  await using stranger = open({ proxies: all.proxies });
  await assert.rejects(resolve(stranger), {
    kind: 'internal',
    message: `Get "https://${name}/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
  });
  assert.deepEqual(stranger.clock.slept, [], 'a certificate does not get better by waiting');
  const folder = certificates({ [`${name}/ca.crt`]: authority.own });
  await using client = open({ proxies: all.proxies, certificateFolders: [join(root, 'none'), folder] });
  await resolve(client);
  assert.deepEqual(new Set(all.proxy.seen), new Set([`CONNECT ${name}`]));
  await using other = open({
    proxies: all.proxies,
    certificateFolders: [certificates({ 'other.test:5443/ca.crt': authority.own })],
  });
  await assert.rejects(resolve(other), /unknown authority/);
});

test('an authority laid down later counts without a restart', async () => {
  await using all = await start();
  const folder = certificates({});
  await using client = open({ proxies: all.proxies, certificateFolders: [folder] });
  await assert.rejects(resolve(client), /unknown authority/);
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'ours.crt'), authority.own);
  await resolve(client);
});

test('an insecure registry need prove nothing', async () => {
  await using all = await start();
  await using client = open({ proxies: all.proxies, insecureRegistries: [name] });
  await resolve(client);
});

test('client certificates: shown to their registry, not to where it sends us', async () => {
  using ours = new TestAuthority('Clients');
  const mine = ours.issue();
  await using all = await start({ clientAuthority: ours.own });
  const authorities = { [`${name}/ca.crt`]: authority.own };
  await using nameless = open({ proxies: all.proxies, certificateFolders: [certificates(authorities)] });
  await assert.rejects(resolve(nameless), /: (remote error: tls: certificate required|EOF)$/);
  const folder = certificates({
    ...authorities,
    [`${name}/client.cert`]: mine.certificate,
    [`${name}/client.key`]: mine.key,
  });
  await using client = open({ proxies: all.proxies, certificateFolders: [folder] });
  await resolve(client);
  all.double.rule({ match: /blobs/, redirect: `https://store.test/v2/a/blobs/${sha256(bytes)}` });
  const fetch = (): Promise<Buffer> =>
    collectBytes(
      client.registry.blob(parseReference(`${name}/a`), { digest: sha256(bytes), size: bytes.length }, {}, signal),
      100,
    );
  // The store demands a certificate, too, and gets none; that its own is signed by the registry's authority is fine.
  await assert.rejects(fetch(), /: (remote error: tls: certificate required|EOF)$/);
  assert.ok(all.proxy.seen.includes('CONNECT store.test:443'));
  assert.equal(all.store.seen.length, 0);
  mkdirSync(join(folder, 'store.test'), { recursive: true });
  writeFileSync(join(folder, 'store.test/client.cert'), mine.certificate);
  writeFileSync(join(folder, 'store.test/client.key'), mine.key);
  assert.ok((await fetch()).equals(bytes));
});

test("certs.d in dockerd's words", async () => {
  const { certificate, key } = server;
  const read = (files: Record<string, string>) =>
    readCertificates(
      [certificates(Object.fromEntries(Object.entries(files).map(([file, text]) => [`r:5000/${file}`, text])))],
      'r:5000',
    );
  assert.deepEqual(await read({ 'b.crt': 'b', 'a.crt': 'a', 'x.cert': certificate, 'x.key': key, README: '' }), {
    authorities: ['a', 'b'],
    own: [{ certificate, key }],
  });
  await assert.rejects(read({ 'x.cert': certificate }), {
    kind: 'invalid',
    message: 'missing key x.key for client certificate x.cert. CA certificates must use the extension .crt',
  });
  await assert.rejects(read({ 'x.key': key }), { message: 'missing client certificate x.cert for key x.key' });
  assert.deepEqual(await readCertificates(['/no/such'], 'r'), { authorities: [], own: [] });
  assert.deepEqual(await readCertificates([root], '..'), { authorities: [], own: [] });
  await using client = open({
    proxies: { httpProxy: '', httpsProxy: '127.0.0.1:1', noProxy: '' },
    certificateFolders: [certificates({ [`${name}/x.cert`]: 'no certificate', [`${name}/x.key`]: 'no key' })],
  });
  await assert.rejects(resolve(client), /^Fault: Cannot use the certificates for registry\.test:5443: /);
});

test('the folder named first wins where both have client certificates', async () => {
  const both = [1, 2].map((each) => certificates({ 'r/c.cert': `cert ${each}`, 'r/c.key': `key ${each}` }));
  assert.deepEqual((await readCertificates(both, 'r')).own, [
    { certificate: 'cert 1', key: 'key 1' },
    { certificate: 'cert 2', key: 'key 2' },
  ]);
});

test('a certificate for another name, and plain HTTP where TLS is spoken', async () => {
  await using all = await start();
  using other = new TestAuthority();
  const wrong = other.issue('DNS:wrong.test');
  await using double = await RegistryDouble.open({ tls: wrong });
  await using plain = await RegistryDouble.open();
  await using proxy = await proxyDouble({ [name]: double.host, 'plain.test:443': plain.host });
  const certificateFolders = [certificates({ [`${name}/ca.crt`]: other.own })];
  await using client = open({ proxies: { ...all.proxies, httpsProxy: proxy.host }, certificateFolders });
  await assert.rejects(resolve(client), /x509: certificate is valid for wrong\.test, not registry\.test$/);
  await assert.rejects(
    client.registry.resolve(parseReference('plain.test/a:1'), undefined, signal),
    /^TransportFault: Get "https:\/\/plain\.test\/v2\/": http: server gave HTTP response to HTTPS client$/,
  );
});

test('a proxy that wants to know who we are, and one that is not there', async () => {
  await using double = await RegistryDouble.open();
  double.store.addManifest('a', '1', { schemaVersion: 2 });
  await using proxy = await proxyDouble({ 'plain.test:80': double.host }, 'me:p@ss');
  const reference = parseReference('plain.test/a:1');
  const insecureRegistries = ['plain.test'];
  const through = async (httpProxy: string): Promise<unknown> => {
    const proxies = { httpProxy, httpsProxy: '', noProxy: '' };
    await using client = open({ proxies, insecureRegistries });
    return await client.registry.resolve(reference, undefined, signal);
  };
  await through(`http://me:p%40ss@${proxy.host}`);
  assert.ok(proxy.seen.includes('GET http://plain.test/v2/a/manifests/1'), 'plain HTTP is asked of the proxy itself');
  assert.ok(double.seen.every(({ headers }) => headers['proxy-authorization'] === undefined));
  await assert.rejects(through(`http://me:no@${proxy.host}`), (error: Error) => {
    assert.match(error.message, /Proxy Authentication Required/);
    assert.ok(!error.message.includes('me:no'));
    return true;
  });
  await assert.rejects(
    through('127.0.0.1:9'),
    /: proxyconnect tcp: dial tcp 127\.0\.0\.1:9: connect: connection refused$/,
  );
  await using tunnel = open({ proxies: { httpProxy: '', httpsProxy: `me:no@${proxy.host}`, noProxy: '' } });
  await assert.rejects(resolve(tunnel), /Get "https:\/\/registry\.test:5443\/v2\/": Proxy Authentication Required$/);
});

test('answers that are too much are refused, quickly', async () => {
  await using double = await RegistryDouble.open();
  await using client = open();
  const reference = parseReference(`${double.host}/a:1`);
  const ask = (): Promise<unknown> => client.registry.resolve(reference, undefined, signal);
  const headers = { 'x-long': 'x'.repeat(100_000) };
  {
    using _ = double.rule({ match: /manifests/, answer: { headers } });
    await assert.rejects(ask(), /net\/http: server response headers exceeded the limit; aborted$/);
  }
  // Whoever announces it is not read; whoever does not is read to the limit only.
  const index = Buffer.alloc(64 << 20, ' ');
  for (const chunked of [false, true]) {
    using _ = double.rule({ match: /manifests/, chunked, answer: { body: index } });
    await assert.rejects(ask(), { kind: 'invalid', message: 'Cannot pull: the manifest has more than 4194304 bytes' });
  }
  {
    using _ = double.rule({ match: /manifests/, answer: { status: 403, body: Buffer.alloc(8 << 20, '[') } });
    await assert.rejects(ask(), { kind: 'forbidden' });
  }
  const message = `\x1b[2J${'x'.repeat(5000)}`;
  const errors = Array.from({ length: 1000 }, () => ({ code: 'DENIED\x07', message }));
  using _ = double.rule({
    match: /manifests/,
    answer: { status: 403, body: Buffer.from(JSON.stringify({ errors: errors.slice(0, 9) })) },
  });
  await assert.rejects(ask(), (error: Error) => {
    assert.ok(error.message.length < 10_000);
    assert.ok(!/[\x00-\x09\x0b-\x1f]/.test(error.message), 'nothing of it moves the cursor');
    return true;
  });
});
