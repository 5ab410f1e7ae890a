/**
 * Messages to bytes and back, by their tables. Decoding trusts nothing: a length is checked before it is used, nesting is only as deep as the
 * tables are, unknown fields are skipped, and the result's size is bounded by the input's.
 */
import type { Field, Message, MessageInit, Scalar, Table } from './field.ts';
import { malformed, WireReader, WireWriter, wireType } from './wire.ts';

export function encode<T extends Table>(table: T, value: MessageInit<T>): Buffer {
  const writer = new WireWriter();
  for (const [name, field] of Object.entries(table)) {
    const held = value[name as keyof T] as unknown;
    if (held === undefined) continue;
    if (field.shape === 'repeated') {
      for (const item of held as readonly unknown[]) writeValue(writer, field.number, field.type, item);
    } else if (field.shape === 'map') {
      for (const [key, item] of held as ReadonlyMap<string, unknown>) writeEntry(writer, field, key, item);
    } else if (typeof field.type !== 'string' || !isZero(held)) {
      writeValue(writer, field.number, field.type, held);
    }
  }
  return writer.finish();
}

/** @throws Fault invalid */
export function decode<T extends Table>(table: T, bytes: Uint8Array): Message<T> {
  const out: Record<string, unknown> = {};
  const byNumber = new Map<number, [string, Field]>();
  for (const [name, field] of Object.entries(table)) {
    out[name] = zero(field);
    byNumber.set(field.number, [name, field]);
  }
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const tag = reader.small();
    const type = tag % 8;
    const known = byNumber.get(Math.floor(tag / 8));
    if (known === undefined) {
      reader.skip(type);
      continue;
    }
    const [name, field] = known;
    const packed = type === wireType.delimited && field.shape === 'single' && isVarint(field.type);
    if (packed || type !== (isVarint(field.type) ? wireType.varint : wireType.delimited)) {
      throw malformed(`field ${name} has wire type ${type}`);
    }
    if (field.shape === 'map') readEntry(reader, field, out[name] as Map<string, unknown>);
    else if (field.shape === 'repeated') (out[name] as unknown[]).push(readValue(reader, field.type));
    else out[name] = readValue(reader, field.type);
  }
  return out as Message<T>;
}

function isVarint(type: Scalar | Table): boolean {
  return type === 'bool' || type === 'int' || type === 'long';
}

function isZero(value: unknown): boolean {
  return value === '' || value === false || value === 0 || value === 0n || (value as Uint8Array).length === 0;
}

function writeValue(writer: WireWriter, number: number, type: Scalar | Table, value: unknown): void {
  if (typeof type !== 'string') return writer.delimited(number, encode(type, value as MessageInit<Table>));
  if (type === 'string') return writer.delimited(number, Buffer.from(value as string));
  if (type === 'bytes') return writer.delimited(number, value as Uint8Array);
  writer.tag(number, wireType.varint);
  writer.varint(BigInt(value as number | bigint | boolean));
}

/** A map is a repeated message of key 1 and value 2. */
function writeEntry(writer: WireWriter, field: Field, key: string, value: unknown): void {
  const entry = new WireWriter();
  entry.delimited(1, Buffer.from(key));
  writeValue(entry, 2, field.type, value);
  writer.delimited(field.number, entry.finish());
}

function readEntry(reader: WireReader, field: Field, into: Map<string, unknown>): void {
  const entry = new WireReader(reader.delimited());
  let key = '';
  let value = typeof field.type === 'string' ? zeroOf(field.type) : decode(field.type, new Uint8Array());
  while (!entry.done) {
    const tag = entry.small();
    if (tag === 8 + wireType.delimited) key = Buffer.from(entry.delimited()).toString();
    else if (tag === 16 + (isVarint(field.type) ? wireType.varint : wireType.delimited)) {
      value = readValue(entry, field.type);
    } else entry.skip(tag % 8);
  }
  into.set(key, value);
}

function readValue(reader: WireReader, type: Scalar | Table): unknown {
  if (typeof type !== 'string') return decode(type, reader.delimited());
  if (type === 'string') return Buffer.from(reader.delimited()).toString();
  if (type === 'bytes') return Buffer.from(reader.delimited());
  const value = reader.varint();
  if (type === 'bool') return value !== 0n;
  const signed = BigInt.asIntN(64, value);
  if (type === 'long') return signed;
  if (!Number.isSafeInteger(Number(signed))) throw malformed('a number over 53 bits');
  return Number(signed);
}

function zero(field: Field): unknown {
  if (field.shape === 'repeated') return [];
  if (field.shape === 'map') return new Map();
  return typeof field.type === 'string' ? zeroOf(field.type) : undefined;
}

function zeroOf(type: Scalar): unknown {
  const zeros = { string: '', bytes: Buffer.alloc(0), bool: false, int: 0, long: 0n };
  return zeros[type];
}
