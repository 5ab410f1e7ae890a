/** A one-project socket: sees its own, labels what it makes, cannot reach others or the host. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFakeEngine, type FakeEngine } from '../../test/support/fake-engine.ts';
import type { ContainerCreateBody, Engine } from '../api/index.ts';
import { noFilters } from '../api/index.ts';
import { projectEngine } from './one-project.ts';

const label = 'com.docker.compose.project';

async function setUp(): Promise<{ whole: FakeEngine; mine: Engine; own: string; foreign: string }> {
  const whole = createFakeEngine();
  const mine = projectEngine(whole, 'app');
  const create = async (engine: Engine, body: ContainerCreateBody): Promise<string> =>
    (
      await engine.containers.create({
        name: undefined,
        platform: undefined,
        apiVersion: '1.51',
        body: { Image: 'busybox', ...body },
      })
    ).Id;
  return { whole, mine, own: await create(mine, {}), foreign: await create(whole, { Labels: { [label]: 'other' } }) };
}

function createIn(engine: Engine, body: ContainerCreateBody): Promise<{ Id: string }> {
  return engine.containers.create({
    name: undefined,
    platform: undefined,
    apiVersion: '1.51',
    body: { Image: 'busybox', ...body },
  });
}

const notFound = { kind: 'not-found' };
const forbidden = { kind: 'forbidden' };

describe('a one-project engine', () => {
  test('labels and lists its own containers, and hides the others', async () => {
    const { mine, own, foreign } = await setUp();
    const listed = await mine.containers.list({ all: true, limit: 0, size: false, filters: noFilters });
    assert.deepEqual(
      listed.map((each) => each.Id),
      [own],
    );
    assert.equal((await mine.containers.inspect(own, { size: false })).Config.Labels?.[label], 'app');
    await assert.rejects(mine.containers.inspect(foreign, { size: false }), {
      ...notFound,
      message: `No such container: ${foreign}`,
    });
  });

  test('a label filter of the client’s does not widen what is seen', async () => {
    const { mine } = await setUp();
    const filters = new Map([['label', new Set([`${label}=other`])]]);
    assert.deepEqual(await mine.containers.list({ all: true, limit: 0, size: false, filters }), []);
  });

  test('no verb reaches another project’s container', async () => {
    const { mine, whole, foreign } = await setUp();
    const signal = new AbortController().signal;
    const verbs: (() => Promise<unknown>)[] = [
      () => mine.containers.start(foreign),
      () => mine.containers.stop(foreign, {}),
      () => mine.containers.kill(foreign, undefined),
      () => mine.containers.remove(foreign, { force: true, volumes: true, link: false }),
      () => mine.containers.logs(foreign, {} as never, signal),
      () => mine.containers.attach(foreign, {} as never),
      () => mine.containers.getArchive(foreign, '/', signal),
      () => mine.containers.putArchive(foreign, '/', [] as never, {} as never),
      () => mine.containers.wait(foreign, 'removed', signal),
      () => mine.execs.create(foreign, { Cmd: ['true'] }),
      () => mine.networks.connect('bridge', foreign, {}),
    ];
    for (const verb of verbs) await assert.rejects(verb, notFound);
    await whole.containers.start(foreign);
    const exec = await whole.execs.create(foreign, { Cmd: ['true'] });
    await assert.rejects(mine.execs.start(exec.Id, { detach: true, tty: false, consoleSize: undefined }), notFound);
    await assert.rejects(mine.execs.inspect(exec.Id), notFound);
  });

  test('new networks and volumes carry the label; others’ are not there', async () => {
    const { mine, whole } = await setUp();
    await whole.networks.create({ Name: 'theirs', Labels: { [label]: 'other' } });
    await whole.volumes.create({ Name: 'theirs', Labels: { [label]: 'other' } });
    await mine.networks.create({ Name: 'ours' });
    await mine.volumes.create({ Name: 'ours' });
    assert.deepEqual(
      (await mine.networks.list(noFilters)).map((each) => each.Name),
      ['ours'],
    );
    assert.deepEqual(
      (await mine.volumes.list(noFilters)).Volumes.map((each) => each.Name),
      ['ours'],
    );
    await assert.rejects(mine.networks.inspect('theirs', { verbose: false, scope: undefined }), notFound);
    await assert.rejects(mine.volumes.remove('theirs', { force: true }), notFound);
    await assert.rejects(mine.volumes.create({ Name: 'theirs' }), forbidden);
  });

  test('a container may use the project’s own, and claims volumes that are not there yet', async () => {
    const { mine, whole, own, foreign } = await setUp();
    await whole.volumes.create({ Name: 'theirs', Labels: { [label]: 'other' } });
    await whole.networks.create({ Name: 'theirs', Labels: { [label]: 'other' } });
    await mine.networks.create({ Name: 'ours' });
    await createIn(mine, {
      HostConfig: { Binds: ['fresh:/data'], VolumesFrom: [own], NetworkMode: 'ours', PidMode: `container:${own}` },
      NetworkingConfig: { EndpointsConfig: { ours: {}, default: {} } },
    });
    assert.equal((await whole.volumes.inspect('fresh')).Labels?.[label], 'app');
    const outside: ContainerCreateBody['HostConfig'][] = [
      { Binds: ['theirs:/data'] },
      { Mounts: [{ Type: 'volume', Source: 'theirs', Target: '/data' }] },
      { VolumesFrom: [`${foreign}:ro`] },
      { NetworkMode: 'theirs' },
      { NetworkMode: `container:${foreign}` },
      { PidMode: `container:${foreign}` },
      { Links: [`${foreign}:x`] },
    ];
    for (const HostConfig of outside) {
      await assert.rejects(
        createIn(mine, { HostConfig }),
        (error: { kind: string }) => ['not-found', 'forbidden'].includes(error.kind),
        JSON.stringify(HostConfig),
      );
    }
  });

  test('no way out to the host', async () => {
    const { mine, own } = await setUp();
    const escapes: ContainerCreateBody['HostConfig'][] = [
      { Binds: ['/:/host'] },
      { Mounts: [{ Type: 'bind', Source: '/', Target: '/host' }] },
      { Mounts: [{ Type: 'volume', Source: 'v', VolumeOptions: { DriverConfig: { Options: { device: '/' } } } }] },
      { Privileged: true },
      { PidMode: 'host' },
      { NetworkMode: 'host' },
      { Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda', CgroupPermissions: 'rwm' }] },
      { CapAdd: ['SYS_ADMIN'] },
      { SecurityOpt: ['seccomp=unconfined'] },
      { MaskedPaths: [] },
    ];
    for (const HostConfig of escapes)
      await assert.rejects(createIn(mine, { HostConfig }), forbidden, JSON.stringify(HostConfig));
    await assert.rejects(mine.volumes.create({ Name: 'x', DriverOpts: { device: '/' } }), forbidden);
    await assert.rejects(mine.execs.create(own, { Cmd: ['sh'], Privileged: true }), forbidden);
    await assert.rejects(mine.images.tag('busybox', { repo: 'postgres', tag: '1' }), forbidden);
    await assert.rejects(mine.images.remove('busybox', { force: true, noPrune: false }), forbidden);
  });
});
