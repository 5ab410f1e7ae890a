/**
 * Message tables: what a protobuf message holds, field by field, in TypeScript's types. A table is data; `encode` and `decode` walk it.
 * proto3 only (protobuf.dev/programming-guides/proto3): no groups, no extensions, absent means the type's zero.
 */

export type Scalar = 'string' | 'bytes' | 'bool' | 'int' | 'long';

export type Shape = 'single' | 'repeated' | 'map';

/** `Out` is what decoding gives, `In` what encoding takes; both are known to the compiler only. */
export interface Field<Out = unknown, In = Out> {
  readonly number: number;
  readonly type: Scalar | Table;
  readonly shape: Shape;
  readonly types?: { out: Out; in: In };
}

export type Table = Readonly<Record<string, Field<any, any>>>; // oxlint-disable-line typescript/no-explicit-any

/** A decoded message: every field is there. */
export type Message<T extends Table> = { -readonly [K in keyof T]: T[K] extends Field<infer Out, any> ? Out : never }; // oxlint-disable-line typescript/no-explicit-any

/** A message to encode: what is left out is zero. */
export type MessageInit<T extends Table> = {
  readonly [K in keyof T]?: (T[K] extends Field<any, infer In> ? In : never) | undefined; // oxlint-disable-line typescript/no-explicit-any
};

export const text = (number: number): Field<string> => ({ number, type: 'string', shape: 'single' });
export const bytes = (number: number): Field<Uint8Array> => ({ number, type: 'bytes', shape: 'single' });
export const flag = (number: number): Field<boolean> => ({ number, type: 'bool', shape: 'single' });
/** int32, int64, uint32, uint64 or an enum whose values fit a double exactly. */
export const int = (number: number): Field<number> => ({ number, type: 'int', shape: 'single' });
/** int64 at full width. */
export const long = (number: number): Field<bigint> => ({ number, type: 'long', shape: 'single' });
export const texts = (number: number): Field<readonly string[]> => ({
  number,
  type: 'string',
  shape: 'repeated',
});
export const blobs = (number: number): Field<readonly Uint8Array[]> => ({
  number,
  type: 'bytes',
  shape: 'repeated',
});
export const textMap = (number: number): Field<ReadonlyMap<string, string>> => ({
  number,
  type: 'string',
  shape: 'map',
});
export const bytesMap = (number: number): Field<ReadonlyMap<string, Uint8Array>> => ({
  number,
  type: 'bytes',
  shape: 'map',
});

export function message<T extends Table>(
  number: number,
  table: T,
): Field<Message<T> | undefined, MessageInit<T> | undefined> {
  return { number, type: table, shape: 'single' };
}

export function messages<T extends Table>(
  number: number,
  table: T,
): Field<readonly Message<T>[], readonly MessageInit<T>[]> {
  return { number, type: table, shape: 'repeated' };
}

export function messageMap<T extends Table>(
  number: number,
  table: T,
): Field<ReadonlyMap<string, Message<T>>, ReadonlyMap<string, MessageInit<T>>> {
  return { number, type: table, shape: 'map' };
}
