/** Instants with nanoseconds as Docker prints and reads them. A `Nanos` is a bigint count since the Unix epoch. */

export type Nanos = bigint;

/** The zero time of Go, which Docker prints for "never". */
export const zeroTime = '0001-01-01T00:00:00Z';

const originMs = BigInt(Date.now());
const originHr = process.hrtime.bigint();
let last = 0n;

/** Now, with sub-millisecond digits, strictly increasing within the process; follows clock changes. */
export function nowNanos(): Nanos {
  const wall = BigInt(Date.now()) * 1_000_000n;
  const steady = originMs * 1_000_000n + (process.hrtime.bigint() - originHr);
  const drift = steady - wall;
  let value = drift > -50_000_000n && drift < 50_000_000n ? steady : wall;
  if (value <= last && last - value < 50_000_000n) value = last + 1n;
  last = value;
  return value;
}

/** RFC 3339 with nanoseconds, UTC, trailing zeros dropped as Go's RFC3339Nano does. */
export function formatNanos(at: Nanos): string {
  const seconds = at / 1_000_000_000n;
  const fraction = (at % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  const base = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === '' ? `${base}Z` : `${base}.${fraction}Z`;
}

/** RFC 3339 with all nine digits, as log timestamps have. */
export function formatNanosPadded(at: Nanos): string {
  const base = new Date(Number(at / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${base}.${(at % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

/** Reads RFC 3339 with any number of fraction digits and any offset. @returns undefined when it is not one. */
export function parseRfc3339(text: string): Nanos | undefined {
  const match = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)$/i.exec(text);
  if (match === null) return undefined;
  const ms = Date.parse(`${match[1]!.replace(' ', 'T')}${match[3]!.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  return BigInt(ms) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** Docker's API timestamps: Unix seconds with an optional fraction ("1716.5"), or RFC 3339. */
export function parseApiTime(text: string): Nanos | undefined {
  const match = /^(-?\d{1,19})(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (match !== null) return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
  return parseRfc3339(text);
}
