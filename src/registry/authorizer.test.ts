/** Tokens and passwords at registries that ask for them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReference } from '../oci/index.ts';
import { type DoubleOptions, RegistryDouble } from '../../test/support/registry-double.ts';
import { open, signal } from './fixture.ts';

const users = { me: 'p:w' };
const credentials = { username: 'me', password: 'p:w' };

async function start(access: DoubleOptions['access']): Promise<RegistryDouble> {
  const double = await RegistryDouble.open({ access: access! });
  for (const name of ['a', 'b/c']) double.store.addManifest(name, '1', { schemaVersion: 2 });
  return double;
}

test('a token is asked for once a scope, by however many at once, and again when it ends', async () => {
  await using double = await start({ kind: 'token', users, seconds: 300 });
  await using client = open();
  const get = (name: string): Promise<unknown> =>
    client.registry.resolve(parseReference(`${double.host}/${name}:1`), credentials, signal);
  await Promise.all([get('a'), get('a'), get('a'), get('b/c')]);
  const asked = double.requests(/\/token/).map(({ path }) => new URL(path, double.url).searchParams);
  assert.deepEqual(
    new Set(asked.map((query) => query.get('scope'))),
    new Set(['repository:a:pull', 'repository:b/c:pull']),
  );
  assert.equal(asked.length, 2);
  assert.equal(asked[0]!.get('service'), 'double');
  assert.equal(asked[0]!.get('account'), 'me');
  assert.equal(asked[0]!.get('offline_token'), null, 'only a login wants an identity token');
  assert.equal(double.requests(/^GET \/v2\/$/).length, 1, 'one question who is there');
  client.clock.pass(280_000);
  await get('a');
  assert.equal(double.access!.issued, 2);
  client.clock.pass(11_000);
  await get('a');
  assert.equal(double.access!.issued, 3, 'ten seconds before its end');
  double.access!.expireTokens();
  await Promise.all([get('a'), get('a')]);
  assert.equal(double.access!.issued, 4, 'two refusals of one token, one new token');
});

test('other credentials, other tokens', async () => {
  await using double = await start({ kind: 'token', users, private: /^a$/ });
  await using client = open();
  const reference = parseReference(`${double.host}/a:1`);
  await client.registry.resolve(reference, credentials, signal);
  await assert.rejects(client.registry.resolve(reference, undefined, signal), {
    kind: 'forbidden',
    message: 'denied: requested access to the resource is denied',
  });
  await assert.rejects(client.registry.resolve(reference, { username: 'me', password: 'x' }, signal), {
    kind: 'unauthorized',
    message: 'unauthorized: incorrect username or password',
  });
});

test('login gives an identity token, which is good for tokens later', async () => {
  await using double = await start({ kind: 'token', users, private: /^a$/ });
  await using client = open();
  const { Status, IdentityToken } = await client.registry.login({ ...credentials, serveraddress: double.host }, signal);
  assert.equal(Status, 'Login Succeeded');
  assert.match(IdentityToken, /^[0-9a-f-]{36}$/);
  const reference = parseReference(`${double.host}/a:1`);
  await client.registry.resolve(reference, { identitytoken: IdentityToken }, signal);
  assert.equal(double.requests(/^POST \/token/).length, 1);
  await assert.rejects(client.registry.resolve(reference, { identitytoken: 'forged' }, signal), {
    kind: 'unauthorized',
  });
  await assert.rejects(client.registry.login({ username: 'me', password: 'no', serveraddress: double.host }, signal), {
    kind: 'unauthorized',
    message: /^Get "http:\/\/.*\/v2\/": unauthorized: incorrect username or password$/,
  });
});

test('a token service that speaks only OAuth2', async () => {
  await using double = await start({ kind: 'token', users, forms: ['POST'], private: /^a$/ });
  await using client = open();
  await client.registry.resolve(parseReference(`${double.host}/a:1`), credentials, signal);
  const login = await client.registry.login({ ...credentials, serveraddress: double.host }, signal);
  assert.notEqual(login.IdentityToken, '');
});

test('basic: with what is known, never without being asked', async () => {
  await using double = await start({ kind: 'basic', users });
  await using client = open();
  const reference = parseReference(`${double.host}/a:1`);
  await client.registry.resolve(reference, { auth: Buffer.from('me:p:w').toString('base64') }, signal);
  assert.equal(double.seen[0]!.headers['authorization'], undefined);
  await assert.rejects(client.registry.resolve(reference, undefined, signal), {
    kind: 'unauthorized',
    message: /^Get "http:.*\/v2\/a\/manifests\/1": no basic auth credentials$/,
  });
  await assert.rejects(client.registry.resolve(reference, { username: 'me', password: 'no' }, signal), {
    kind: 'unauthorized',
    message: 'unauthorized: authentication required',
  });
});

test('a registry that lets everybody read, and asks only who writes', async () => {
  await using double = await start({ kind: 'basic', users });
  double.rule({ match: /^GET \/v2\/$/, answer: {} });
  await using client = open();
  const reference = parseReference(`${double.host}/a:1`);
  await client.registry.putManifest(reference, Buffer.from('{}'), 'application/json', credentials, signal);
  assert.equal(double.requests(/^PUT/).length, 2);
});

test('answers of a token service that are none', async () => {
  const cases: [object | string, RegExp][] = [
    [{}, /did not include a token/],
    [{ token: 7 }, /did not include a token/],
    [{ token: 'x'.repeat(70_000) }, /no header can hold/],
    [{ token: 'a\r\nb' }, /no header can hold/],
    ['[', /it is not JSON/],
    [{ padding: 'x'.repeat(300_000) }, /more than \d+ bytes/],
  ];
  for (const [body, message] of cases) {
    await using double = await start({ kind: 'token', users });
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    double.rule({ match: /\/token/, answer: { body: Buffer.from(text) } });
    await using client = open();
    await assert.rejects(client.registry.resolve(parseReference(`${double.host}/a:1`), undefined, signal), message);
  }
  await using double = await start({ kind: 'token', users });
  double.rule({
    match: /^GET \/v2\/$/,
    answer: { status: 401, headers: { 'www-authenticate': 'Bearer realm="file:///etc"' } },
  });
  await using client = open();
  await assert.rejects(client.registry.resolve(parseReference(`${double.host}/a:1`), undefined, signal), /is no URL/);
});

test('a token service that has a bad moment', async () => {
  await using double = await start({ kind: 'token', users });
  double.rule({ match: /\/token/, times: 1, answer: { status: 503 } });
  double.rule({ match: /\/token/, times: 1, hangUp: true });
  await using client = open();
  await client.registry.resolve(parseReference(`${double.host}/a:1`), credentials, signal);
  assert.equal(double.requests(/\/token/).length, 3);
});
