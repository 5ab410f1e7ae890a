/** The SDK and its databases for tests on our daemon. */
import { sharedDaemon } from '../support/daemon.ts';
import { descriptors } from '../support/leaks.ts';
import { sdkCases } from '../support/sdk-cases.ts';

const host = await sharedDaemon();

sdkCases({
  place: () => ({
    root: host.daemon.root,
    host: host.daemon.host,
    connections: () => descriptors(host.daemon.pid).get(`socket unix ${host.daemon.socket}`) ?? 0,
  }),
  scenario: (name, body) => host.scenario(name, body),
});
