/** The recorded conversations of stock clients, replayed against the real daemon. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { repository, sharedDaemon } from '../support/daemon.ts';
import { loadConversations, replay } from '../support/golden.ts';

const host = await sharedDaemon();

for (const conversation of loadConversations(join(repository, 'test/fixtures/golden'))) {
  host.scenario(`${conversation.client}: ${conversation.name}`, async () => {
    assert.deepEqual(await replay(host.daemon.socket, conversation), []);
  });
}
