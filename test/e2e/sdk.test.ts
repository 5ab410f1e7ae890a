/** The SDK and its databases for tests on our daemon. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { connect } from '../../src/sdk/index.ts';
import { cannotRun, sharedDaemon } from '../support/daemon.ts';
import { descriptors } from '../support/leaks.ts';
import { RegistryService } from '../support/peers.ts';
import { sdkCases } from '../support/sdk-cases.ts';

let reason = cannotRun();
const registry =
  reason === undefined
    ? await RegistryService.open().catch((error: Error) => {
        reason = error.message;
        return undefined;
      })
    : undefined;
after(() => registry?.[Symbol.asyncDispose]());

const host = await sharedDaemon();

sdkCases({
  place: () => ({
    root: host.daemon.root,
    host: host.daemon.host,
    connections: () => descriptors(host.daemon.pid).get(`socket unix ${host.daemon.socket}`) ?? 0,
  }),
  scenario: (name, body) => host.scenario(name, body),
});

host.scenario(
  'push and pull: progress by layer, the same image back, the words of the registry',
  async () => {
    await using engine = await connect({ endpoint: host.daemon.host });
    const name = `${registry!.address}/sdk/busybox:1`;
    const { Id } = await engine.images.inspect('busybox');
    await engine.images.tag('busybox', name);
    const pushed: string[] = [];
    for await (const { status } of engine.images.push(name)) pushed.push(status);
    assert.ok(pushed.includes('Pushed'), pushed.join());
    await engine.images.remove(name);
    assert.equal(await engine.images.pull(name), Id);
    await assert.rejects(engine.images.pull(`${registry!.address}/sdk/nothing:1`), /manifest unknown|not found/);
    const stopped = AbortSignal.abort(new Error('enough'));
    await assert.rejects(engine.images.pull(name, { signal: stopped }), /enough/);
    await engine.images.remove(name);
  },
  reason === undefined ? {} : { skip: reason },
);
