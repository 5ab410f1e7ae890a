/** The asking end against this room's own doors and a builder that plays a build; the same doors take the stock clients in buildx.test.ts. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BuildRequest } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import { until } from '../../../test/support/docker.ts';
import { tarOf } from '../../../test/support/tar.ts';
import { Door, folderOf, imageId, oddTree, outputBytes, ScriptedBuilds } from '../fixture.ts';
import { askUsage, askWorker } from './asks.ts';
import { askBuild, type BuildAnswer, type BuildAsk, type Connect } from './build.ts';
import { uploadUrl } from './lend.ts';
import type { Loans } from './loans.ts';
import type { SolveFault } from './solve-fault.ts';
import type { SolveStatus } from './status.ts';

/** As the command line's client does it. */
function connectTo(door: Door): Connect {
  return (path, headers) =>
    new Promise((resolve, reject) => {
      const asked = httpRequest({
        socketPath: door.socket,
        method: 'POST',
        path: `/${path}`,
        headers: { Connection: 'Upgrade', Upgrade: 'h2c', ...(headers as Record<string, string>) },
      });
      asked.once('upgrade', (_, socket: Socket, head: Buffer) => {
        if (head.length > 0) socket.unshift(head);
        resolve(socket);
      });
      asked.once('error', reject);
      asked.end();
    });
}

const ask: BuildAsk = {
  options: new Map([['filename', 'Dockerfile']]),
  exporters: [{ type: 'moby', attributes: new Map([['name', 'x:1']]) }],
  cacheImports: [],
  cacheExports: [],
  entitlements: [],
  sharedKey: 'key',
};

function loansOf(folder: string, more: Partial<Loans> = {}): Loans {
  return {
    folders: new Map([
      ['context', folder],
      ['dockerfile', folder],
    ]),
    secrets: new Map(),
    agents: new Map(),
    credentials: async () => undefined,
    upload: undefined,
    outputs: [],
    stores: new Map(),
    ...more,
  };
}

interface Asked {
  answer: BuildAnswer;
  told: SolveStatus[];
}

async function build(
  door: Door,
  {
    options = {},
    loans,
    ...rest
  }: { options?: Record<string, string>; loans: Loans } & Partial<Omit<BuildAsk, 'options'>>,
  signal = new AbortController().signal,
): Promise<Asked> {
  const told: SolveStatus[] = [];
  const whole = { ...ask, ...rest, options: new Map([...ask.options, ...Object.entries(options)]) };
  const answer = await askBuild(connectTo(door), whole, loans, { onStatus: (status) => told.push(status), signal });
  return { answer, told };
}

function context(door: Door, files: Record<string, string | Uint8Array>): string {
  return folderOf(join(door.folder, 'context'), files);
}

test('a build: the context, a secret, credentials, progress, the image', async () => {
  await using door = await Door.open();
  const folder = context(door, {
    Dockerfile: 'FROM scratch\n',
    'deep/er/file.txt': 'hello',
    'ünïcode, name': 'x',
    ignored: 'never sent',
    empty: '',
    big: outputBytes,
  });
  const secrets = new Map([['token', { value: 'hush' }]]);
  const credentials = async (host: string) => ({ username: host, password: 'word' });
  const { answer, told } = await build(door, { loans: loansOf(folder, { secrets, credentials }) });
  assert.equal(answer.exported.get('containerimage.config.digest'), imageId);
  assert.equal(answer.exported.get('image.name'), 'docker.io/library/x:1');
  const [seen] = door.builds.seen;
  assert.deepEqual([...seen!.files.keys()].sort(), ['Dockerfile', 'big', 'deep/er/file.txt', 'empty', 'ünïcode, name']);
  assert.ok(seen!.files.get('big')!.equals(outputBytes));
  assert.equal(seen!.secret, 'hush');
  assert.deepEqual(seen!.credentials, {
    username: 'registry.example',
    password: 'word',
    serveraddress: 'registry.example',
  });
  const vertexes = told.flatMap((status) => status.vertexes);
  assert.deepEqual([vertexes[0]?.name, vertexes[0]?.completed], ['[2/2] RUN echo played', undefined]);
  assert.equal(typeof vertexes.at(-1)?.completed, 'bigint');
  const logs = told.flatMap((status) => status.logs);
  assert.equal(Buffer.from(logs[0]!.data).toString(), 'played output\n');
});

test('a second build transfers only what changed', async () => {
  await using door = await Door.open();
  const folder = context(door, { Dockerfile: 'FROM scratch\n', a: 'a'.repeat(100_000), b: 'b' });
  await build(door, { loans: loansOf(folder) });
  writeFileSync(join(folder, 'b'), 'B'.repeat(60));
  await build(door, { loans: loansOf(folder) });
  assert.equal(door.builds.seen[1]!.transferred, 60);
  assert.equal(String(door.builds.seen[1]!.files.get('b')), 'B'.repeat(60));
});

test('a failed step: its message, its place, its vertex', async () => {
  await using door = await Door.open();
  const folder = context(door, { Dockerfile: 'FROM scratch\nRUN exit 7\n' });
  await assert.rejects(build(door, { loans: loansOf(folder) }), (fault: SolveFault) => {
    assert.match(fault.message, /exit code: 7$/);
    assert.equal(fault.isCanceled, false);
    assert.match(fault.vertex!, /^sha256:/);
    const [place] = fault.sources;
    assert.equal(place?.source.text, 'FROM scratch\nRUN exit 7\n');
    assert.deepEqual(place?.ranges, [{ start: { line: 2, character: 0 }, end: { line: 2, character: 11 } }]);
    return true;
  });
});

test('what is not a build answers with its metadata, and a failure of it fails', async () => {
  await using door = await Door.open();
  const folder = context(door, { Dockerfile: 'FROM scratch\n' });
  const { answer } = await build(door, {
    options: { requestid: 'frontend.lint' },
    exporters: [],
    loans: loansOf(folder),
  });
  assert.equal(answer.metadata.get('result.txt'), 'played lint\n');
  await assert.rejects(
    build(door, { options: { requestid: 'frontend.bogus' }, loans: loansOf(folder) }),
    /frontend\.bogus/,
  );
});

test('cancelled: the builder hears of it, and so does who asked', async () => {
  await using door = await Door.open();
  const folder = context(door, { Dockerfile: 'FROM scratch\nRUN wait\n' });
  const stop = new AbortController();
  const building = build(door, { loans: loansOf(folder) }, stop.signal);
  building.catch(() => {});
  await until(() => door.builds.seen[0]?.credentials === undefined && door.builds.seen.length > 0, { what: 'a build' });
  stop.abort(new Fault('unavailable', 'stop'));
  await assert.rejects(building, { name: 'SolveFault', isCanceled: true });
  await until(() => door.builds.seen[0]!.aborted && door.serving === 0, { what: 'the doors to close' });
});

test('an upload is the context', async () => {
  const requests: BuildRequest[] = [];
  const files: string[] = [];
  const builds = new ScriptedBuilds(async (_, request, signal) => {
    requests.push(request);
    assert.ok(request.context !== undefined && 'fetch' in request.context);
    await using tree = await request.context.fetch({ followPaths: [], excludes: [] }, signal);
    files.push(...readdirSync(tree.path));
    return { image: imageId, manifest: undefined, unusedArgs: [], answer: undefined };
  });
  await using door = await Door.open(builds);
  const tar = tarOf('inside', Buffer.from('content'));
  const upload = (async function* () {
    yield tar.subarray(0, 700);
    yield tar.subarray(700);
  })();
  await build(door, { options: { context: uploadUrl }, loans: loansOf('', { folders: new Map(), upload }) });
  assert.deepEqual(files, ['inside']);
});

test("an SSH agent's socket: asked and answered, but not to be changed", async () => {
  const answers: string[] = [];
  const builds = new ScriptedBuilds(async (_, request, signal) => {
    await using agent = await request.secrets.agent('default', signal);
    for (const message of ['000000010b', '0000000111']) answers.push(await exchange(agent.socket, message));
    return { image: imageId, manifest: undefined, unusedArgs: [], answer: undefined };
  });
  await using door = await Door.open(builds);
  const socket = join(door.folder, 'agent.sock');
  const asked: string[] = [];
  const agent = createServer((connection) => {
    connection.on('data', (data: Buffer) => {
      asked.push(data.toString('hex'));
      connection.write(Buffer.from('000000050c00000000', 'hex'));
    });
  });
  await new Promise<void>((resolve) => agent.listen(socket, () => resolve()));
  const folder = context(door, { Dockerfile: 'FROM scratch\n' });
  await build(door, { loans: loansOf(folder, { agents: new Map([['default', { socket }]]) }) });
  agent.close();
  assert.deepEqual(answers, ['000000050c00000000', '0000000105']);
  // SSH_AGENTC_ADD_IDENTITY did not get there.
  assert.deepEqual(asked, ['000000010b']);
  await assert.rejects(build(door, { loans: loansOf(folder) }), /unset ssh forward key default: add --ssh default/);
});

function exchange(path: string, hex: string): Promise<string> {
  return new Promise((resolve, reject) => {
    void import('node:net').then(({ connect }) => {
      const connection = connect(path, () => connection.write(Buffer.from(hex, 'hex')));
      connection.once('error', reject);
      connection.once('data', (data: Buffer) => {
        connection.destroy();
        resolve(data.toString('hex'));
      });
    });
  });
}

const tar = { type: 'tar', attributes: new Map<string, string>() };
const local = { type: 'local', attributes: new Map<string, string>() };

test('outputs: a file, whole; a stream', async () => {
  await using door = await Door.open();
  const folder = context(door, { Dockerfile: 'FROM scratch\n' });
  const file = join(door.folder, 'out.tar');
  writeFileSync(file, 'what was there');
  await build(door, { exporters: [tar], loans: loansOf(folder, { outputs: [{ file }] }) });
  assert.ok(readFileSync(file).equals(outputBytes));
  const pieces: Buffer[] = [];
  const write = (bytes: Uint8Array): void => void pieces.push(Buffer.from(bytes));
  await build(door, { exporters: [local, tar], loans: loansOf(folder, { outputs: [undefined, { write }] }) }).catch(
    () => {},
  );
  await build(door, { exporters: [tar], loans: loansOf(folder, { outputs: [{ write }] }) });
  assert.ok(Buffer.concat(pieces).equals(outputBytes));
  assert.deepEqual(
    readdirSync(door.folder).filter((name) => name.includes('partial')),
    [],
  );
});

test('a file that breaks off leaves what was there', async () => {
  const builds = new ScriptedBuilds(async (_, request) => {
    await request.outputs[0]!.write!(
      (async function* () {
        yield Buffer.alloc(100_000);
        throw new Fault('internal', 'the disk is gone');
      })(),
    );
    return { image: imageId, manifest: undefined, unusedArgs: [], answer: undefined };
  });
  await using door = await Door.open(builds);
  const file = join(door.folder, 'out.tar');
  writeFileSync(file, 'what was there');
  const loans = loansOf(context(door, { Dockerfile: '' }), { outputs: [{ file }] });
  await assert.rejects(build(door, { exporters: [tar], loans }), /the disk is gone/);
  assert.equal(readFileSync(file, 'utf8'), 'what was there');
  assert.deepEqual(
    readdirSync(door.folder).filter((name) => name.includes('partial')),
    [],
  );
});

test('a tree into a new folder, and over one that is there', async () => {
  await using door = await Door.open();
  const folder = context(door, { Dockerfile: 'FROM scratch\n' });
  door.builds.outputFolder = oddTree(join(door.folder, 'tree'));
  const target = join(door.folder, 'new', 'out');
  const take = () => build(door, { exporters: [local], loans: loansOf(folder, { outputs: [{ folder: target }] }) });
  await take();
  assert.ok(readFileSync(join(target, 'a/deep/file')).equals(outputBytes.subarray(0, 100_001)));
  assert.equal(readlinkSync(join(target, 'link')), '../../etc/passwd');
  const outside = folderOf(join(door.folder, 'outside'), { deep: 'untouched' });
  const other = join(door.folder, 'there');
  folderOf(other, { kept: 'kept', 'link/x': 'in the way', 'a-b': 'old' });
  symlinkSync(outside, join(other, 'a'));
  await build(door, { exporters: [local], loans: loansOf(folder, { outputs: [{ folder: other }] }) });
  assert.equal(readFileSync(join(other, 'kept'), 'utf8'), 'kept');
  assert.equal(readlinkSync(join(other, 'link')), '../../etc/passwd');
  assert.ok(lstatSync(join(other, 'a')).isDirectory());
  assert.ok(existsSync(join(other, 'a/deep/file')));
  assert.deepEqual(readdirSync(outside), ['deep']);
  assert.equal(readFileSync(join(other, 'a-b'), 'utf8'), 'sorts between a and a/');
  const partial = [...readdirSync(door.folder), ...readdirSync(join(door.folder, 'new'))];
  assert.deepEqual(
    partial.filter((name) => name.includes('partial')),
    [],
  );
});

test('a tree that breaks off leaves the folder as it was', async () => {
  await using door = await Door.open();
  const folder = context(door, { Dockerfile: 'FROM scratch\n' });
  const target = folderOf(join(door.folder, 'there'), { kept: 'kept' });
  door.builds.outputFolder = join(door.folder, 'missing');
  await assert.rejects(build(door, { exporters: [local], loans: loansOf(folder, { outputs: [{ folder: target }] }) }));
  assert.deepEqual(readdirSync(target), ['kept']);
  mkdirSync(join(door.folder, 'missing'));
});

test('who builds, and what is in the cache', async () => {
  await using door = await Door.open();
  const { labels, platforms } = await askWorker(connectTo(door));
  assert.equal(labels.get('org.mobyproject.buildkit.worker.moby.host-gateway-ip'), '172.17.0.1');
  assert.equal(platforms[0]?.architecture, 'amd64');
  const [record] = await askUsage(connectTo(door), []);
  assert.deepEqual([record?.id, record?.size, record?.createdAt], ['record1', 4096, 1_767_323_045_000_000_006n]);
});
