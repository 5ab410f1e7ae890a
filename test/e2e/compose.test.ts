/** `wherry compose` on Wherry, and beside docker compose 2. */
import { composeCases } from '../support/compose-cases.ts';
import { dockerCompose } from '../support/compose-project.ts';
import { sharedDaemon } from '../support/daemon.ts';

const host = await sharedDaemon();
let noDockerCompose: string | undefined;
await dockerCompose().catch((error: Error) => {
  noDockerCompose = error.message;
});

composeCases({
  place: () => ({ root: host.daemon.root, env: host.docker.env }),
  docker: () => host.docker,
  scenario: host.scenario,
  noDockerCompose,
});
