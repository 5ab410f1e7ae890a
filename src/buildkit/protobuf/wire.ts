/** The wire's primitives (protobuf.dev/programming-guides/encoding): varints, tags, length-delimited records. */
import { asBuffer, Fault } from '../../std/index.ts';

export const wireType = { varint: 0, fixed64: 1, delimited: 2, fixed32: 5 } as const;

export function malformed(why: string): Fault {
  return new Fault('invalid', `Cannot decode protobuf message: ${why}`);
}

/** Seven bytes of a varint, as many as a double holds exactly. */
const lowBits = 49;

/** Reads within one message's bytes and never past them. @throws Fault invalid from every method */
export class WireReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.#bytes = asBuffer(bytes);
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** 64 bits, two's complement; at most ten bytes. */
  long(): bigint {
    const low = this.#low();
    if (!this.#more) return BigInt(low);
    return BigInt.asIntN(64, (this.#high() << BigInt(lowBits)) | BigInt(low));
  }

  /** The same where it fits 53 bits. */
  integer(): number {
    const low = this.#low();
    if (!this.#more) return low;
    const value = Number(BigInt.asIntN(64, (this.#high() << BigInt(lowBits)) | BigInt(low)));
    if (!Number.isSafeInteger(value)) throw malformed('a number over 53 bits');
    return value;
  }

  /** Whether any bit is set. */
  flag(): boolean {
    const low = this.#low();
    return this.#more ? low !== 0 || this.#high() !== 0n : low !== 0;
  }

  /** A tag or length: 32 bits. */
  small(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('a length over 32 bits');
  }

  text(): string {
    const start = this.#length();
    return this.#bytes.toString('utf8', start, this.#at);
  }

  /** A view: it lives as long as the message's bytes. */
  delimited(): Buffer {
    const start = this.#length();
    return this.#bytes.subarray(start, this.#at);
  }

  /** A reader of the record that follows. */
  nested(): WireReader {
    const start = this.#length();
    return new WireReader(this.#bytes, start, this.#at);
  }

  skip(type: number): void {
    if (type === wireType.varint) this.flag();
    else if (type === wireType.fixed64) this.#take(8);
    else if (type === wireType.delimited) this.#length();
    else if (type === wireType.fixed32) this.#take(4);
    else throw malformed(`wire type ${type}`);
  }

  /** Whether the number that `#low` began goes on. */
  #more = false;

  /** The first seven bytes of a number, or all of it. */
  #low(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 7; count++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) {
        this.#more = false;
        return value;
      }
    }
    this.#more = true;
    return value;
  }

  /** What follows them: at most three bytes. */
  #high(): bigint {
    let value = 0;
    for (let shift = 0; shift < 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return BigInt(value);
    }
    throw malformed('a number longer than ten bytes');
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed('it ends within a number');
    return this.#bytes[this.#at++]!;
  }

  /** Passes a record by. @returns where it starts */
  #length(): number {
    const length = this.small();
    return this.#take(length);
  }

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#end) throw malformed('a field is longer than the message');
    this.#at = start + length;
    return start;
  }
}

/** One buffer that grows; records are written in place and their lengths set afterwards. */
export class WireWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(sizeHint = 128) {
    this.#bytes = Buffer.allocUnsafe(sizeHint);
  }

  get length(): number {
    return this.#at;
  }

  /** A non-negative number of at most 53 bits: a tag, a length, most values. */
  small(value: number): void {
    this.#room(8);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  /** Negative numbers take ten bytes, as int64 does. */
  integer(value: number): void {
    if (value >= 0) this.small(value);
    else this.long(BigInt(value));
  }

  long(value: bigint): void {
    this.#room(10);
    const rest = BigInt.asUintN(64, value);
    let low = Number(rest & lowMask);
    const high = Number(rest >> BigInt(lowBits));
    if (high === 0) return this.small(low);
    for (let count = 0; count < 7; count++) {
      this.#bytes[this.#at++] = (low % 128) | 0x80;
      low = Math.floor(low / 128);
    }
    this.small(high);
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.small(length);
    this.#room(length);
    this.#bytes.write(value, this.#at);
    this.#at += length;
  }

  delimited(bytes: Uint8Array): void {
    this.small(bytes.length);
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Begins a record of yet unknown length. @returns what `end` takes */
  begin(): number {
    this.#room(1);
    return this.#at++;
  }

  end(begun: number): void {
    const start = begun + 1;
    const length = this.#at - start;
    if (length < 0x80) {
      this.#bytes[begun] = length;
      return;
    }
    const more = varintBytes(length) - 1;
    this.#room(more);
    this.#bytes.copyWithin(start + more, start, this.#at);
    this.#at = begun;
    this.small(length);
    this.#at += length;
  }

  /** Leaves room for something of fixed size that is known later. @returns where it is */
  leave(size: number): number {
    this.#room(size);
    this.#at += size;
    return this.#at - size;
  }

  /** Sets what was left. */
  setUint32(at: number, value: number): void {
    this.#bytes.writeUInt32BE(value, at);
  }

  setByte(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** The bytes; the writer is not used afterwards. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#at + size));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}

const lowMask = (1n << BigInt(lowBits)) - 1n;

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) count++;
  return count;
}
