/** attach/ws with a browser's client (Node's own WebSocket) over TCP, and with frames no client should send. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually, RawClient, type Running, withServer } from '../../test/support/server.ts';
import { frameHead, parseFrame } from './websocket.ts';

async function container({ engine }: Running, command: string[]): Promise<void> {
  await engine.containers.create({
    name: 'c',
    platform: undefined,
    body: { Image: 'busybox', Cmd: command, Tty: true },
    apiVersion: '1.51',
  });
  await engine.containers.start('c');
}

const handshake = (version = '13'): string =>
  `GET /containers/c/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

function masked(kind: number, payload: string, first = 0x80 | kind): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const body = Buffer.from(payload).map((byte, index) => byte ^ mask[index & 3]!);
  return Buffer.concat([Buffer.from([first, 0x80 | body.length]), mask, body]);
}

describe('attach/ws', () => {
  test('a browser talks to a container', async () => {
    await withServer({}, async (running) => {
      await container(running, ['cat']);
      const address = await running.server.listen({ host: '127.0.0.1', port: 0 });
      assert.ok('port' in address);
      const socket = new WebSocket(
        `ws://127.0.0.1:${address.port}/v1.51/containers/c/attach/ws?stream=1&stdin=1&stdout=1`,
      );
      socket.binaryType = 'arraybuffer';
      let received = '';
      socket.addEventListener('message', (event) => {
        received += Buffer.from(event.data as ArrayBuffer).toString();
      });
      await new Promise((resolve) => socket.addEventListener('open', resolve));
      socket.send('text ');
      socket.send(Buffer.alloc(70_000, 'b'));
      await eventually(() => received.length === 70_005, `received ${received.length}`);
      const closed = new Promise<CloseEvent>((resolve) => socket.addEventListener('close', resolve));
      await running.engine.containers.kill('c', undefined);
      assert.equal((await closed).code, 1000);
    });
  });

  test('the handshake is answered as RFC 6455 says', async () => {
    await withServer({}, async (running) => {
      await container(running, ['cat']);
      const client = new RawClient(running.path);
      client.send(handshake());
      await client.until(
        /^HTTP\/1\.1 101 Switching Protocols\r\n[\s\S]*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/,
      );
      client.send(Buffer.concat([masked(1, 'he', 0x01), masked(9, 'ping'), masked(0, 'llo', 0x80)]));
      await client.until(/\x8a\x04ping/);
      await client.until(/\x82\x02he[\s\S]*\x82\x03llo/);
      client.send(masked(8, ''));
      await client.until(/\x88\x02\x03\xe8$/);
      client.close();
    });
  });

  test('what is not a handshake is a plain refusal', async () => {
    await withServer({}, async (running) => {
      await container(running, ['cat']);
      for (const request of ['GET /containers/c/attach/ws HTTP/1.1\r\nConnection: close\r\n\r\n', handshake('12')]) {
        const client = new RawClient(running.path);
        client.send(request);
        await client.until(/^HTTP\/1\.1 400 [\s\S]*WebSocket/);
        client.close();
      }
    });
  });

  test('bad frames close the connection with the reason', async () => {
    const bad: [Buffer, RegExp][] = [
      [Buffer.from([0x81, 0x01, 0x61]), /\x88\x02\x03\xea$/],
      [masked(3, 'x'), /\x88\x02\x03\xea$/],
      [masked(0, 'x'), /\x88\x02\x03\xea$/],
      [masked(1, 'x', 0xf1), /\x88\x02\x03\xea$/],
      [Buffer.from([0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), /\x88\x02\x03\xf1$/],
    ];
    await withServer({}, async (running) => {
      await container(running, ['cat']);
      for (const [bytes, close] of bad) {
        const client = new RawClient(running.path);
        client.send(handshake());
        await client.until(/\r\n\r\n/);
        client.send(bytes);
        await client.until(close);
        client.close();
      }
    });
  });
});

test('frame heads of all three lengths', () => {
  assert.deepEqual([...frameHead(2, 5)], [0x82, 5]);
  assert.deepEqual([...frameHead(2, 300)], [0x82, 126, 1, 44]);
  assert.deepEqual([...frameHead(2, 70_000)], [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
});

test('a frame is parsed only when all of it is there', () => {
  const whole = masked(2, 'hello');
  for (let length = 0; length < whole.length; length++) assert.equal(parseFrame(whole.subarray(0, length)), undefined);
  const frame = parseFrame(whole);
  assert.ok(typeof frame === 'object' && frame.payload.toString() === 'hello' && frame.size === whole.length);
});
