/** From nothing: base images of the host's own package sources, then PKC on them, by `npm start`, with a real browser. One daemon for all: what is made is used. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { freePort, openBrowser } from '../support/browser.ts';
import { startOllamaStandIn } from '../support/ollama-stand-in.ts';
import { BuildClient } from '../support/build-clients.ts';
import { repository, sharedDaemon } from '../support/daemon.ts';
import { execute, type Outcome, until } from '../support/docker.ts';

// Nothing listens there: no registry can be reached, also where there is an internet.
const host = await sharedDaemon({
  expectedErrors: [/proxyconnect tcp/],
  args: ['--https-proxy', 'http://127.0.0.1:9', '--http-proxy', 'http://127.0.0.1:9'],
});
const { scenario } = host;
const noDebian = /^ID="?debian"?$/m.test(readFileSync('/etc/os-release', 'utf8')) ? undefined : 'needs Debian';
const suite = /^VERSION_CODENAME="?([a-z]+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? '';

const program = join(repository, 'bin/wherry');
const cli = host.daemon.cli(program);
let noClient: string | undefined;
const classic = await BuildClient.classic(host.daemon).catch((error: Error) => {
  noClient = error.message;
  return undefined;
});
const port = await freePort();
const backendPort = await freePort();
const page = `http://127.0.0.1:${port}`;
const api = `http://127.0.0.1:${backendPort}/v1`;
const ollama = await startOllamaStandIn();
after(() => ollama[Symbol.asyncDispose]());
const wherry = (...args: string[]): Promise<Outcome> => cli.run(args, { timeoutMs: 120_000 });
const ok = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await wherry(...args);
  assert.equal(code, 0, stderr + stdout);
  return stdout;
};
const folder = (): string => join(host.daemon.root, 'data/bootstrap');

scenario(
  'a registry that nobody reaches: advice for what can be made here, from every door',
  async () => {
    const advice =
      /The registry cannot be reached\. This machine can make node:24-slim .*: wherry image bootstrap node:24-slim/;
    assert.match(await host.docker.fails('pull', 'node:24-slim'), advice);
    assert.match((await wherry('run', '--rm', 'node:24-slim', 'true')).stderr, advice);
    const context = classic!.folder({ Dockerfile: 'FROM node:24-slim\n' });
    const built = await wherry('build', '--progress=plain', context);
    assert.equal(built.code, 1);
    assert.match(built.stderr, advice);
    const posted = await classic!.run(['build', context]);
    assert.match(posted.stderr + posted.stdout, advice);
    const other = await host.docker.fails('pull', 'nginx');
    assert.match(other, /proxyconnect tcp/);
    assert.doesNotMatch(other, /bootstrap/);
    // A digest, and another platform, are not made up.
    for (const args of [[`node@sha256:${'a'.repeat(64)}`], ['--platform', 'linux/s390x', 'node:24-slim']])
      assert.doesNotMatch(await host.docker.fails('pull', ...args), /bootstrap/);
    assert.match(
      (await wherry('image', 'bootstrap', 'postgres:9')).stderr,
      /Cannot make postgres:9 on \w+: there are postgres:/,
    );
    assert.match((await wherry('image', 'bootstrap')).stderr, /name what to make/);
  },
  { skip: noDebian ?? noClient },
);

scenario(
  'made: Debian, Node on it, busybox; once, with a label; by pull and FROM where they are asked to',
  async () => {
    const out = await ok('image', 'bootstrap', 'node:24-slim', 'busybox:stable');
    assert.match(out, /node:24-slim: Made in \d/);
    assert.equal(await ok('run', '--rm', 'node:24-slim', '-p', '6*7'), '42\n');
    assert.match(await ok('run', '--rm', 'node:24-slim', 'npm', '--version'), /^\d+\./);
    assert.equal(await ok('run', '--rm', '-u', 'node', 'node:24-slim', 'id', '-u'), '1000\n');
    assert.equal(await ok('run', '--rm', 'busybox:stable', 'sh', '-c', 'echo $((6*7)) | tr 4 x'), 'x2\n');
    const labels = await host.docker.inspect<string>('node:24-slim', '(json .Config.Labels)');
    const told = (typeof labels === 'string' ? JSON.parse(labels) : labels) as Record<string, string>;
    assert.equal(told['org.wherry.bootstrap'], 'node:24-slim');
    assert.match(told['org.wherry.bootstrap.from'] ?? '', /npm's node-linux packages/);
    assert.doesNotMatch(JSON.stringify(told), /https?:/);
    // The same layer of Debian; nothing is made twice.
    const layers = async (name: string): Promise<string[]> =>
      (await host.docker.ok('inspect', '-f', '{{range .RootFS.Layers}}{{println .}}{{end}}', name)).trim().split('\n');
    assert.equal((await layers('node:24-slim'))[0], (await layers(`debian:${suite}-slim`))[0]);
    const again = await ok('image', 'bootstrap', 'node:24-bookworm-slim'.replace('bookworm', suite));
    assert.match(again, /node:24-slim: Already here/);
    assert.match(await ok('image', 'bootstrap', '--list'), new RegExp(`debian:${suite}-slim +made .* ago`));
    await ok('pull', '--bootstrap', `debian:${suite}-slim`);
    const context = classic!.folder({ Dockerfile: `FROM node:lts-slim\nRUN node --version > /version\n` });
    await ok('build', '--bootstrap', '-q', '-t', 'on-node', context);
    assert.match(await ok('run', '--rm', 'on-node', 'cat', '/version'), /^v24\./);
    // apt works in it: the sources came along.
    await ok(
      'run',
      '--rm',
      `debian:${suite}-slim`,
      'sh',
      '-euc',
      'apt-get -qq update && apt-cache policy hello | grep -q Candidate',
    );
    await host.docker.ok('rmi', '-f', 'on-node');
    assert.deepEqual(readdirSync(folder()), []);
    assert.deepEqual(await host.daemon.verify(), []);
  },
  { skip: noDebian ?? noClient, timeoutMs: 240_000 },
);

scenario(
  'PostgreSQL: the official image’s interface; a first start that is killed begins anew; a password is needed',
  async () => {
    await ok('image', 'bootstrap', `postgres:${major()}`);
    const image = `postgres:${major()}`;
    const files = join(host.daemon.root, 'pg');
    mkdirSync(files);
    writeFileSync(join(files, 'password'), "it's $ecret\n");
    writeFileSync(join(files, '1.sql'), 'CREATE TABLE answers AS SELECT 42 AS answer;\n');
    writeFileSync(
      join(files, '2.sh'),
      'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -qc "UPDATE answers SET answer = answer + 1"\n',
    );
    const none = await host.docker.run(['run', '--rm', image]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no password for the superuser\. Give one: -e POSTGRES_PASSWORD/);
    const create = [
      '--name',
      'pg',
      '-v',
      'pgdata:/var/lib/postgresql/data',
      '-v',
      `${files}/password:/run/password:ro`,
    ];
    const scripts = ['1.sql', '2.sh'].flatMap((name) => [
      '-v',
      `${files}/${name}:/docker-entrypoint-initdb.d/${name}:ro`,
    ]);
    const env = ['POSTGRES_PASSWORD_FILE=/run/password', 'POSTGRES_USER=me', 'POSTGRES_DB=my db'].flatMap((each) => [
      '-e',
      each,
    ]);
    const hard = [
      '--read-only',
      '--tmpfs',
      '/tmp:mode=1777',
      '--tmpfs',
      '/var/run/postgresql:uid=999,gid=999',
      '--cap-drop',
      'ALL',
    ];
    await host.docker.ok('run', '-d', ...create, ...scripts, ...env, ...hard, '-u', '999:999', image);
    await until(async () => (await host.docker.ok('logs', 'pg')).includes('making the database'), {
      what: 'the first start',
    });
    await host.docker.ok('kill', 'pg');
    await host.docker.ok('start', 'pg');
    const ready = async (): Promise<boolean> =>
      (await host.docker.run(['exec', 'pg', 'pg_isready', '-q', '-h', '127.0.0.1'])).code === 0;
    await until(ready, { what: 'PostgreSQL', timeoutMs: 60_000 });
    assert.match(await host.docker.ok('logs', 'pg'), /the first start did not finish: beginning anew/);
    const ask = (password: string): Promise<Outcome> =>
      host.docker.run([
        'exec',
        '-e',
        `PGPASSWORD=${password}`,
        'pg',
        'psql',
        '-h',
        '127.0.0.1',
        '-U',
        'me',
        '-d',
        'my db',
        '-Atc',
        'SELECT answer FROM answers',
      ]);
    assert.deepEqual([(await ask("it's $ecret")).stdout, (await ask('other')).code], ['43\n', 2]);
    assert.equal(await host.docker.ok('stop', '-t', '30', 'pg'), 'pg');
    assert.equal(await host.docker.inspect('pg', '.State.ExitCode'), 0);
    await host.docker.ok('start', 'pg');
    await until(ready, { what: 'PostgreSQL again', timeoutMs: 60_000 });
    assert.equal((await ask("it's $ecret")).stdout, '43\n');
    await host.docker.ok('rm', '-fv', 'pg');
    await host.docker.ok('volume', 'rm', 'pgdata');
  },
  { skip: noDebian ?? noClient, timeoutMs: 180_000 },
);

scenario(
  'given up, or the engine killed: nothing is left of it',
  async () => {
    const name = `debian:${suite}`;
    const working = (): boolean => existsSync(folder()) && readdirSync(folder()).length > 0;
    const mine = async (): Promise<string> => (await execute('pgrep', ['-f', `mmdebstrap.*${suite} -`], {})).stdout;
    {
      await using running = cli.start('image', 'bootstrap', name);
      await until(working, { what: 'the work to begin' });
      running.child.kill('SIGINT');
      await running.ended();
    }
    await until(() => !working(), { what: 'the folder to go', timeoutMs: 30_000 });
    await until(async () => (await mine()) === '', { what: 'mmdebstrap to end', timeoutMs: 30_000 });
    {
      await using running = cli.start('image', 'bootstrap', name);
      await until(working, { what: 'the work to begin' });
      await host.daemon.kill('SIGKILL');
      assert.notEqual(await running.ended(), 0);
    }
    await until(async () => (await mine()) === '', { what: 'mmdebstrap to end', timeoutMs: 60_000 });
    await host.daemon.start();
    assert.ok(!working());
    assert.match(await host.docker.fails('image', 'inspect', name), /No such image/);
    assert.deepEqual(await host.daemon.verify(), []);
  },
  { skip: noDebian ?? noClient, timeoutMs: 180_000 },
);

function major(): number {
  return { bullseye: 13, bookworm: 15, trixie: 17 }[suite] ?? 0;
}

// What follows stands on the images made above.

/** Set once PKC is up: what stands on it says why it cannot run. */
let isUp = false;
const script = (name: 'start' | 'stop', ...args: string[]): Promise<Outcome> =>
  execute(process.execPath, [join(repository, `scripts/${name}.ts`), ...args], {
    timeoutMs: 180_000,
    env: {
      ...cli.env,
      WHERRY_SOCKET: host.daemon.socket,
      // Were the daemon away, none of the machine's own would be started.
      WHERRYD_ARGS: '--version',
      PKC_BIND: '127.0.0.1',
      PKC_BACKEND_PORT: String(backendPort),
      OLLAMA_URL: `http://host.docker.internal:${ollama.port}`,
    },
  });
const service = (name: string): string => `pkc-${name}-1`;
const ids = async (): Promise<string> =>
  host.docker.ok('ps', '-q', '--no-trunc', '--filter', 'label=com.docker.compose.project=pkc');

interface Stored {
  hash: string;
  content_type: string;
  g_time: string;
}
interface Note {
  id: string;
  hash: string;
  title: string;
  content: string;
  versions: number;
}
async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(`${api}${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as T;
}
/** Of an answer that refuses. */
async function problem(
  answer: Promise<Response> | Response,
): Promise<{ status: number; code: string; message: string }> {
  const { status, ...rest } = await answer;
  const { error } = (await (await answer).json()) as { error: { code: string; message: string } };
  void rest;
  return { status, ...error };
}
function form(field: string, bytes: Uint8Array, name: string, more: Record<string, string> = {}): FormData {
  const data = new FormData();
  for (const [key, value] of Object.entries(more)) data.append(key, value);
  data.append(field, new Blob([new Uint8Array(bytes)]), name);
  return data;
}
/** Every card by the hash of what comes back for it. */
async function cards(): Promise<string[]> {
  const { items } = await ask<{ items: { hash: string }[] }>('GET', '/cards?page_size=500');
  return Promise.all(
    items.map(async ({ hash }) => {
      const bytes = Buffer.from(await (await fetch(`${api}/card/${hash}/content`)).arrayBuffer());
      assert.equal(createHash('sha256').update(bytes).digest('hex'), hash);
      return hash;
    }),
  ).then((all) => all.toSorted());
}

scenario(
  'npm start: PKC is up, and the second time nothing changes; a port that is taken is told with its holder',
  async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(port, '127.0.0.1', done));
    const refused = await script('start', '--port', String(port));
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      new RegExp(
        `port ${port} is taken by node \\(process ${process.pid}\\)\\. Take the next free one: npm start -- --port \\d+`,
      ),
    );
    await new Promise((done) => taken.close(done));
    const first = await script('start', '--port', String(port));
    assert.equal(first.code, 0, first.stderr + first.stdout);
    assert.match(first.stdout, new RegExp(`Open it +http://localhost:${port}/`));
    assert.match(first.stdout, /PKC is up \(\d/);
    isUp = true;
    assert.deepEqual(await ask('GET', '/health'), { status: 'healthy' });
    const before = await ids();
    const second = await script('start');
    assert.equal(second.code, 0, second.stderr);
    assert.match(second.stdout, /PKC is up already/);
    assert.match(second.stdout, new RegExp(`http://localhost:${port}/`));
    assert.equal(await ids(), before);
  },
  { skip: noDebian ?? noClient, timeoutMs: 240_000 },
);

scenario(
  'hardening, seen from inside: nobody is root, nothing is writable that need not be, no capability, limits, and no password anywhere',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    for (const [name, uid] of [
      ['frontend', '10001'],
      ['backend', '10001'],
      ['database', '999'],
    ] as const) {
      const inside = (command: string): Promise<string> => host.docker.ok('exec', service(name), 'sh', '-c', command);
      assert.equal(await inside('id -u'), uid, name);
      const status = await inside('cat /proc/1/status');
      assert.match(status, new RegExp(`^Uid:\\s+${uid}\\s`, 'm'));
      assert.match(status, /^CapEff:\s+0+$/m, name);
      assert.match(status, /^CapBnd:\s+0+$/m, name);
      assert.match(status, /^NoNewPrivs:\s+1$/m, name);
      assert.match(status, /^Seccomp:\s+2$/m, name);
      assert.match(await inside('touch /x 2>&1 || true'), /Read-only file system/, name);
      assert.match(await inside('touch /tmp/x && echo yes'), /yes/);
      const limits = await host.docker.ok(
        'inspect',
        '-f',
        '{{.HostConfig.PidsLimit}} {{.HostConfig.Memory}} {{.HostConfig.LogConfig.Config}}',
        service(name),
      );
      assert.match(limits, /^[1-9]\d* [1-9]\d* map\[max-file:3 max-size:10m\]$/, name);
    }
    // Only the page is published beyond this machine where nothing else is asked for, and the database is not at all.
    assert.match(
      readFileSync(join(repository, 'stacks/pkc/compose.yaml'), 'utf8'),
      /\$\{PKC_BIND:-0\.0\.0\.0\}:\$\{PKC_PORT:-3000\}:3000/,
    );
    assert.match(
      await host.docker.ok('port', service('backend')),
      new RegExp(`^8000/tcp -> 127\\.0\\.0\\.1:${backendPort}$`),
    );
    assert.equal(await host.docker.ok('port', service('database')), '');
    // The database's network leads nowhere, and the page cannot reach the database.
    const away = await host.docker.run([
      'exec',
      service('frontend'),
      'bash',
      '-c',
      'timeout 3 bash -c "</dev/tcp/database/5432"',
    ]);
    assert.notEqual(away.code, 0);
    const password = await host.docker.ok('exec', service('backend'), 'cat', '/run/secrets/database_password');
    assert.match(password, /^[\w+/]{40}$/);
    const places = await Promise.all([
      host.docker.ok('inspect', ...['frontend', 'backend', 'database', 'password'].map(service)),
      host.docker.ok('inspect', 'pkc-frontend', 'pkc-backend', 'postgres:15'),
      host.docker.ok('history', '--no-trunc', 'pkc-backend'),
      ...['frontend', 'backend', 'database', 'password'].map(async (name) => {
        const { stdout, stderr } = await host.docker.run(['logs', service(name)]);
        return stdout + stderr;
      }),
      host.docker.ok('exec', service('database'), 'sh', '-c', 'cat /proc/1/environ | tr "\\0" "\\n"'),
      host.docker.ok('exec', service('backend'), 'sh', '-c', 'cat /proc/1/environ | tr "\\0" "\\n"'),
    ]);
    for (const [index, text] of places.entries()) assert.ok(!text.includes(password), `place ${index}`);
    for (const name of ['compose.yaml', '.env'])
      assert.ok(!readFileSync(join(repository, 'stacks/pkc', name), 'utf8').includes(password));
  },
  { skip: noDebian ?? noClient },
);

scenario(
  'the interface of PKC clients: cards by hash, search, files, deletion with a confirmation',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    const post = async (path: string, data: FormData): Promise<Stored> => {
      const answer = await fetch(`${api}${path}`, { method: 'POST', body: data });
      assert.ok(answer.ok, await answer.clone().text());
      return (await answer.json()) as Stored;
    };
    const text = 'Der Kontrabass steht im Keller.';
    const data = new FormData();
    data.append('content', text);
    const card = await post('/card', data);
    assert.equal(card.hash, createHash('sha256').update(text).digest('hex'));
    assert.match(card.g_time, /^sha256\|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\|UTC$/);
    assert.deepEqual(await post('/card', form('content', Buffer.from(text), 'again.txt')), card);
    assert.equal(await (await fetch(`${api}/card/${card.hash}/content?as_text=true`)).text(), text);
    assert.deepEqual(await ask('GET', `/card/${card.hash}/content-type`), { content_type: 'text/plain' });
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    );
    const file = await post('/files', form('file', png, '../../dot\n.txt', { metadata: '{"camera":"x"}' }));
    assert.equal(file.content_type, 'image/png');
    // As forms write a line break in a name.
    const metadata = await ask<{ filename: string; metadata: object }>('GET', `/card/${file.hash}/metadata`);
    assert.deepEqual([metadata.filename, metadata.metadata], ['dot%0A.txt', { camera: 'x' }]);
    const part = await fetch(`${api}/files/${file.hash}`, { headers: { Range: 'bytes=1-3' } });
    assert.deepEqual(
      [part.status, await part.text(), part.headers.get('content-range')],
      [206, 'PNG', `bytes 1-3/${png.length}`],
    );
    const found = await ask<{ items: { hash: string }[]; total_items: number }>('GET', '/cards/search?query=kontrab');
    assert.deepEqual([found.items[0]?.hash, found.total_items], [card.hash, 1]);
    const byHash = await ask<{ items: { hash: string }[] }>('GET', `/cards/search-by-hash/${card.hash.slice(0, 9)}`);
    assert.equal(byHash.items[0]?.hash, card.hash);
    const list = await ask<{ page: number; total_items: number; has_previous: boolean }>(
      'GET',
      '/cards?page=1&page_size=1',
    );
    assert.deepEqual([list.page, list.total_items, list.has_previous], [1, 2, false]);
    assert.deepEqual(await ask('GET', '/cards/count'), { count: 2 });
    assert.equal((await problem(fetch(`${api}/cards`, { method: 'DELETE' }))).status, 400);
    await ask('DELETE', `/card/${file.hash}`);
    assert.deepEqual(await ask('GET', '/cards/count'), { count: 1 });
    const query = await fetch(api.replace('/v1', '/api/v1/query'), {
      method: 'POST',
      body: JSON.stringify({ query: 'Wo steht der Kontrabass?', max_sources: 3 }),
    });
    const said = (await query.json()) as { answer: string; citations: { hash: string; relevance_score: number }[] };
    assert.match(said.answer, /Kontrabass/);
    assert.equal(said.citations[0]?.hash, card.hash);
  },
  { skip: noDebian ?? noClient },
);

scenario(
  'bad input is told, and nothing is lost by it',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    const send = (path: string, body: string | FormData, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${api}${path}`, { method: 'POST', body, headers });
    const before = await cards();
    const refusals: [Promise<Response>, number, RegExp][] = [
      [send('/card', 'x', { 'Content-Type': 'text/plain' }), 400, /multipart\/form-data/],
      [send('/card', '--b\r\n', { 'Content-Type': 'multipart/form-data; boundary=b' }), 400, /form/],
      [send('/card', form('wrong', Buffer.from('x'), 'x')), 400, /must be called content/],
      [send('/documents', '{'), 400, /no JSON/],
      [send('/documents', '{"content":5}'), 400, /content must be text/],
      [send('/ask', '{"question":""}'), 400, /question/],
      [send('/models/pull', '{"name":"../x y"}'), 400, /name must be that of a model/],
      [fetch(`${api}/documents?page=0`), 400, /page must be/],
      [fetch(`${api}/documents/nonsense`), 404, /not here/],
      [fetch(`${api}/card/${'0'.repeat(64)}/content`), 404, /not here/],
      [fetch(`${api}/card/..%2f..%2fetc%2fpasswd/content`), 404, /./],
      [fetch(`${api}/nothing`), 404, /not here/],
      [send('/documents', '{"content":"x"}', { Origin: 'https://evil.example' }), 403, /evil\.example may not/],
      [send('/files', form('file', Buffer.from('x'), 'x', { metadata: '[' })), 400, /metadata must be a JSON object/],
    ];
    for (const [answer, status, words] of refusals) {
      const told = await problem(await answer);
      assert.equal(told.status, status, told.message);
      assert.match(told.message, words);
    }
    // A host name that could be anybody's (DNS rebinding).
    const rebound = await execute('curl', [
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-H',
      'Host: evil.example',
      `${api}/cards`,
    ]);
    assert.equal(rebound.stdout, '403');
    // Odd, and taken.
    const odd = await Promise.all([
      send('/upload', form('file', Buffer.alloc(0), 'empty.txt')),
      send('/upload', form('file', Buffer.from([0xff, 0xfe, 0, 0x80]), 'broken\u0000.md')),
      send('/upload', form('file', Buffer.from('# A\u0000B \ud800'), `${'ü'.repeat(5000)}.md`)),
    ]);
    for (const answer of odd) {
      const { stored, refused } = (await answer.json()) as {
        stored: { hash: string; document: { title: string } }[];
        refused: unknown[];
      };
      assert.deepEqual([stored.length, refused], [1, []]);
      assert.ok(stored[0]!.document.title.length <= 250);
    }
    assert.equal(
      (await fetch(`${api}/card/${createHash('sha256').digest('hex')}/content`)).headers.get('content-length'),
      '0',
    );
    // A client that goes in the middle.
    const stop = new AbortController();
    const broken = fetch(`${api}/files`, {
      method: 'POST',
      headers: { 'Content-Type': 'multipart/form-data; boundary=b' },
      body: new ReadableStream({
        async pull(controller) {
          controller.enqueue(Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'));
          for (let count = 0; count < 40; count++) controller.enqueue(Buffer.alloc(65_536, 7));
          stop.abort();
          await new Promise(() => {});
        },
      }),
      duplex: 'half',
      signal: stop.signal,
    });
    await assert.rejects(broken);
    await until(
      async () => (await host.docker.ok('exec', service('backend'), 'ls', '/var/lib/pkc/documents/.incoming')) === '',
      { what: 'what came of it to go' },
    );
    // Two who write at once: the second is told, and neither text is lost.
    const note = await ask<Note>('POST', '/documents', { content: '# Shared\n\none' });
    await ask('PUT', `/documents/${note.id}`, { content: '# Shared\n\ntwo', base: note.hash });
    const late = await problem(
      fetch(`${api}/documents/${note.id}`, {
        method: 'PUT',
        body: JSON.stringify({ content: 'three', base: note.hash }),
      }),
    );
    assert.deepEqual([late.status, late.code], [409, 'conflict']);
    assert.deepEqual(
      (await ask<{ number: number; cause: string }[]>('GET', `/documents/${note.id}/versions`)).map(
        ({ number, cause }) => [number, cause],
      ),
      [
        [2, 'edit'],
        [1, 'create'],
      ],
    );
    // In the trash it is still there; for ever only from there.
    assert.equal((await problem(fetch(`${api}/trash/${note.id}`, { method: 'DELETE' }))).status, 409);
    await ask('DELETE', `/documents/${note.id}`);
    assert.equal((await ask<Note>('GET', `/documents/${note.id}`)).content, '# Shared\n\ntwo');
    await ask('DELETE', `/trash/${note.id}`);
    assert.equal((await fetch(`${api}/card/${note.hash}/content`)).status, 404);
    const now = await cards();
    for (const hash of before) assert.ok(now.includes(hash));
  },
  { skip: noDebian ?? noClient, timeoutMs: 60_000 },
);

scenario(
  'a large file: streamed in and out, bounded memory, once on the disk, gone with its document',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    const bytes = Buffer.alloc(120_000_000);
    for (let at = 0; at < bytes.length; at += 4096) bytes.writeUInt32LE(at, at);
    const hash = createHash('sha256').update(bytes).digest('hex');
    const peak = async (): Promise<number> =>
      Number(
        /VmHWM:\s+(\d+)/.exec(
          await host.docker.ok(
            'exec',
            service('backend'),
            'sh',
            '-c',
            'cat /proc/$(pgrep -x node || echo 7)/status 2>/dev/null || cat /proc/7/status',
          ),
        )?.[1] ?? 0,
      );
    for (let round = 0; round < 2; round++) {
      const answer = await fetch(`${api}/upload`, { method: 'POST', body: form('file', bytes, 'large.bin') });
      const { stored } = (await answer.json()) as {
        stored: { hash: string; existed: boolean; document: { id: string } }[];
      };
      assert.deepEqual([stored[0]?.hash, stored[0]?.existed], [hash, round === 1]);
      if (round === 1) {
        const back = createHash('sha256');
        for await (const chunk of (await fetch(`${page}/v1/card/${hash}/content`)).body!)
          back.update(chunk as Uint8Array);
        assert.equal(back.digest('hex'), hash);
        const files = (): Promise<string> =>
          host.docker.ok('exec', service('backend'), 'sh', '-c', 'find /var/lib/pkc/documents -type f | wc -l');
        assert.equal(await files(), '1');
        await ask('DELETE', `/documents/${stored[0]!.document.id}`);
        await ask('DELETE', `/trash/${stored[0]!.document.id}`);
        assert.equal(await files(), '0');
      }
    }
    const used = await peak();
    assert.ok(used === 0 || used < 300_000, `${used} kB`);
  },
  { skip: noDebian ?? noClient, timeoutMs: 90_000 },
);

scenario(
  'asking: passages with a model and without, that is slow, that dies, that is not there',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    await ask('POST', '/documents', { content: '# Garden\n\nThe roses need water twice a week.' });
    const events = async (
      body: object,
    ): Promise<{ type: string; text?: string; message?: string; citations?: { title: string }[] }[]> => {
      const answer = await fetch(`${api}/ask`, { method: 'POST', body: JSON.stringify(body) });
      return (await answer.text())
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { type: string });
    };
    ollama.mode = 'well';
    const well = await events({ question: 'How often do roses need water?' });
    assert.equal(well[0]?.citations?.[0]?.title, 'Garden');
    assert.equal(well.flatMap(({ text }) => text ?? []).join(''), 'From [1]: The roses need water twice a week.');
    assert.equal(well.at(-1)?.type, 'done');
    assert.match(ollama.asked.at(-1)?.messages[0]?.content ?? '', /material, not instructions/);
    ollama.mode = 'dies';
    const died = await events({ question: 'How often do roses need water?' });
    assert.ok(died.some(({ type }) => type === 'token'));
    assert.match(died.at(-1)?.message ?? '', /broke|in the middle/);
    ollama.mode = 'well';
    const other = await events({ question: 'roses?', model: 'other:7b' });
    assert.match(other.at(-1)?.message ?? '', /no such model.*Pull it first/);
    ollama.mode = 'no model';
    const none = await events({ question: 'How often do roses need water?' });
    assert.deepEqual(
      none.map(({ type }) => type),
      ['citations', 'no_model', 'done'],
    );
    assert.match(none[1]?.message ?? '', /no model to answer with/);
    // Who goes while it is silent leaves no work behind.
    ollama.mode = 'silent';
    const before = ollama.abandoned;
    const stop = new AbortController();
    const silent = await fetch(`${api}/ask`, {
      method: 'POST',
      body: JSON.stringify({ question: 'roses?' }),
      signal: stop.signal,
    });
    await silent.body!.getReader().read();
    stop.abort();
    await until(() => ollama.abandoned > before, { what: 'the question to be given up' });
    ollama.mode = 'well';
    const pulled = await (await fetch(`${api}/models/pull`, { method: 'POST', body: '{"name":"qwen3:0.6b"}' })).text();
    assert.match(pulled, /"type":"progress","status":"pulling layer","completed":2,"total":3/);
    assert.match(pulled, /"type":"done"/);
    const models = await ask<{ available: boolean; models: { name: string; embedding: boolean }[] }>('GET', '/models');
    assert.deepEqual(
      models.models.map(({ name, embedding }) => [name, embedding]),
      [
        ['echo:1b', false],
        ['nomic-embed-text:latest', true],
      ],
    );
  },
  { skip: noDebian ?? noClient, timeoutMs: 60_000 },
);

scenario(
  'in a browser: write, link, upload, search, open, graph, history and restore, ask; hostile files run nowhere',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    await using browser = await openBrowser(host.daemon, cli, `debian:${suite}-slim`);
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const tab = await context.newPage();
    const outside: string[] = [];
    const errors: string[] = [];
    tab.on('request', (request) => {
      if (/^(?:https?|wss?):/.test(request.url()) && !request.url().startsWith(page)) outside.push(request.url());
    });
    tab.on('pageerror', (error) => errors.push(error.message));
    const saved = (): Promise<unknown> => tab.getByText('Saved', { exact: true }).waitFor({ timeout: 10_000 });
    const list = tab.getByRole('navigation', { name: 'Documents' });
    await tab.goto(page);
    await list.getByText('documents').waitFor();
    // Written, with a link to what is not there yet, and an image of elsewhere.
    await tab.keyboard.press('n');
    await tab
      .getByLabel('Text')
      .fill(
        '# Boat plan\n\nA **wherry** carries people. See [[Rigging]].\n\n- [ ] oars\n\n![x](https://evil.example/x.png)<img src=x onerror="document.title=1">',
      );
    await saved();
    await tab.getByRole('button', { name: 'Done' }).click();
    await tab.getByRole('heading', { name: 'Boat plan' }).waitFor();
    await tab.getByRole('checkbox').check();
    await tab.getByText('2 versions').waitFor();
    await tab.locator('.markdown').getByRole('link', { name: 'Rigging' }).click();
    await tab.getByRole('button', { name: 'Write it' }).click();
    await tab.getByRole('heading', { name: 'Rigging' }).waitFor();
    await tab.keyboard.press('e');
    await tab.getByLabel('Text').pressSequentially('A mast for the [[Boat pl', { delay: 5 });
    await tab.getByRole('button', { name: 'Boat plan' }).click();
    await saved();
    await tab.keyboard.press('Control+Enter');
    await tab.getByRole('complementary', { name: 'Links' }).getByRole('link', { name: 'Boat plan' }).first().waitFor();
    assert.equal(
      await tab.getByRole('complementary', { name: 'Links' }).getByRole('link', { name: 'Boat plan' }).count(),
      2,
    );
    // Found as one types, by a word of its text.
    await tab.keyboard.press('/');
    await tab.keyboard.type('mas');
    await list.locator('mark').first().waitFor();
    assert.match(await list.locator('li').first().innerText(), /Rigging/);
    await tab.keyboard.press('Escape');
    // Files that would act if they could.
    await tab.setInputFiles('input[type=file]', [
      {
        name: 'evil.html',
        mimeType: 'text/html',
        buffer: Buffer.from(
          '<h1>Hostile</h1><script>try{parent.document.title="owned"}catch{} document.body.id="ran"; fetch("https://evil.example/")</script>',
        ),
      },
      {
        name: 'evil.svg',
        mimeType: 'image/svg+xml',
        buffer: Buffer.from(
          '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="parent.document.title=1"><script>document.documentElement.id="ran"</script></svg>',
        ),
      },
      { name: 'data.json', mimeType: 'application/json', buffer: Buffer.from('{"boats":["wherry"]}') },
      { name: 'paper.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF-1.4\n%%EOF') },
    ]);
    await tab.getByRole('status').getByText('4 files').waitFor();
    await tab.getByLabel('Search').fill('');
    for (const [name, shown] of [
      ['evil.html', 'iframe'],
      ['evil.svg', 'img.picture'],
      ['data.json', '.json'],
      ['paper.pdf', 'iframe'],
    ] as const) {
      await list.getByRole('link', { name }).click();
      await tab.getByRole('heading', { name }).waitFor();
      await tab.locator(`article ${shown}`).waitFor();
    }
    for (const name of ['evil.html', 'evil.svg']) {
      const { items } = await ask<{ items: { hash: string }[] }>('GET', `/documents?query=${name}&type=file`);
      const direct = await context.newPage();
      for (const how of ['view', 'content']) {
        await direct.goto(`${page}/v1/card/${items[0]!.hash}/${how}`).catch(() => undefined);
        assert.equal(
          await direct
            .evaluate(`document.getElementById('ran') === null && document.documentElement.id !== 'ran'`)
            .catch(() => true),
          true,
          `${name} ${how}`,
        );
      }
      await direct.close();
    }
    // Dropped anywhere.
    const dropped = await tab.evaluateHandle(
      `(() => { const data = new DataTransfer(); data.items.add(new File(['# Dropped\\n\\nfrom a folder'], 'dropped.md')); return data; })()`,
    );
    await tab.dispatchEvent('main', 'dragover', { dataTransfer: dropped });
    await tab.getByText('Drop files and folders anywhere').waitFor();
    await tab.dispatchEvent('main', 'drop', { dataTransfer: dropped });
    await list.getByRole('link', { name: 'dropped' }).click();
    await tab.getByText('from a folder').waitFor();
    // The graph, and its list.
    await tab.goto(`${page}/graph`);
    await tab.locator('canvas').waitFor();
    await tab.getByText('The same as a list').click();
    await tab.getByRole('link', { name: 'Boat plan' }).last().click();
    // History: what changed, and back.
    await tab.getByRole('link', { name: 'History' }).click();
    await tab.locator('.diff ins').first().waitFor();
    await tab.getByRole('button', { name: /Version 1/ }).click();
    await tab.getByRole('button', { name: 'Restore version 1' }).click();
    await tab.getByText('3 versions').waitFor();
    assert.equal(await tab.getByRole('checkbox').isChecked(), false);
    // Asked, with sources that open.
    ollama.mode = 'well';
    await tab.goto(`${page}/ask`);
    await tab.getByLabel('Question').fill('What does a wherry carry?');
    await tab.getByRole('button', { name: 'Ask', exact: true }).click();
    await tab.getByText('From [1]:').waitFor();
    await tab.getByRole('list', { name: 'Sources' }).getByRole('link').first().click();
    await tab.getByRole('heading', { name: 'Boat plan' }).waitFor();
    // The backend goes in the middle of a sentence: told, kept, stored when it is back.
    await tab.keyboard.press('e');
    await host.docker.ok('pause', service('backend'));
    await host.docker.ok('stop', '-t', '0', service('backend')).catch(() => '');
    await tab.getByLabel('Text').fill('# Boat plan\n\nWritten while nobody listened.');
    await tab.getByText('Not saved', { exact: true }).waitFor({ timeout: 20_000 });
    await host.docker.run(['unpause', service('backend')]);
    await host.docker.ok('start', service('backend'));
    await tab.getByText('Saved', { exact: true }).waitFor({ timeout: 30_000 });
    assert.equal(
      (await ask<{ items: Note[] }>('GET', '/documents?query=nobody+listened')).items[0]?.title,
      'Boat plan',
    );
    // On a phone one pane at a time, and nothing is wider than the screen.
    const phone = await (
      await browser.newContext({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' })
    ).newPage();
    await phone.goto(page);
    await phone.getByRole('navigation', { name: 'Documents' }).getByRole('link', { name: 'Rigging' }).click();
    await phone.getByRole('heading', { name: 'Rigging' }).waitFor();
    assert.equal(await phone.getByRole('navigation', { name: 'Documents' }).isVisible(), false);
    assert.ok(await phone.evaluate(`document.documentElement.scrollWidth <= innerWidth`));
    await phone.getByRole('link', { name: 'All documents' }).click();
    await phone.getByRole('navigation', { name: 'Documents' }).waitFor();
    assert.notEqual(await phone.evaluate(`getComputedStyle(document.body).backgroundColor`), 'rgb(251, 250, 247)');
    assert.deepEqual(outside, []);
    assert.deepEqual(errors, []);
    assert.notEqual(await tab.title(), 'owned');
  },
  { skip: noDebian ?? noClient, timeoutMs: 240_000 },
);

scenario(
  'the database killed, the engine killed, down and up: every card is what it was',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    const before = await cards();
    assert.ok(before.length > 1);
    // PostgreSQL dies at once: requests are told, and it heals without anybody's help.
    const pid = await host.docker.inspect<number>(service('database'), '.State.Pid');
    process.kill(pid, 'SIGKILL');
    await until(async () => (await fetch(`${api}/health`)).status === 503, { what: 'the backend to notice' });
    const told = await problem(fetch(`${page}/v1/documents`));
    if (told.status !== 200) assert.match(told.message, /database does not answer|database is not there/);
    await until(async () => (await fetch(`${api}/health`)).ok, { what: 'the database to heal', timeoutMs: 60_000 });
    assert.deepEqual(await cards(), before);
    // It is away when the backend starts: told, and waited for as long as it takes.
    await host.docker.ok('stop', '-t', '20', service('database'));
    await host.docker.ok('restart', '-t', '10', service('backend'));
    await until(
      () =>
        fetch(`${api}/health`).then(
          ({ status }) => status === 503,
          () => false,
        ),
      { what: 'the backend to say so' },
    );
    assert.match((await problem(fetch(`${api}/documents`))).message, /database is not there yet\. Nothing is lost/);
    await host.docker.ok('start', service('database'));
    await until(async () => (await fetch(`${api}/health`)).ok, { what: 'both to be there', timeoutMs: 60_000 });
    assert.deepEqual(await cards(), before);
    // The page follows the backend to another address, and remembers it for when nobody answers names.
    const address = await host.docker.ok(
      'inspect',
      '-f',
      '{{(index .NetworkSettings.Networks "pkc-network").IPAddress}}',
      service('backend'),
    );
    const known = (): Promise<string> => host.docker.ok('exec', service('frontend'), 'cat', '/tmp/backend.conf');
    await until(async () => (await known()) === `server ${address}:8000;`, {
      what: 'the page to know it',
      timeoutMs: 20_000,
    });
    // The engine dies: nobody notices.
    const running = await ids();
    await host.daemon.kill('SIGKILL');
    // Longer than names are remembered.
    await new Promise((done) => setTimeout(done, 6000));
    const health = await fetch(`${page}/v1/health`);
    assert.ok(health.ok, await health.text());
    await host.daemon.start();
    assert.equal(await ids(), running);
    assert.deepEqual(await cards(), before);
    // Down and up.
    const down = await script('stop');
    assert.equal(down.code, 0, down.stderr);
    assert.match(down.stdout, /what you wrote is in the volumes/);
    assert.equal(await ids(), '');
    const up = await script('start', '--port', String(port));
    assert.equal(up.code, 0, up.stderr + up.stdout);
    assert.deepEqual(await cards(), before);
    // The export has them all, as files.
    const zip = Buffer.from(await (await fetch(`${api}/export`)).arrayBuffer());
    const file = join(host.daemon.root, 'export.zip');
    writeFileSync(file, zip);
    const listed = await execute('python3', [
      '-c',
      'import sys,zipfile,json;z=zipfile.ZipFile(sys.argv[1]);m=json.loads(z.read("manifest.json"));import hashlib;print(sum(hashlib.sha256(z.read(v["file"])).hexdigest()==v["hash"] for v in m["versions"]),len(m["versions"]))',
      file,
    ]);
    if (listed.code !== 127) {
      const [equal, all] = listed.stdout.trim().split(' ');
      assert.equal(equal, all);
      assert.ok(Number(all) >= before.length);
    }
  },
  { skip: noDebian ?? noClient, timeoutMs: 240_000 },
);

scenario(
  'TOSIOS, by a stand-in for its sources: built, hardened, healthy, played by two over the network',
  async () => {
    await ok('image', 'bootstrap', 'node:20-slim');
    const gamePort = await freePort();
    const npmrc = join(homedir(), '.npmrc');
    const ca = process.env['NODE_EXTRA_CA_CERTS'];
    const env = {
      TOSIOS_SOURCE: join(repository, 'test/fixtures/tosios-stand-in'),
      TOSIOS_PORT: String(gamePort),
      ...(existsSync(npmrc) ? { NPMRC_FILE: npmrc } : {}),
      ...(ca === undefined ? {} : { NPM_CA_FILE: ca }),
    };
    const file = join(repository, 'stacks/tosios/compose.yaml');
    const up = await cli.run(['compose', '-f', file, 'up', '-d', '--build', '--wait'], { env, timeoutMs: 200_000 });
    assert.equal(up.code, 0, up.stderr + up.stdout);
    const inside = (command: string): Promise<string> => host.docker.ok('exec', 'tosios-game-1', 'sh', '-c', command);
    assert.equal(await inside('id -u'), '10001');
    assert.match(await inside('cat /proc/1/status'), /^CapBnd:\s+0+$/m);
    assert.match(await inside('touch /game/x 2>&1 || true'), /Read-only file system/);
    assert.match(
      await inside('ls -d /game/node_modules/yarn /src /game/packages/server/server.js 2>&1 || true'),
      /No such file/,
    );
    // From where another machine would play.
    const address =
      Object.values(networkInterfaces())
        .flatMap((each) => each ?? [])
        .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';
    const game = `http://${address}:${gamePort}`;
    assert.match(await (await fetch(game)).text(), /TOSIOS \(stand-in\)/);
    const players = [new Player(game), new Player(game)] as const;
    await Promise.all(players.map((player) => player.joined));
    for (let frame = 0; frame < 30; frame++) {
      players[0].move(1, 0);
      players[1].move(0, -1);
      await new Promise((done) => setTimeout(done, 16));
    }
    await until(
      () => players.every((player) => player.sees(players[0].id, 30, 0) && player.sees(players[1].id, 0, -30)),
      {
        what: () => `both to be where they went: ${JSON.stringify(players.map(({ state }) => state))}`,
      },
    );
    assert.ok(
      players.every(({ frames }) => frames > 20),
      `${players.map(({ frames }) => frames).join(' and ')} frames`,
    );
    for (const player of players) player.leave();
    assert.match(await (await fetch(`${game}/colyseus/api`)).text(), /"name":"game"/);
    // It ends at once when it is told to, and stays ended.
    assert.equal(await host.docker.ok('stop', '-t', '10', 'tosios-game-1'), 'tosios-game-1');
    assert.equal(await host.docker.inspect('tosios-game-1', '.State.Running'), false);
    const down = await cli.run(['compose', '-f', file, 'down', '--rmi', 'local'], { env });
    assert.equal(down.code, 0, down.stderr);
  },
  { skip: noDebian ?? noClient, timeoutMs: 300_000 },
);

scenario(
  '.env edited in place shows at once; a full disk is told, and loses nothing',
  async () => {
    assert.ok(isUp, 'PKC is not up');
    const copy = join(host.daemon.root, 'pkc-copy');
    cpSync(join(repository, 'stacks/pkc'), copy, {
      recursive: true,
      filter: (path) => !/node_modules|dist$/.test(path),
    });
    writeFileSync(
      join(copy, 'compose.override.yaml'),
      `services:
  backend: { volumes: ["small:/var/lib/pkc/documents"] }
volumes:
  small: { driver: local, driver_opts: { type: tmpfs, device: tmpfs, o: "size=8m,uid=10001,gid=10001" } }
`,
    );
    const env = {
      PKC_BIND: '127.0.0.1',
      PKC_PORT: String(port),
      PKC_BACKEND_PORT: String(backendPort),
      OLLAMA_URL: `http://host.docker.internal:${ollama.port}`,
    };
    ollama.mode = 'well';
    const up = await cli.run(
      [
        'compose',
        '--project-directory',
        copy,
        '-f',
        join(copy, 'compose.yaml'),
        '-f',
        join(copy, 'compose.override.yaml'),
        'up',
        '-d',
        '--no-build',
        '--wait',
        'backend',
      ],
      { env, timeoutMs: 90_000 },
    );
    assert.equal(up.code, 0, up.stderr);
    const file = join(copy, '.env');
    const descriptor = openSync(file, 'r+');
    const text = 'PKC_TITLE=My boats\nEMBEDDING_MODEL=nomic-embed-text\n';
    writeSync(descriptor, text);
    ftruncateSync(descriptor, text.length);
    closeSync(descriptor);
    assert.equal((await ask<{ title: string }>('GET', '/config')).title, 'My boats');
    // An embedding model that is named now embeds what is there; passages are found by meaning, too.
    const index = await fetch(api.replace('/v1', '/api/v1/index-all'), { method: 'POST', body: '{"chunk_size":500}' });
    const embedded = (await index.json()) as { documents: number; chunks: number };
    assert.ok(embedded.documents > 0 && embedded.chunks >= embedded.documents, JSON.stringify(embedded));
    const stats = (await (await fetch(api.replace('/v1', '/api/v1/vector-stats'))).json()) as {
      embedding_model: string;
    };
    assert.equal(stats.embedding_model, 'nomic-embed-text:latest');
    const near = await fetch(api.replace('/v1', '/api/v1/query'), {
      method: 'POST',
      body: '{"query":"sores wen tarew"}',
    });
    const { citations } = (await near.json()) as { citations: { content: string }[] };
    assert.ok(citations.length > 0, 'no word of the question is in a card, its letters are');
    const before = await cards();
    const full = await problem(
      fetch(`${api}/files`, { method: 'POST', body: form('file', Buffer.alloc(20_000_000, 1), 'big.bin') }),
    );
    assert.deepEqual([full.status, full.code], [507, 'disk_full']);
    assert.match(full.message, /disk is full: nothing was stored/);
    assert.equal(
      await host.docker.ok('exec', service('backend'), 'sh', '-c', 'find /var/lib/pkc/documents -type f | wc -l'),
      '0',
    );
    assert.equal(
      (await fetch(`${api}/files`, { method: 'POST', body: form('file', Buffer.alloc(3_000_000, 2), 'fits.bin') }))
        .status,
      201,
    );
    const now = await cards();
    for (const hash of before) assert.ok(now.includes(hash));
    assert.equal((await script('stop')).code, 0);
    await host.docker.ok('volume', 'rm', '-f', 'pkc_small', 'pkc_database', 'pkc_pkc_documents', 'pkc_secrets');
  },
  { skip: noDebian ?? noClient, timeoutMs: 180_000 },
);

/** Somebody who plays, by what a browser has. */
class Player {
  readonly #socket: WebSocket;
  readonly joined: Promise<void>;
  id = '';
  frames = 0;
  state: Record<string, { x: number; y: number }> = {};

  constructor(game: string) {
    this.#socket = new WebSocket(game.replace('http', 'ws'));
    this.joined = new Promise((done, reject) => {
      this.#socket.addEventListener('error', () => reject(new Error('the game cannot be joined')));
      this.#socket.addEventListener('message', ({ data }) => {
        const told = JSON.parse(String(data)) as { id?: string; players?: Player['state'] };
        if (told.id !== undefined) {
          this.id = told.id;
          done();
        }
        if (told.players === undefined) return;
        this.frames++;
        this.state = told.players;
      });
    });
  }

  move(dx: number, dy: number): void {
    this.#socket.send(JSON.stringify({ dx, dy }));
  }

  sees(id: string, x: number, y: number): boolean {
    return this.state[id]?.x === x && this.state[id].y === y;
  }

  leave(): void {
    this.#socket.close();
  }
}
