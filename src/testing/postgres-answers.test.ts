/** The first words with a PostgreSQL, spoken by a stand-in. */
import assert from 'node:assert/strict';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { postgresAnswers } from './postgres-answers.ts';

async function ask(answer: string): Promise<{ seen: Buffer; result: Promise<boolean> }> {
  let seen: Buffer = Buffer.alloc(0);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      seen = chunk;
      socket.end(Buffer.from(answer, 'latin1'));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const signal = AbortSignal.timeout(5000);
  const result = postgresAnswers({ host: '127.0.0.1', port, user: 'me', database: 'mine' }, signal);
  await result.catch(() => {});
  server.close();
  return { seen, result };
}

test('it is up when it asks for the password', async () => {
  const { seen, result } = await ask('R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0');
  assert.equal(await result, true);
  assert.equal(seen.readInt32BE(0), seen.length);
  assert.equal(seen.readInt32BE(4), 196_608);
  assert.equal(seen.toString('latin1', 8), 'user\0me\0database\0mine\0\0');
});

test('starting up, or a proxy before nobody: not yet', async () => {
  assert.equal(
    await (await ask('E\0\0\0\x40SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0')).result,
    false,
  );
  assert.equal(await (await ask('')).result, false);
});

test('a refusal is told', async () => {
  const { result } = await ask('E\0\0\0\x40SFATAL\0C3D000\0Mdatabase "mine" does not exist\0\0');
  await assert.rejects(result, /database "mine" does not exist/);
});
