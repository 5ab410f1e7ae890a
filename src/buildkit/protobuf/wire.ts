/** The wire's primitives (protobuf.dev/programming-guides/encoding): varints, tags, length-delimited records. */
import { Fault } from '../../std/index.ts';

export const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

export function malformed(why: string): Fault {
  return new Fault('invalid', `Cannot decode protobuf message: ${why}`);
}

/** Reads within one message's bytes and never past them. @throws Fault invalid from every method */
export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** 64 bits, unsigned; at most ten bytes. */
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed('it ends within a number');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed('a number longer than ten bytes');
  }

  /** A tag or length: 32 bits. */
  small(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed('it ends within a number');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('a length over 32 bits');
  }

  delimited(): Uint8Array {
    return this.#take(this.small());
  }

  skip(type: number): void {
    if (type === wireType.varint) this.varint();
    else if (type === wireType.fixed64) this.#take(8);
    else if (type === wireType.delimited) this.delimited();
    else if (type === wireType.fixed32) this.#take(4);
    else throw malformed(`wire type ${type}`);
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed('a field is longer than the message');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}

/** Collects pieces; `finish` joins them once. */
export class WireWriter {
  readonly #pieces: Uint8Array[] = [];

  tag(number: number, type: number): void {
    this.varint(BigInt(number * 8 + type));
  }

  /** Negative numbers take ten bytes, as int64 does. */
  varint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    const out: number[] = [];
    while (rest > 0x7fn) {
      out.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    out.push(Number(rest));
    this.#pieces.push(Uint8Array.from(out));
  }

  delimited(number: number, bytes: Uint8Array): void {
    this.tag(number, wireType.delimited);
    this.varint(BigInt(bytes.length));
    this.#pieces.push(bytes);
  }

  finish(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
