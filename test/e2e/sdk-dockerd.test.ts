/** The SDK and its databases for tests on the reference dockerd: a client like any other. */
import { after, test } from 'node:test';
import { cannotRun } from '../support/daemon.ts';
import { busyboxImage } from '../support/images.ts';
import { ReferenceEngine } from '../support/peers.ts';
import { sdkCases } from '../support/sdk-cases.ts';

let engine: ReferenceEngine | undefined;
let reason = cannotRun();
if (reason === undefined) {
  try {
    engine = await ReferenceEngine.open();
    await engine.docker.ok('load', '-q', '-i', await busyboxImage());
  } catch (error) {
    reason = (error as Error).message;
  }
}
after(() => engine?.[Symbol.asyncDispose]());

sdkCases({
  place: () => ({ root: engine!.root, host: engine!.host, connections: undefined }),
  scenario: (name, body) => {
    test(name, { timeout: 60_000, skip: reason ?? false }, body);
  },
});
