/**
 * The server's side of WebSockets (RFC 6455), as far as attach/ws needs it: output goes out in unframed binary messages; text
 * and binary messages, fragmented or not, are input. No extensions; a frame longer than `maxFrameBytes` ends the connection.
 */
import { createHash } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import type { StdioSession } from '../api/index.ts';
import { Fault, Gathered } from '../std/index.ts';
import type { RawStream } from './http/raw-stream.ts';

const maxFrameBytes = 1 << 20;
const framesPerTurn = 512;
const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const closeCode = { normal: 1000, protocol: 1002, tooBig: 1009 } as const;

/** The head that accepts the handshake. @throws Fault invalid when it is not one. */
export function acceptWebSocket(header: (name: string) => string | undefined): string {
  const key = header('sec-websocket-key');
  const upgrades = header('upgrade')?.toLowerCase() === 'websocket';
  if (!upgrades || key === undefined || Buffer.from(key, 'base64').length !== 16) {
    throw new Fault('invalid', 'Cannot attach: want a WebSocket handshake (RFC 6455)');
  }
  if (header('sec-websocket-version') !== '13') {
    throw new Fault('invalid', 'Cannot attach: want WebSocket version 13');
  }
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
}

/** Carries a session over the socket until either side ends. */
export async function pumpWebSocket(
  stream: RawStream,
  session: StdioSession,
  options: { input: boolean },
): Promise<void> {
  stream.onClose(() => session.detach());
  let goodbye: number = closeCode.normal;
  // Ends with the stream. Not awaited: input the process never takes must not hold the connection.
  void pumpMessages(stream, session, options.input, (code) => {
    goodbye = code;
  });
  try {
    for await (const { data } of session.output) {
      if (data.length > 0) await stream.write(frameHead(opcode.binary, data.length), data);
    }
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(goodbye);
    await stream.write(frameHead(opcode.close, payload.length), payload);
    await stream.finish();
  } finally {
    session.detach();
    stream.destroy();
  }
}

/** Never rejects. Calls `onGoodbye` with the close code when the client's messages end the exchange. */
async function pumpMessages(
  stream: RawStream,
  session: StdioSession,
  forward: boolean,
  onGoodbye: (code: number) => void,
): Promise<void> {
  try {
    const code = await readMessages(stream, async (data) => {
      if (forward) await session.write(data);
    });
    if (forward && !stream.closed) session.closeInput();
    if (code === undefined) return;
    onGoodbye(code);
    session.detach();
  } catch {
    session.detach();
  }
}

/** @returns the close code to answer with; undefined when the client just closed the connection. */
async function readMessages(
  stream: RawStream,
  onData: (data: Uint8Array) => Promise<void>,
): Promise<number | undefined> {
  const held = new Gathered();
  let fragmented = false;
  for (let frames = 1; ; frames++) {
    // Frames of nothing must not keep everybody else waiting.
    if (frames % framesPerTurn === 0) await turn();
    const frame = parseFrame(held.bytes);
    if (frame === 'too-big') return closeCode.tooBig;
    if (frame === 'malformed') return closeCode.protocol;
    if (frame === undefined) {
      const chunk = await stream.read();
      if (chunk === undefined) return undefined;
      held.append(chunk);
      continue;
    }
    held.drop(frame.size);
    switch (frame.opcode) {
      case opcode.text:
      case opcode.binary:
      case opcode.continuation:
        if ((frame.opcode === opcode.continuation) !== fragmented) return closeCode.protocol;
        fragmented = !frame.final;
        await onData(frame.payload);
        break;
      case opcode.ping:
        await stream.write(frameHead(opcode.pong, frame.payload.length), frame.payload);
        break;
      case opcode.pong:
        break;
      case opcode.close:
        return closeCode.normal;
      default:
        return closeCode.protocol;
    }
  }
}

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Buffer;
  /** Bytes taken by the whole frame. */
  readonly size: number;
}

/** The first frame of `bytes`; undefined when it is not all there. */
export function parseFrame(bytes: Buffer): Frame | undefined | 'malformed' | 'too-big' {
  if (bytes.length < 2) return undefined;
  const first = bytes[0]!;
  const second = bytes[1]!;
  const kind = first & 0x0f;
  const short = second & 0x7f;
  // Reserved bits, unmasked client frames, and long or fragmented control frames are errors (§5.1, §5.2, §5.5).
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return 'malformed';
  if (kind >= 8 && (short > 125 || (first & 0x80) === 0)) return 'malformed';
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = 2 + lengthBytes + 4;
  if (bytes.length < 2 + lengthBytes) return undefined;
  const length =
    lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (length > maxFrameBytes) return 'too-big';
  if (bytes.length < start + length) return undefined;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, start + length));
  for (let index = 0; index < length; index++) payload[index]! ^= mask[index & 3]!;
  return { opcode: kind, final: (first & 0x80) !== 0, payload, size: start + length };
}

/** The head of an unmasked, final frame. */
export function frameHead(kind: number, length: number): Buffer {
  if (length < 126) return Buffer.from([0x80 | kind, length]);
  if (length < 0x1_0000) {
    const head = Buffer.from([0x80 | kind, 126, 0, 0]);
    head.writeUInt16BE(length, 2);
    return head;
  }
  const head = Buffer.alloc(10);
  head[0] = 0x80 | kind;
  head[1] = 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}
