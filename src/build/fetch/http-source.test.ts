import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Fault } from '../../std/index.ts';
import { SourcesFixture, WebServer } from './fixture.ts';
import { parseHttpDate } from './http-date.ts';
import { redacted } from './redact.ts';

const live = new AbortController().signal;
const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

test('a file, with its mode, its time and what it is known by', async () => {
  await using fixture = await SourcesFixture.open();
  await using server = await WebServer.open((_request, response) =>
    response.writeHead(200, { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT', 'content-length': 5 }).end('hello'),
  );
  const step = { url: server.url('/d/file.txt'), filename: 'file.txt', checksum: undefined };
  await using folder = await fixture.sources.http(step, fixture.by, live);
  assert.deepEqual(readdirSync(folder.path), ['file.txt']);
  const stat = statSync(join(folder.path, 'file.txt'));
  assert.equal(readFileSync(join(folder.path, 'file.txt'), 'utf8'), 'hello');
  assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid, stat.mtimeMs], [0o600, 0, 0, 784_111_777_000]);
  assert.equal(folder.resolved, digestOf('hello'));
  assert.deepEqual(fixture.progress, [
    [0, 5],
    [5, 5],
  ]);
  const [kept] = fixture.sources.list();
  assert.equal(kept?.description, `http url ${step.url}`);
  assert.equal(kept?.inUse, true);
});

test('without a date it is as old as all files that have none', async () => {
  await using fixture = await SourcesFixture.open();
  await using server = await WebServer.open((_request, response) => void response.end('x'));
  await using folder = await fixture.sources.http(
    { url: server.url('/f'), filename: 'f', checksum: undefined },
    fixture.by,
    live,
  );
  assert.equal(statSync(join(folder.path, 'f')).mtimeMs, 0);
});

test('the next build asks whether it changed, by name or by time', async () => {
  await using fixture = await SourcesFixture.open();
  let body = 'one';
  const etags = new Map([
    ['/named', true],
    ['/dated', false],
  ]);
  await using server = await WebServer.open((request, response) => {
    const named = etags.get(request.url!)!;
    const mark = named ? { etag: `W/"${body}"` } : { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' };
    const isKnown = named
      ? request.headers['if-none-match'] === `W/"${body}"`
      : request.headers['if-modified-since'] !== undefined && body === 'one';
    if (isKnown) response.writeHead(304, mark).end();
    else response.writeHead(200, mark).end(body);
  });
  for (const path of etags.keys()) {
    body = 'one';
    const step = { url: server.url(path), filename: 'f', checksum: undefined };
    const first = await fixture.sources.http(step, fixture.by, live);
    await first[Symbol.asyncDispose]();
    fixture.progress.length = 0;
    await using second = await fixture.sources.http(step, fixture.by, live);
    assert.equal(second.path, first.path);
    assert.deepEqual(fixture.progress, []);
    body = 'two';
    await using third = await fixture.sources.http(step, fixture.by, live);
    assert.equal(readFileSync(join(third.path, 'f'), 'utf8'), 'two');
    // Whoever still reads what it was may do so.
    assert.equal(readFileSync(join(second.path, 'f'), 'utf8'), 'one');
    await second[Symbol.asyncDispose]();
    assert.equal(existsSync(second.path), false);
  }
});

test('a server that names its file and compares no names is not read again', async () => {
  await using fixture = await SourcesFixture.open();
  await using server = await WebServer.open((_request, response) =>
    response.writeHead(200, { etag: '"1"' }).end('content'),
  );
  const step = { url: server.url('/f'), filename: 'f', checksum: undefined };
  const first = await fixture.sources.http(step, fixture.by, live);
  await using second = await fixture.sources.http(step, fixture.by, live);
  assert.equal(second.path, first.path);
  assert.equal(server.requests.length, 2);
});

test('a checksum is verified, and spares the next build the question', async () => {
  await using fixture = await SourcesFixture.open();
  await using server = await WebServer.open((_request, response) => void response.end('content'));
  const url = server.url('/f');
  const wrong = digestOf('other');
  await assert.rejects(fixture.sources.http({ url, filename: 'f', checksum: wrong }, fixture.by, live), {
    kind: 'invalid',
    message: `digest mismatch ${digestOf('content')}: ${wrong}`,
  });
  assert.deepEqual(fixture.sources.list(), []);
  const long = `sha512:${createHash('sha512').update('content').digest('hex')}`;
  for (const checksum of [digestOf('content'), long]) {
    await using _folder = await fixture.sources.http({ url, filename: 'f', checksum }, fixture.by, live);
    const asked = server.requests.length;
    await using again = await fixture.sources.http({ url, filename: 'f', checksum }, fixture.by, live);
    assert.equal(readFileSync(join(again.path, 'f'), 'utf8'), 'content');
    assert.equal(server.requests.length, asked);
  }
});

test('what a server says, and names that no file can have', async () => {
  await using fixture = await SourcesFixture.open({ limits: { bytes: 10, milliseconds: 60_000 } });
  await using server = await WebServer.open((request, response) => {
    if (request.url === '/large') response.end('more than ten bytes');
    else if (request.url === '/loop') response.writeHead(302, { location: '/loop' }).end();
    else if (request.url === '/cut') {
      response.writeHead(200, { 'content-length': 8 }).write('half');
      setTimeout(() => response.destroy(), 20);
    } else response.writeHead(Number(request.url!.slice(1))).end('no');
  });
  const fetch = (path: string, filename = 'f'): Promise<unknown> =>
    fixture.sources.http({ url: server.url(path), filename, checksum: undefined }, fixture.by, live);
  await assert.rejects(fetch('/404'), { kind: 'invalid', message: 'invalid response status 404' });
  await assert.rejects(fetch('/503'), { kind: 'unavailable', message: 'invalid response status 503' });
  await assert.rejects(fetch('/large'), { kind: 'invalid', message: /larger than 10B$/ });
  await assert.rejects(fetch('/loop'), /stopped after 10 redirects/);
  await assert.rejects(fetch('/cut'), (error) => error instanceof Fault && /EOF/.test(error.message));
  for (const name of ['', '.', '..', 'a/b', 'a\0', 'x'.repeat(256)])
    await assert.rejects(fetch('/200', name), { kind: 'invalid' });
  assert.deepEqual(readdirSync(join(fixture.root, 'sources/folders')), []);
  assert.deepEqual(fixture.sources.list(), []);
});

test('an encoding of the transfer is not the file', async () => {
  await using fixture = await SourcesFixture.open();
  await using server = await WebServer.open((request, response) => {
    const body = gzipSync('plain');
    response
      .writeHead(200, { 'content-encoding': 'gzip' })
      .end(request.url === '/broken' ? body.subarray(0, 12) : body);
  });
  await using folder = await fixture.sources.http(
    { url: server.url('/f'), filename: 'f', checksum: undefined },
    fixture.by,
    live,
  );
  assert.equal(readFileSync(join(folder.path, 'f'), 'utf8'), 'plain');
  const broken = { url: server.url('/broken'), filename: 'f', checksum: undefined };
  await assert.rejects(fixture.sources.http(broken, fixture.by, live), { kind: 'unavailable' });
});

test('credentials: of the address, of the client; none of them is kept or goes elsewhere', async () => {
  await using fixture = await SourcesFixture.open();
  await using elsewhere = await WebServer.open((_request, response) => void response.end('x'));
  const away = elsewhere.url('/f').replace('127.0.0.1', 'localhost');
  await using server = await WebServer.open((request, response) => {
    if (request.url === '/away') response.writeHead(302, { location: away }).end();
    else response.end('x');
  });
  const shown = async (url: string): Promise<string | undefined> => {
    await using _folder = await fixture.sources.http({ url, filename: 'f', checksum: undefined }, fixture.by, live);
    return server.requests.at(-1)!.headers.authorization;
  };
  const withUser = server.url('/f').replace('://', '://me:s%65cret@');
  assert.equal(await shown(withUser), `Basic ${Buffer.from('me:secret').toString('base64')}`);
  fixture.secrets.set('HTTP_AUTH_HEADER_127.0.0.1', 'Digest x\n');
  assert.equal(await shown(server.url('/f')), 'Digest x');
  fixture.secrets.set('HTTP_AUTH_TOKEN_127.0.0.1', 'hush');
  assert.equal(await shown(server.url('/away')), 'Bearer hush');
  assert.equal(elsewhere.requests[0]!.headers.authorization, undefined);
  const kept = JSON.stringify(fixture.sources.list());
  assert.equal(/secret|hush|s%65cret/.test(kept), false);
  assert.ok(kept.includes('xxxxx:xxxxx@'));
});

test('cancelled, and taking too long', async () => {
  await using fixture = await SourcesFixture.open({ limits: { bytes: 1000, milliseconds: 300 } });
  await using server = await WebServer.open((_request, response) => void response.writeHead(200).write('some'));
  const step = { url: server.url('/f'), filename: 'f', checksum: undefined };
  const cancel = new AbortController();
  const by = { ...fixture.by, progress: (current: number) => current > 0 && cancel.abort(new Error('gone')) };
  await assert.rejects(fixture.sources.http(step, by, cancel.signal), /^Error: gone$/);
  await assert.rejects(fixture.sources.http(step, fixture.by, live), { kind: 'unavailable', message: /took longer/ });
  assert.deepEqual(readdirSync(join(fixture.root, 'sources/folders')), []);
});

test('what a killed daemon left goes; what is recorded and there stays', async () => {
  await using fixture = await SourcesFixture.open();
  await using server = await WebServer.open((_request, response) => response.writeHead(200, { etag: '"1"' }).end('x'));
  const step = { url: server.url('/f'), filename: 'f', checksum: undefined };
  const first = await fixture.sources.http(step, fixture.by, live);
  writeFileSync(join(fixture.root, 'sources/folders/half.new'), 'x');
  await fixture.reopen();
  assert.deepEqual(readdirSync(join(fixture.root, 'sources/folders')).length, 1);
  await using second = await fixture.sources.http(step, fixture.by, live);
  assert.equal(second.path, first.path);
  const [record] = fixture.sources.list();
  assert.ok(record);
  assert.equal(record.usageCount, 2);
  await fixture.sources.forget([record.id]);
  assert.ok(existsSync(second.path));
  await second[Symbol.asyncDispose]();
  assert.equal(existsSync(second.path), false);
});

test('dates', () => {
  const at = 784_111_777;
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    assert.equal(parseHttpDate(text), at, text);
  for (const text of ['', '1994-11-06', 'Sun, 31 Feb 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 25:49:37 GMT'])
    assert.equal(parseHttpDate(text), undefined, text);
});

test('addresses as they may be shown', () => {
  assert.equal(redacted('https://a:b@h/p?q#f'), 'https://xxxxx:xxxxx@h/p?q#f');
  assert.equal(redacted('https://a@h/p'), 'https://xxxxx@h/p');
  assert.equal(redacted('git@h:p'), 'git@h:p');
  assert.equal(redacted('https://h/a@b'), 'https://h/a@b');
});
