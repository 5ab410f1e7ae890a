/** PAX extended headers: records of `length key=value\n`, counted in bytes so that values may be binary. */
import { Fault } from '../../std/index.ts';

/** Record order matters to the sparse formats 0.0, so pairs are kept as they come. */
export type PaxRecords = [key: string, value: Buffer][];

/** Extended headers and long names beyond this are refused: an honest one is a few kilobytes. */
export const paxLimit = 1 << 20;

/** @throws Fault invalid */
export function parsePax(data: Buffer): PaxRecords {
  const records: PaxRecords = [];
  let at = 0;
  while (at < data.length) {
    if (data[at] === 0) break;
    const space = data.indexOf(32, at);
    const digits = space < 0 ? '' : data.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^\d{1,7}$/.test(digits) || end > data.length || end <= space + 1 || data[end - 1] !== 10) throw malformed();
    const equals = data.indexOf(61, space + 1);
    if (equals < 0 || equals >= end || equals === space + 1) throw malformed();
    records.push([data.toString('utf8', space + 1, equals), data.subarray(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

function malformed(): Fault {
  return new Fault('invalid', 'Cannot read archive: malformed PAX header');
}

export function formatPax(records: PaxRecords): Buffer {
  return Buffer.concat(
    records.map(([key, value]) => {
      const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
      let length = rest.length + String(rest.length).length;
      if (String(length).length !== String(rest.length).length) length = rest.length + String(length).length;
      return Buffer.concat([Buffer.from(String(length)), rest]);
    }),
  );
}

/** `1700000000.123456789` as nanoseconds. @throws Fault invalid */
export function parsePaxTime(value: Buffer): bigint {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(value.toString('latin1'));
  if (match === null) throw malformed();
  const nanos = BigInt(match[2]!) * 1_000_000_000n + BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  return match[1] === '-' ? -nanos : nanos;
}

export function formatPaxTime(nanos: bigint): string {
  const sign = nanos < 0n ? '-' : '';
  const value = nanos < 0n ? -nanos : nanos;
  const fraction = (value % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${sign}${value / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** A non-negative decimal. @throws Fault invalid */
export function parsePaxNumber(value: Buffer): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(number)) throw malformed();
  return number;
}
