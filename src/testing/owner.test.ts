/** Who lives, and who does not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { currentOwner, lifeOf, ownerText, parseOwner } from './owner.ts';

test('this process lives, and says so in words that can be read', () => {
  const owner = currentOwner();
  assert.deepEqual(parseOwner(ownerText(owner)), owner);
  assert.equal(lifeOf(owner), 'alive');
  for (const bad of [undefined, '', 'a/b/c', 'a/b/c/x/1', 'a/b/c/1/2/3']) assert.equal(parseOwner(bad), undefined);
});

test('a process that ended is dead, and so is who has its pid now', async () => {
  const child = spawn('true');
  await new Promise((done) => child.on('exit', done));
  assert.equal(lifeOf({ ...currentOwner(), pid: child.pid! }), 'dead');
  assert.equal(lifeOf({ ...currentOwner(), started: '1' }), 'dead');
});

test('nobody survives a boot; of other machines and containers nothing is known', () => {
  const owner = currentOwner();
  assert.equal(lifeOf({ ...owner, boot: 'other' }), 'dead');
  assert.equal(lifeOf({ ...owner, machine: 'other' }), 'unknown');
  assert.equal(lifeOf({ ...owner, machine: 'other', boot: 'other' }), 'unknown');
  assert.equal(lifeOf({ ...owner, namespace: '1' }), 'unknown');
});
