import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isTaken } from './socket-queue.ts';

test('what a peer has read is known', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-queue-'));
  const server = createServer({ pauseOnConnect: true });
  try {
    const path = join(folder, 's');
    await new Promise<void>((done) => server.listen(path, done));
    const accepted = new Promise<Socket>((done) => server.once('connection', done));
    const client = connect(path);
    const peer = await accepted;
    const { fd } = (client as unknown as { _handle: { fd: number } })._handle;
    assert.equal(isTaken(fd), true);
    await new Promise((done) => client.write('head', done));
    assert.equal(isTaken(fd), false);
    peer.resume();
    await new Promise((done) => peer.once('data', done));
    assert.equal(isTaken(fd), true);
    client.destroy();
    peer.destroy();
    assert.equal(isTaken(-1), undefined);
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
