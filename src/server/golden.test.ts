/** Recorded conversations of stock clients, replayed against the server with an engine in memory. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { loadConversations, replay } from '../../test/support/golden.ts';
import { withServer } from '../../test/support/server.ts';

const conversations = loadConversations(resolve(import.meta.dirname, '../../test/fixtures/golden'));

test('there are conversations to replay', () => {
  assert.ok(conversations.length >= 18, `found ${conversations.length}`);
});

for (const conversation of conversations) {
  const unpacks = conversation.steps.some((step) => 'tarFiles' in step);
  const skip = unpacks && process.getuid?.() !== 0 ? 'needs root (owners of what is unpacked)' : false;
  test(`${conversation.client}: ${conversation.name}`, { skip }, async () => {
    await withServer({}, async ({ path }) => {
      assert.deepEqual(await replay(path, conversation), []);
    });
  });
}
