/** Messages of SSH agents (draft-miller-ssh-agent) and SSH's strings and integers in them (RFC 4251 §5). */
import { Fault } from '../../../std/index.ts';

export const agentMessage = {
  failure: 5,
  requestIdentities: 11,
  identitiesAnswer: 12,
  signRequest: 13,
  signResponse: 14,
  extension: 27,
} as const;

export function sshString(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  const out = Buffer.alloc(4 + bytes.length);
  out.writeUInt32BE(bytes.length);
  bytes.copy(out, 4);
  return out;
}

export function sshUint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

/** A non-negative integer: without leading zeros, but with one where the first bit would be a sign. */
export function sshInteger(value: Uint8Array): Buffer {
  let at = 0;
  while (at < value.length && value[at] === 0) at++;
  const bare = value.subarray(at);
  return sshString((bare[0] ?? 0) < 0x80 ? bare : Buffer.concat([Buffer.from([0]), bare]));
}

/** Reads what others wrote. @throws Fault invalid past its end */
export class SshReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  string(): Buffer {
    return this.take(this.uint32());
  }

  text(): string {
    return this.string().toString('latin1');
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Fault('invalid', 'Cannot read SSH data: it ends early');
    const part = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }
}
