/** A session's input before there is a process, and its output when nobody reads. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StdioStream } from '../monitor/index.ts';
import { ProcessSession } from './session.ts';

class Process implements StdioStream {
  onOutput: StdioStream['onOutput'];
  onEnd: StdioStream['onEnd'];
  input = '';
  inputClosed = false;
  paused = false;
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  async write(data: Uint8Array): Promise<void> {
    this.input += Buffer.from(data).toString();
    await sleep(5);
  }
  closeInput(): void {
    this.inputClosed = true;
  }
  close(): void {}
}

function session(): ProcessSession {
  const nothing = (): void => {};
  return new ProcessSession({
    tty: false,
    stdin: true,
    stdout: true,
    stderr: true,
    closesStdin: true,
    detachKeys: undefined,
    onDetachKeys: nothing,
    onClosed: nothing,
  });
}

test('input that comes while earlier input is still on its way comes after it', async () => {
  const client = session();
  const process = new Process();
  await client.write(Buffer.from('a'));
  await client.write(Buffer.from('b'));
  await client.write(Buffer.from('c'));
  client.connect(process);
  await client.write(Buffer.from('d'));
  await client.write(Buffer.from('e'));
  client.closeInput();
  assert.equal(process.input, 'abcde');
  assert.equal(process.inputClosed, true);
});

test('input that ends while it is still on its way is not cut', async () => {
  const client = session();
  const process = new Process();
  for (const text of ['a', 'b', 'c']) await client.write(Buffer.from(text));
  client.connect(process);
  client.closeInput();
  assert.equal(process.inputClosed, false);
  await sleep(50);
  assert.equal(process.input, 'abc');
  assert.equal(process.inputClosed, true);
});

test('no more than a megabyte of input waits for a process', async () => {
  const client = session();
  const piece = Buffer.alloc(100_000, 'x');
  let written = 0;
  const writing = (async () => {
    for (; written < 100; written++) await client.write(piece);
  })();
  await sleep(20);
  assert.ok(written < 15, `${written} pieces are held`);
  const process = new Process();
  client.connect(process);
  await writing;
  assert.equal(process.input.length, 10_000_000);
});

test('input that waits is let go with the session', async () => {
  const client = session();
  const piece = Buffer.alloc(2_000_000, 'x');
  await client.write(piece);
  const waiting = client.write(piece);
  client.detach();
  await waiting;
});

test('single characters that nobody reads make the process wait, too', async () => {
  const client = session();
  const process = new Process();
  client.connect(process);
  let printed = 0;
  for (; printed < 1_000_000 && !process.paused; printed++) process.onOutput?.('stdout', Buffer.from('x'));
  assert.ok(printed < 10_000, `${printed} pieces are held`);
  let read = 0;
  for await (const { data } of client.output) {
    read += data.length;
    if (read === printed) process.onEnd?.();
  }
  assert.equal(process.paused, false);
  assert.equal(read, printed);
});

test('who reads nothing of what a process left is let go of; who reads slowly is not', async () => {
  for (const reads of [false, true]) {
    const client = session();
    const process = new Process();
    client.connect(process);
    while (!process.paused) process.onOutput?.('stdout', Buffer.alloc(100_000, 'x'));
    const output = client.output[Symbol.asyncIterator]();
    await output.next();
    client.processEnded();
    for (let round = 0; round < 5; round++) {
      await sleep(1000);
      if (reads) await output.next();
    }
    assert.equal(client.detached, !reads);
    client.detach();
  }
});
