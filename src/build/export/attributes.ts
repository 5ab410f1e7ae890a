/** Attributes of an output as BuildKit reads them: Go's booleans and integers, with Go's complaints. Pure. */
import { Fault } from '../../std/index.ts';

export type Attributes = Readonly<Record<string, string>>;

const trueWords = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const falseWords = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** An attribute without a value is true; undefined where there is none of that name. @throws Fault invalid */
export function flagOf(attributes: Attributes, name: string): boolean | undefined {
  const value = attributes[name];
  if (value === undefined) return undefined;
  if (value === '' || trueWords.has(value)) return true;
  if (falseWords.has(value)) return false;
  throw new Fault(
    'invalid',
    `non-bool value specified for ${name}: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}

/** @throws Fault invalid */
export function integerOf(attributes: Attributes, name: string): number | undefined {
  const value = attributes[name];
  if (value === undefined || value === '') return undefined;
  if (/^[+-]?\d{1,15}$/.test(value)) return Number(value);
  throw new Fault(
    'invalid',
    `non-integer value ${value} specified for ${name}: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}

/** `source-date-epoch`: seconds since 1970. @throws Fault invalid */
export function epochOf(attributes: Attributes): number | undefined {
  const value = attributes['source-date-epoch'];
  if (value === undefined || value === '') return undefined;
  if (/^\d{1,12}$/.test(value)) return Number(value);
  throw new Fault(
    'invalid',
    `invalid source-date-epoch: strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}
