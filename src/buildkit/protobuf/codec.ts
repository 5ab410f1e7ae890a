/**
 * Messages to bytes and back, by their tables. Decoding trusts nothing: a length is checked before it is used, nesting is only as deep as the
 * tables are, unknown fields are skipped, and the result's size is bounded by the input's.
 */
import type { Field, Message, MessageInit, Scalar, Shape, Table } from './field.ts';
import { malformed, WireReader, WireWriter, wireType } from './wire.ts';

export function encode<T extends Table>(table: T, value: MessageInit<T>): Buffer {
  const writer = new WireWriter();
  encodeInto(writer, table, value);
  return writer.finish();
}

/** The same behind what is written already. */
export function encodeInto<T extends Table>(writer: WireWriter, table: T, value: MessageInit<T>): void {
  for (const field of planOf(table).fields) {
    const held = (value as Record<string, unknown>)[field.name];
    if (held === undefined) continue;
    if (field.shape === 'repeated') {
      for (const item of held as readonly unknown[]) writeValue(writer, field, item);
    } else if (field.shape === 'map') {
      for (const [key, item] of held as ReadonlyMap<string, unknown>) writeEntry(writer, field, key, item);
    } else if (typeof field.type !== 'string' || !isZero(held)) writeValue(writer, field, held);
  }
}

/** @throws Fault invalid */
export function decode<T extends Table>(table: T, bytes: Uint8Array): Message<T> {
  return readMessage(planOf(table), new WireReader(bytes)) as Message<T>;
}

interface PlannedField {
  readonly name: string;
  readonly tag: number;
  readonly wire: number;
  readonly type: Scalar | Table;
  readonly shape: Shape;
}

/** A table as the codec walks it. */
interface Plan {
  readonly fields: readonly PlannedField[];
  readonly byNumber: ReadonlyMap<number, PlannedField>;
}

const plans = new WeakMap<Table, Plan>();

function planOf(table: Table): Plan {
  const known = plans.get(table);
  if (known !== undefined) return known;
  const fields = Object.entries(table).map(([name, { number, type, shape }]: [string, Field]): PlannedField => {
    const wire = isVarint(type) ? wireType.varint : wireType.delimited;
    return { name, tag: number * 8 + wire, wire, type, shape };
  });
  const plan = { fields, byNumber: new Map(fields.map((field) => [Math.floor(field.tag / 8), field])) };
  plans.set(table, plan);
  return plan;
}

function isVarint(type: Scalar | Table): boolean {
  return type === 'bool' || type === 'int' || type === 'long';
}

function isZero(value: unknown): boolean {
  return value === '' || value === false || value === 0 || value === 0n || (value as Uint8Array).length === 0;
}

function writeValue(writer: WireWriter, { tag, type }: PlannedField, value: unknown): void {
  writer.small(tag);
  writePayload(writer, type, value);
}

function writePayload(writer: WireWriter, type: Scalar | Table, value: unknown): void {
  if (type === 'string') writer.text(value as string);
  else if (type === 'int') writer.integer(value as number);
  else if (type === 'bytes') writer.delimited(value as Uint8Array);
  else if (type === 'long') writer.long(value as bigint);
  else if (type === 'bool') writer.small(value === true ? 1 : 0);
  else {
    const begun = writer.begin();
    encodeInto(writer, type, value as MessageInit<Table>);
    writer.end(begun);
  }
}

/** A map is a repeated message of key 1 and value 2. */
function writeEntry(writer: WireWriter, { tag, type }: PlannedField, key: string, value: unknown): void {
  writer.small(tag);
  const begun = writer.begin();
  writer.small(8 + wireType.delimited);
  writer.text(key);
  writer.small(16 + (isVarint(type) ? wireType.varint : wireType.delimited));
  writePayload(writer, type, value);
  writer.end(begun);
}

function readMessage({ fields, byNumber }: Plan, reader: WireReader): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const field of fields) out[field.name] = zero(field);
  while (!reader.done) {
    const tag = reader.small();
    const type = tag % 8;
    const field = byNumber.get((tag - type) / 8);
    if (field === undefined) {
      reader.skip(type);
      continue;
    }
    if (type !== field.wire) throw malformed(`field ${field.name} has wire type ${type}`);
    if (field.shape === 'map') {
      if (out[field.name] === noEntries) out[field.name] = new Map();
      readEntry(reader.nested(), field, out[field.name] as Map<string, unknown>);
    } else if (field.shape === 'repeated') {
      if (out[field.name] === noItems) out[field.name] = [];
      (out[field.name] as unknown[]).push(readValue(reader, field.type));
    } else out[field.name] = readValue(reader, field.type);
  }
  return out;
}

function readEntry(entry: WireReader, { type }: PlannedField, into: Map<string, unknown>): void {
  const valueTag = 16 + (isVarint(type) ? wireType.varint : wireType.delimited);
  let key = '';
  let value = typeof type === 'string' ? zeroOf(type) : readMessage(planOf(type), new WireReader(nothing));
  while (!entry.done) {
    const tag = entry.small();
    if (tag === 8 + wireType.delimited) key = entry.text();
    else if (tag === valueTag) value = readValue(entry, type);
    else entry.skip(tag % 8);
  }
  into.set(key, value);
}

/** Above this a value is a view of the bytes it came in; a short one, which may be kept, does not hold a long piece of the stream. */
const viewBytes = 4096;

function readValue(reader: WireReader, type: Scalar | Table): unknown {
  if (type === 'string') return reader.text();
  if (type === 'int') return reader.integer();
  if (type === 'long') return reader.long();
  if (type === 'bool') return reader.flag();
  if (type !== 'bytes') return readMessage(planOf(type), reader.nested());
  const bytes = reader.delimited();
  return bytes.length > viewBytes ? bytes : Buffer.from(bytes);
}

function zero({ shape, type }: PlannedField): unknown {
  if (shape === 'repeated') return noItems;
  if (shape === 'map') return noEntries;
  return typeof type === 'string' ? zeroOf(type) : undefined;
}

/** What is not there costs nothing: most maps and lists of most messages are empty. */
const noItems: readonly unknown[] = Object.freeze([]);
const noEntries: ReadonlyMap<string, unknown> = new Map();
const nothing = Buffer.alloc(0);
const zeros: Readonly<Record<Scalar, unknown>> = { string: '', bytes: nothing, bool: false, int: 0, long: 0n };

function zeroOf(type: Scalar): unknown {
  return zeros[type];
}
