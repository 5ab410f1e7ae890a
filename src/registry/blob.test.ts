/** Blobs from a registry that cuts, lies, forgets and stalls. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type Digest, parseReference, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { RegistryDouble, type Rule } from '../../test/support/registry-double.ts';
import { digestOf } from '../../test/support/registry-store.ts';
import { BlobChanged } from './blob.ts';
import { open, type Opened, signal } from './fixture.ts';
import type { BlobOptions } from './open.ts';

const bytes = randomBytes(400_000);
const blob = { digest: sha256(bytes), size: bytes.length };
const blobs = /^GET \/v2\/a\/blobs\//;

/** A double with the blob in repository `a`, and a client. */
async function start(
  ...rules: Omit<Rule, 'match'>[]
): Promise<{ double: RegistryDouble; client: Opened } & AsyncDisposable> {
  const double = await RegistryDouble.open();
  double.store.addBlob('a', bytes);
  for (const rule of rules) double.rule({ match: blobs, ...rule });
  const client = open();
  return {
    double,
    client,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

function fetch(
  { double, client }: { double: RegistryDouble; client: Opened },
  options: BlobOptions = {},
  wanted: { digest: Digest; size: number; urls?: string[] } = blob,
): Promise<Buffer> {
  return collectBytes(client.registry.blob(parseReference(`${double.host}/a`), wanted, options, signal), 1 << 24);
}

const ranges = ({ double }: { double: RegistryDouble }): (string | undefined)[] =>
  double.requests(blobs).map(({ headers }) => headers['range']);

test('cut every 50,000 bytes, it goes on by Range, bound to the same bytes', async () => {
  await using both = await start({ cutAfter: 50_000 });
  assert.ok((await fetch(both)).equals(bytes));
  const asked = ranges(both);
  assert.equal(asked[0], undefined);
  assert.ok(asked.length >= 8);
  // Not exactly where it was cut: what lay unread when the end came is lost.
  const starts = asked.slice(1).map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]));
  assert.ok(starts.every((start, cut) => start > (starts[cut - 1] ?? 0)));
  const conditions = both.double.requests(blobs).map(({ headers }) => headers['if-range']);
  assert.deepEqual(conditions, [undefined, ...starts.map(() => `"${blob.digest}"`)]);
  assert.ok(both.client.clock.slept.length >= 7, 'a moment is waited before each try');
});

test('where an earlier transfer stopped', async () => {
  await using both = await start();
  assert.ok((await fetch(both, { start: 300_000 })).equals(bytes.subarray(300_000)));
  assert.deepEqual(ranges(both), ['bytes=300000-']);
  assert.equal((await fetch(both, { start: bytes.length })).length, 0);
  assert.equal(both.double.requests(blobs).length, 1, 'what is whole is not asked for');
});

test('Range ignored, refused with 416, or answered with nonsense: the whole again, skipping what is here', async () => {
  for (const rule of [
    { ranges: 'ignored' },
    { ranges: 'refused' },
    { headers: { 'content-range': undefined } },
    { headers: { 'content-range': `bytes 399999-399999/400000` } },
    { headers: { 'content-range': 'bytes */400000' } },
  ] as const) {
    await using both = await start({ times: 1, cutAfter: 100_000 }, rule);
    assert.ok((await fetch(both)).equals(bytes), JSON.stringify(rule));
    assert.ok((await fetch(both, { start: 399_000 })).equals(bytes.subarray(399_000)), JSON.stringify(rule));
  }
});

test('an answer that begins earlier than asked is used from where it is needed', async () => {
  await using both = await start({
    body: () => bytes.subarray(100_000),
    headers: { 'content-range': 'bytes 100000-399999/400000' },
  });
  assert.ok((await fetch(both, { start: 150_000 })).equals(bytes.subarray(150_000)));
});

test('a body that changed on the server is noticed, not mixed', async () => {
  await using both = await start(
    { times: 1, cutAfter: 100_000, headers: { etag: '"one"' } },
    { headers: { etag: '"two"' } },
  );
  await assert.rejects(fetch(both), (error) => error instanceof BlobChanged && error.kind === 'unavailable');
  await using weak = await start(
    { times: 1, cutAfter: 100_000, headers: { etag: 'W/"one"' } },
    { headers: { etag: 'W/"two"' } },
  );
  assert.ok((await fetch(weak)).equals(bytes), 'weak names say nothing about bytes');
  assert.equal(weak.double.requests(blobs)[1]!.headers['if-range'], undefined);
});

test('other sizes than the manifest says are refused at once', async () => {
  const cases: [Omit<Rule, 'match'>, number, RegExp][] = [
    [{ body: (body) => body.subarray(0, 1000) }, 0, /the registry offers 1000 bytes where its manifest says 400000/],
    [{ body: (body) => Buffer.concat([body, body]) }, 0, /offers 800000 bytes where its manifest says 400000/],
    [{ chunked: true, body: (body) => Buffer.concat([body, body]) }, 0, /offers more bytes where its manifest says/],
    [{ headers: { 'content-range': 'bytes 1000-399999/999999' } }, 1000, /offers 999999 bytes/],
  ];
  for (const [rule, start_, message] of cases) {
    await using both = await start(rule);
    await assert.rejects(fetch(both, { start: start_ }), { kind: 'invalid', message });
    assert.equal(both.double.requests(blobs).length, 1);
  }
});

test('a body shorter than announced is asked for again', async () => {
  const announced = { headers: { 'content-length': '400000' }, body: (body: Buffer) => body.subarray(0, 100_000) };
  await using both = await start(
    { times: 1, ...announced },
    { times: 1, chunked: true, body: (body) => body.subarray(0, 5) },
  );
  assert.ok((await fetch(both)).equals(bytes));
  assert.equal(ranges(both)[0], undefined);
  assert.equal(ranges(both).length, 3);
});

test('5xx, 429 with Retry-After and hang-ups pass; each second of waiting is told', async () => {
  await using both = await start(
    { times: 1, answer: { status: 503 } },
    { times: 1, hangUp: true },
    { times: 1, answer: { status: 429, headers: { 'retry-after': '3' } } },
  );
  const told: number[] = [];
  assert.ok((await fetch(both, { onWait: (seconds) => told.push(seconds) })).equals(bytes));
  assert.deepEqual(told, [4, 3, 2, 1], 'Retry-After, and a little chance');
  assert.ok(both.client.clock.total >= 3000);
});

test('a 429 that stays says when to come back, and is not waited for when that is long', async () => {
  const refusal = JSON.stringify({
    errors: [{ code: 'TOOMANYREQUESTS', message: 'You have reached your pull rate limit.' }],
  });
  const answer = { status: 429, headers: { 'retry-after': '118' }, body: Buffer.from(refusal) };
  await using both = await start({ answer });
  await assert.rejects(fetch(both), {
    kind: 'unavailable',
    message:
      /^toomanyrequests: You have reached your pull rate limit\.; retry after 2 minutes \(at (\S+ )?\d\d:\d\d\)$/,
  });
  assert.deepEqual(both.client.clock.slept, []);
});

test('what is refused for good is not asked again', async () => {
  for (const status of [403, 404, 501]) {
    await using both = await start({ answer: { status } });
    await assert.rejects(fetch(both));
    assert.equal(both.double.requests(blobs).length, 1, String(status));
  }
});

test('tries without progress end, those of transferAttempts', async () => {
  await using double = await RegistryDouble.open();
  double.store.addBlob('a', bytes);
  double.rule({ match: blobs, cutAfter: 10 });
  await using client = open({ transferAttempts: 3 });
  await assert.rejects(fetch({ double, client }), { kind: 'internal', message: 'unexpected EOF' });
  assert.equal(double.requests(blobs).length, 3, 'ten bytes at a time are no progress');
});

test('a registry that goes silent is left after the time for that', async () => {
  await using double = await RegistryDouble.open();
  double.store.addBlob('a', bytes);
  double.rule({ match: blobs, times: 1, stallAfter: 200_000 });
  await using client = open({ silenceTimeoutMs: 300 });
  assert.ok((await fetch({ double, client })).equals(bytes));
  assert.match(ranges({ double }).join(' '), /^ bytes=\d+-$/);
});

test('a registry that dies under way and comes back', async () => {
  await using first = await RegistryDouble.open();
  first.store.addBlob('a', bytes);
  first.rule({ match: blobs, cutAfter: 100_000 });
  const port = Number(first.host.split(':')[1]);
  let second: RegistryDouble | undefined;
  const waits: number[] = [];
  await using client = open({
    clock: {
      now: () => Date.now(),
      random: () => 0,
      sleep: async (ms) => {
        waits.push(ms);
        if (waits.length === 1) await first[Symbol.asyncDispose]();
        if (waits.length === 3) {
          second = await RegistryDouble.open({}, port);
          second.store.addBlob('a', bytes);
        }
      },
    },
  });
  const reference = parseReference(`127.0.0.1:${port}/a`);
  try {
    assert.ok((await collectBytes(client.registry.blob(reference, blob, {}, signal), 1 << 24)).equals(bytes));
    assert.match(second?.requests(blobs)[0]?.headers['range'] ?? '', /^bytes=\d{4,}-$/);
  } finally {
    await second?.[Symbol.asyncDispose]();
  }
});

test('redirects: to another host without credentials, each time anew', async () => {
  await using elsewhere = await RegistryDouble.open();
  elsewhere.store.addBlob('stored', bytes);
  elsewhere.rule({ match: /stored/, cutAfter: 150_000 });
  await using double = await RegistryDouble.open({ access: { kind: 'basic', users: { me: 'secret' } } });
  double.store.addBlob('a', bytes);
  double.rule({ match: blobs, redirect: `${elsewhere.url}/v2/stored/blobs/${blob.digest}?signature=1` });
  await using client = open();
  const credentials = { username: 'me', password: 'secret' };
  assert.ok((await fetch({ double, client }, { credentials })).equals(bytes));
  assert.ok(elsewhere.seen.length >= 3);
  assert.ok(elsewhere.seen.every(({ headers }) => headers['authorization'] === undefined));
  assert.ok(double.requests(blobs).every(({ headers }) => headers['authorization']?.startsWith('Basic ')));
  assert.match(ranges({ double }).join(' '), /^( bytes=\d+-){2,}$/);
});

test('redirects that lead nowhere', async () => {
  for (const [location, message] of [
    ['ftp://127.0.0.1/x', /unsupported protocol scheme "ftp:"/],
    ['http://[', /failed to parse Location header/],
    ['/v2/a/blobs/again', /stopped after 10 redirects/],
  ] as const) {
    await using both = await start({ redirect: location });
    await assert.rejects(fetch(both), message);
  }
});

test('a token that ends in mid-transfer is renewed', async () => {
  await using double = await RegistryDouble.open({ access: { kind: 'token', users: {} } });
  double.store.addBlob('a', bytes);
  double.rule({
    match: blobs,
    cutAfter: 60_000,
    body: (body) => {
      if (body.length > 1000) double.access!.expireTokens();
      return body;
    },
  });
  await using client = open();
  assert.ok((await fetch({ double, client })).equals(bytes));
  const ends = double.requests(blobs).filter(({ status }) => status === 401).length;
  assert.ok(ends >= 6);
  assert.equal(double.access!.issued, ends + 1, 'one at first, one after each end');
});

test('sha512', async () => {
  await using double = await RegistryDouble.open();
  const { digest } = double.store.addBlob('a', bytes, undefined, 'sha512');
  await using client = open();
  assert.ok((await fetch({ double, client }, {}, { digest: digest as Digest, size: bytes.length })).equals(bytes));
});

test('what the registry may not give comes from where its descriptor says, nameless', async () => {
  await using elsewhere = await RegistryDouble.open();
  elsewhere.store.addBlob('vendor', bytes);
  await using double = await RegistryDouble.open({ access: { kind: 'basic', users: { me: 'secret' } } });
  await using client = open();
  const urls = ['ftp://no', 'http://127.0.0.1:9/none', `${elsewhere.url}/v2/vendor/blobs/${blob.digest}`];
  const credentials = { username: 'me', password: 'secret' };
  assert.ok((await fetch({ double, client }, { credentials }, { ...blob, urls })).equals(bytes));
  assert.equal(elsewhere.seen[0]!.headers['authorization'], undefined);
  await assert.rejects(fetch({ double, client }, { credentials }, { ...blob, urls: urls.slice(0, 2) }), {
    kind: 'not-found',
  });
});

test('connections that the server closed while idle', async () => {
  await using double = await RegistryDouble.open({ keepAliveMs: 1 });
  double.store.addBlob('a', bytes);
  await using client = open();
  for (let round = 0; round < 5; round++) {
    assert.ok((await fetch({ double, client })).equals(bytes));
    double.closeIdleConnections();
  }
});

test('no more connections to one host than allowed', async () => {
  await using double = await RegistryDouble.open();
  for (let each = 0; each < 12; each++) double.store.addBlob('a', Buffer.from(`blob ${each}`));
  double.rule({ match: blobs, delayMs: 20 });
  await using client = open({ connectionsPerHost: 2 });
  await Promise.all(
    Array.from({ length: 12 }, (_, each) => {
      const body = Buffer.from(`blob ${each}`);
      return fetch({ double, client }, {}, { digest: digestOf(body) as Digest, size: body.length });
    }),
  );
  assert.equal(double.requests(blobs).length, 12);
  assert.ok(new Set(double.seen.map(({ port }) => port)).size <= 2);
});

test('leaving ends a transfer, and a wait', async () => {
  await using both = await start({ stallAfter: 1000 });
  const controller = new AbortController();
  const stream = both.client.registry.blob(parseReference(`${both.double.host}/a`), blob, {}, controller.signal);
  const reading = collectBytes(stream, 1 << 24);
  setTimeout(() => controller.abort(new Error('enough')), 30);
  await assert.rejects(reading, /enough/);
});
