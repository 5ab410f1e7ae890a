import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildRequest, LocalSource } from '../../api/index.ts';
import { type FrontendRequest, frontendRequest, type Lender } from './frontend-request.ts';

/** A lender whose sources say what they are. */
type Named = LocalSource & { named: string };

const named = (name: string): Named => ({ named: name, fetch: () => Promise.reject(new Error('not fetched here')) });

const nowhere = (): never => {
  throw new Error('nothing is read here');
};
const noBlobs = { size: nowhere, read: nowhere, write: nowhere };

const lender: Lender = {
  source: (name, session) => named(session === undefined ? name : `${session}/${name}`),
  uploaded: (url) => named(`upload ${url.pathname}`),
  store: (name) => Object.assign(noBlobs, { named: name }),
  secrets: {
    secret: async () => undefined,
    agent: () => Promise.reject(new Error('no agent')),
    credentials: async () => undefined,
  },
  sendFile: async () => {},
  sendTree: async () => {},
};

function request(options: Record<string, string>, more: Partial<FrontendRequest> = {}): BuildRequest {
  const nothing = { exporters: [], cacheImports: [], cacheExports: [], entitlements: [] };
  return frontendRequest({ id: 'x', options: new Map(Object.entries(options)), ...nothing, ...more }, lender);
}

function nameOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'named' in value ? value.named : value;
}

function places({ context, dockerfile }: BuildRequest): unknown {
  return 'path' in dockerfile ? [nameOf(context), dockerfile.path, nameOf(dockerfile.source)] : undefined;
}

test('where the context and the Dockerfile are', () => {
  assert.deepEqual(places(request({})), ['context', 'Dockerfile', 'dockerfile']);
  assert.deepEqual(places(request({ filename: 'sub/Other' })), ['context', 'sub/Other', 'dockerfile']);
  const url = 'https://git.example/x.git#main';
  assert.deepEqual(places(request({ context: url })), [{ url }, 'Dockerfile', undefined]);
  assert.deepEqual(places(request({ context: url, dockerfilekey: 'dockerfile' })), [
    { url },
    'Dockerfile',
    'dockerfile',
  ]);
  const upload = 'http://buildkit-session/abc';
  assert.deepEqual(places(request({ context: upload })), ['upload /abc', 'Dockerfile', 'upload /abc']);
  const shared = { contextkey: 'c1', dockerfilekey: 'd1', 'local-sessionid:c1': 's2' };
  assert.deepEqual(places(request(shared)), ['s2/c1', 'Dockerfile', 'd1']);
});

test('limits, networks, hosts, caches', () => {
  const { limits, network, extraHosts, noCache } = request({
    memory: '64m',
    cpuquota: '5000',
    'shm-size': '1024',
    ulimit: 'nofile=10:20,core=0',
    'force-network-mode': 'host',
    'add-hosts': 'a=1.2.3.4,b=::1',
    'no-cache': '',
  });
  assert.equal(limits.memory, 64 << 20);
  assert.deepEqual([limits.cpuQuota, limits.shmSize], [5000, 1024]);
  assert.deepEqual(limits.ulimits, [
    { Name: 'nofile', Soft: 10, Hard: 20 },
    { Name: 'core', Soft: 0, Hard: 0 },
  ]);
  assert.deepEqual([network, noCache, extraHosts], ['host', true, ['a:1.2.3.4', 'b:::1']]);
  const imports = JSON.stringify([{ Type: 'registry', Attrs: { ref: 'x/y' } }]);
  assert.deepEqual(request({ 'cache-imports': imports }).cacheFrom, [{ type: 'registry', attributes: { ref: 'x/y' } }]);
});

test('outputs', () => {
  const exporter = (type: string, attributes: Record<string, string>): FrontendRequest['exporters'][number] => ({
    type,
    attributes: new Map(Object.entries(attributes)),
  });
  const exporters = [
    exporter('moby', { name: 'a,b', 'annotation.k': 'v' }),
    exporter('local', {}),
    exporter('tar', {}),
  ];
  const { outputs, annotations } = request({}, { exporters });
  assert.deepEqual(
    outputs.map(({ type, names, write, writeTree }) => [type, names, write !== undefined, writeTree !== undefined]),
    [
      ['image', ['a', 'b'], false, false],
      ['local', [], false, true],
      ['tar', [], true, false],
    ],
  );
  assert.deepEqual([...annotations], [['k', 'v']]);
  assert.throws(() => request({}, { exporters: [exporter('odd', {})] }), { kind: 'invalid' });
});

test('what cannot be understood is refused, whoever sends it', () => {
  const bad: Record<string, string>[] = [
    { memory: 'much' },
    { ulimit: 'nofile' },
    { 'cache-imports': '{' },
    { 'cache-imports': '[null]' },
    { 'context:x': 'oci-layout://y' },
  ];
  for (const options of bad) assert.throws(() => request(options), { kind: 'invalid' }, JSON.stringify(options));
  assert.throws(() => request({ requestid: 'frontend.other' }), { kind: 'not-implemented' });
});
