/** `wherry compose` on the reference dockerd: a client like any other. */
import { after, test } from 'node:test';
import { composeCases } from '../support/compose-cases.ts';
import { dockerCompose } from '../support/compose-project.ts';
import { cannotRun } from '../support/daemon.ts';
import { busyboxImage } from '../support/images.ts';
import { ReferenceEngine } from '../support/peers.ts';

let engine: ReferenceEngine | undefined;
let reason = cannotRun();
if (reason === undefined) {
  try {
    await dockerCompose();
    engine = await ReferenceEngine.open();
    await engine.docker.ok('load', '-q', '-i', await busyboxImage());
  } catch (error) {
    reason = (error as Error).message;
  }
}
after(() => engine?.[Symbol.asyncDispose]());

composeCases({
  place: () => ({ root: engine!.root, env: engine!.docker.env }),
  docker: () => engine!.docker,
  scenario: (name, body, { timeoutMs = 60_000 } = {}) => {
    test(name, { timeout: timeoutMs, skip: reason ?? false }, body);
  },
  noDockerCompose: undefined,
});
