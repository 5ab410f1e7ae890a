/** Streams of attached processes and their logs: stdio frames, WebSocket frames, detach keys, log lines, the same in whatever pieces. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import fc from 'fast-check';
import { readFrames } from '../../src/client/index.ts';
import { DetachScanner, parseDetachKeys } from '../../src/container/detach-keys.ts';
import { parseLogLine, readLog } from '../../src/container/log-file.ts';
import { frameHeader } from '../../src/server/stdio.ts';
import { frameHead, parseFrame } from '../../src/server/websocket.ts';
import { fuzzed, orFaultLater, property } from '../support/fuzz.ts';

const folder = mkdtempSync(join(tmpdir(), 'wherry-fuzz-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** What the frames carry, per stream; undefined when they end with a fault. */
async function carried(bytes: Buffer, size: number): Promise<{ stdout: string; stderr: string } | undefined> {
  return orFaultLater(async () => {
    const out = { stdout: '', stderr: '' };
    try {
      for await (const { stream, data } of readFrames(inPieces(bytes, size)))
        out[stream] += Buffer.from(data).toString('latin1');
    } catch (error) {
      // What the daemon itself says went wrong.
      if (!/error from daemon in stream/.test(String(error))) throw error;
    }
    return out;
  });
}

const frame = (stream: 'stdout' | 'stderr' | 'failure', text: string): Buffer =>
  Buffer.concat([frameHeader(stream, text.length), Buffer.from(text)]);

fuzzed('stdio frames', {
  corpus: [
    Buffer.concat([frame('stdout', 'hello\n'), frame('stderr', 'x'), frame('stdout', ''), frame('failure', 'broken')]),
    frame('stdout', 'y'.repeat(3000)),
  ],
  words: ['\x01\0\0\0\0\0\0\x05', '\x02\0\0\0\xff\xff\xff\xff', '\x03\0\0\0\0\0\0\x01', '\x04'],
  longest: 4096,
  check: async (bytes) => assert.deepEqual(await carried(bytes, 7), await carried(bytes, bytes.length + 1)),
});

const payload = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
property(
  'frames come out as they were put in',
  fc.tuple(
    fc.array(fc.tuple(fc.constantFrom('stdout' as const, 'stderr' as const), payload)),
    fc.integer({ min: 1, max: 50 }),
  ),
  async ([frames, size]) => {
    const bytes = Buffer.concat(frames.flatMap(([stream, data]) => [frameHeader(stream, data.length), data]));
    const of = (name: string): string =>
      Buffer.concat(frames.filter(([stream]) => stream === name).map(([, data]) => data)).toString('latin1');
    assert.deepEqual(await carried(bytes, size), { stdout: of('stdout'), stderr: of('stderr') });
  },
);

const masked = (first: number, body: Buffer, mask = Buffer.from([1, 2, 3, 4])): Buffer => {
  const head = frameHead(first & 15, body.length);
  head[0] = first;
  head[1]! |= 0x80;
  return Buffer.concat([head, mask, Buffer.from(body.map((byte, index) => byte ^ mask[index & 3]!))]);
};

fuzzed('WebSocket frames', {
  corpus: [
    masked(0x82, Buffer.from('hello')),
    masked(0x01, Buffer.alloc(300, 'x')),
    masked(0x89, Buffer.from('ping')),
    masked(0x88, Buffer.alloc(2)),
    masked(0x82, Buffer.alloc(70_000)),
  ],
  words: ['\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff', '\x82\xfe', '\x88\x80', '\xf2'],
  longest: 100_000,
  check: (bytes) => {
    for (let rest = bytes; rest.length > 0; ) {
      const read = parseFrame(rest);
      if (read === undefined || typeof read === 'string') return;
      assert.ok(read.size >= 6 && read.size <= rest.length && read.payload.length <= 1 << 20);
      rest = rest.subarray(read.size);
    }
  },
});

property(
  'WebSocket frames come out as they were put in',
  fc.tuple(
    fc.constantFrom(0x81, 0x82, 0x02, 0x00),
    fc.uint8Array({ maxLength: 70_000, size: 'max' }),
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
  ),
  ([first, body, mask]) => {
    const bytes = masked(first, Buffer.from(body), Buffer.from(mask));
    const read = parseFrame(bytes);
    assert.ok(typeof read === 'object');
    assert.ok(
      read.payload.equals(body) &&
        read.size === bytes.length &&
        read.final === first > 127 &&
        read.opcode === (first & 15),
    );
    assert.equal(parseFrame(bytes.subarray(0, -1)), undefined);
  },
);

const keys = fc.array(fc.integer({ min: 16, max: 19 }), { minLength: 1, maxLength: 3 });
const typed = fc.array(fc.integer({ min: 15, max: 20 }), { maxLength: 40 }).map((bytes) => Buffer.from(bytes));
property(
  'detach keys are found in whatever pieces, and nothing else is lost',
  fc.tuple(keys, typed, fc.infiniteStream(fc.nat(4))),
  ([sequence, input, cuts]) => {
    const scan = (pieces: readonly Buffer[]): { passed: string; detached: boolean } => {
      const scanner = new DetachScanner(sequence);
      let passed = '';
      for (const piece of pieces) {
        const { pass, detached } = scanner.feed(piece);
        passed += Buffer.from(pass).toString('hex');
        if (detached) return { passed, detached };
      }
      return { passed, detached: false };
    };
    const pieces: Buffer[] = [];
    for (let at = 0; at < input.length; at += pieces.at(-1)!.length)
      pieces.push(input.subarray(at, at + 1 + (cuts.next().value as number)));
    const whole = scan([input]);
    assert.deepEqual(scan(pieces), whole);
    assert.ok(input.toString('hex').startsWith(whole.passed));
    if (!whole.detached) assert.ok(input.length - whole.passed.length / 2 < sequence.length);
  },
);

property('detach keys are bytes', fc.string({ unit: 'binary', maxLength: 4 }), (text) => {
  try {
    for (const key of parseDetachKeys(text)) assert.ok(key >= 0 && key < 256, `${text}: ${key}`);
  } catch (error) {
    assert.equal((error as { kind?: string }).kind, 'invalid');
  }
});

const line = '2026-11-24T00:14:49.828280007+00:00 stdout F text\n';
fuzzed('log files', {
  corpus: [line.repeat(5), `${line.replace(' F ', ' P ')}${line}`, line.replace('stdout', 'stderr').slice(0, -1)],
  words: [' ', '\n', ' P ', 'stderr', '\0', '9999-99-99T99:99:99Z'],
  check: async (bytes) => {
    parseLogLine(bytes);
    const path = join(folder, 'log');
    writeFileSync(path, bytes);
    const all = await logged(path, undefined);
    for (const tail of [0, 1, 3]) {
      const some = await logged(path, tail);
      assert.ok(some.length <= all.length);
      assert.deepEqual(some, some.length === 0 ? [] : all.slice(-some.length), `tail ${tail}`);
    }
  },
});

async function logged(path: string, tail: number | undefined): Promise<string[]> {
  const lines: string[] = [];
  const options = { tail, since: undefined, until: undefined, stdout: true, stderr: true, follow: undefined };
  for await (const { stream, data } of readLog(path, options, new AbortController().signal))
    lines.push(`${stream} ${data.toString('latin1')}`);
  return lines;
}
