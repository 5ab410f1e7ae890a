/** Uploads of blobs that are still being made, to registries that are willing, and to ones that are not. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseReference, sha256 } from '../oci/index.ts';
import { type DoubleOptions, RegistryDouble, type Rule } from '../../test/support/registry-double.ts';
import { open, signal } from './fixture.ts';
import type { RegistryOptions } from './settings.ts';

const bytes = randomBytes(20_000_000);
const digest = sha256(bytes);
const patches = /^PATCH /;

async function send(
  double: RegistryDouble,
  options: {
    client?: RegistryOptions;
    signal?: AbortSignal;
    credentials?: { username: string; password: string };
  } = {},
): Promise<boolean> {
  await using client = open(options.client);
  const reference = parseReference(`${double.host}/a`);
  const upload = client.registry.uploadAhead(reference, options.credentials, options.signal ?? signal);
  for (let at = 0; at < bytes.length; at += 500_000) await upload.write(bytes.subarray(at, at + 500_000));
  return await upload.finish(digest);
}

async function willing(rules: readonly Rule[], options: DoubleOptions = {}): Promise<RegistryDouble> {
  const double = await RegistryDouble.open(options);
  for (const rule of rules) double.rule(rule);
  return double;
}

test('the bytes go as they come, in one request of unknown length', async () => {
  await using double = await willing([]);
  assert.equal(await send(double), true);
  assert.ok(double.store.blob(digest)?.equals(bytes));
  assert.equal(double.store.uploads.size, 0);
  assert.deepEqual(
    double
      .requests(/uploads/)
      .map(({ method, bytes: count, headers }) => [method, count, headers['transfer-encoding']]),
    [
      ['POST', 0, undefined],
      ['PATCH', bytes.length, 'chunked'],
      ['PUT', 0, undefined],
    ],
  );
});

const refusals: Record<string, Rule> = {
  'opens nothing': { match: /^POST /, answer: { status: 403 } },
  'refuses the bytes': { match: patches, answer: { status: 405 } },
  'wants a token anew': { match: patches, answer: { status: 401 } },
  'sends the bytes elsewhere': { match: patches, redirect: (path) => path, times: 1 },
  'hangs up between': { match: patches, cutUploadAfter: 1_000_000 },
  'forgets the upload': { match: /^PUT /, forgetUpload: true },
  'refuses the digest': { match: /^PUT /, answer: { status: 400 } },
};

for (const [what, rule] of Object.entries(refusals)) {
  test(`a registry that ${what} has it not, and no upload stays open`, async () => {
    await using double = await willing([rule]);
    assert.equal(await send(double), false);
    assert.equal(double.store.blob(digest), undefined);
    assert.equal(double.store.uploads.size, 0);
  });
}

test('one that takes nothing is not waited for', async () => {
  await using double = await willing([{ match: /^POST /, delayMs: 60_000 }]);
  assert.equal(await send(double, { client: { silenceTimeoutMs: 50 } }), false);
});

test('cancelled, by who makes it or by who wants it, it leaves no upload open', async () => {
  await using double = await willing([]);
  await using client = open();
  const reference = parseReference(`${double.host}/a`);
  const made = client.registry.uploadAhead(reference, undefined, signal);
  await made.write(bytes.subarray(0, 100_000));
  await made.cancel();
  const wanted = new AbortController();
  const left = client.registry.uploadAhead(reference, undefined, wanted.signal);
  await left.write(bytes.subarray(0, 100_000));
  wanted.abort();
  assert.equal(await left.finish(digest), false);
  assert.equal(double.store.uploads.size, 0);
  assert.equal(double.store.blob(digest), undefined);
});
