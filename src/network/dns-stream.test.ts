import assert from 'node:assert/strict';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { serveDnsStream } from './dns-stream.ts';

function framed(text: string): Buffer {
  const frame = Buffer.alloc(2 + text.length);
  frame.writeUInt16BE(text.length, 0);
  frame.write(text, 2);
  return frame;
}

async function withStream(
  answer: (query: Buffer) => Promise<Buffer | undefined>,
  use: (client: Socket, served: Socket) => Promise<void>,
): Promise<void> {
  const server = createServer();
  const accepted = new Promise<Socket>((done) => server.once('connection', done));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  const served = await accepted;
  serveDnsStream(served, answer);
  try {
    await use(client, served);
  } finally {
    client.destroy();
    served.destroy();
    server.close();
  }
}

test('questions are answered in order, whatever pieces they come in', async () => {
  let delay = 20;
  await withStream(
    async (query) => {
      await sleep((delay -= 5));
      return query.toString() === 'none' ? undefined : Buffer.from(`re ${query.toString()}`);
    },
    async (client) => {
      const all = Buffer.concat(['a', 'none', 'bb', ''].map(framed));
      client.write(all.subarray(0, 1));
      await sleep(5);
      client.write(all.subarray(1, 9));
      await sleep(5);
      client.write(all.subarray(9));
      let got = '';
      for await (const chunk of client) {
        got += String(chunk);
        if (got.endsWith('re ')) break;
      }
      assert.equal(got, Buffer.concat(['re a', 're bb', 're '].map(framed)).toString());
    },
  );
});

test('who asks and never reads is not read from', async () => {
  const reply = Buffer.alloc(60_000, 'x');
  let asked = 0;
  await withStream(
    async () => {
      asked++;
      return reply;
    },
    async (client, served) => {
      client.pause();
      const questions = Buffer.concat(Array<Buffer>(1000).fill(framed('q'.repeat(100))));
      for (let round = 0; round < 50; round++) client.write(questions);
      let before = -1;
      while (asked !== before) {
        before = asked;
        await sleep(100);
      }
      assert.ok(asked < 1000, `${asked} of 50000 answered`);
      assert.ok(served.writableLength < 200_000, `${served.writableLength} bytes wait`);
      assert.equal(served.isPaused(), true);
    },
  );
});
