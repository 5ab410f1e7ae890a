/** Checks of flag values by type, with the words Go's strconv and Docker's opts use. */
import { parseBytes, parseGoDuration } from '../../std/index.ts';

const integer = /^[+-]?(?:\d[\d_]*|0x[\da-f_]+|0o?[0-7_]+|0b[01_]+)$/i;
const trueWords = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);
const falseWords = new Set(['0', 'f', 'F', 'FALSE', 'false', 'False']);

export function parseBoolean(text: string): boolean | undefined {
  if (trueWords.has(text)) return true;
  return falseWords.has(text) ? false : undefined;
}

/** What is wrong with a value of a type, or undefined. */
export function complaint(type: string, text: string): string | undefined {
  switch (type) {
    case '':
      return parseBoolean(text) === undefined ? `strconv.ParseBool: parsing "${text}": invalid syntax` : undefined;
    case 'int':
      return integer.test(text) ? undefined : `strconv.ParseInt: parsing "${text}": invalid syntax`;
    case 'uint':
    case 'uint16':
      if (!integer.test(text) || text.startsWith('-')) return `strconv.ParseUint: parsing "${text}": invalid syntax`;
      return type === 'uint16' && Number(text) > 65535
        ? `strconv.ParseUint: parsing "${text}": value out of range`
        : undefined;
    case 'bytes':
      return text === '-1' || parseBytes(text) !== undefined ? undefined : sizeComplaint(text);
    case 'duration':
      return durationComplaint(text);
    case 'decimal':
      return /^\d*\.?\d+$|^\d+\.?$/.test(text) ? undefined : `failed to parse ${text} as a rational number`;
    case 'filter':
      return text.includes('=') ? undefined : 'bad format of filter (expected name=value)';
    case 'stringToString':
      return text.split(',').every((part) => part.includes('=')) ? undefined : `${text} must be formatted as key=value`;
    default:
      return undefined;
  }
}

function sizeComplaint(text: string): string {
  const suffix = /^-?[\d.]+\s?(.*)$/.exec(text)?.[1];
  return suffix === undefined || suffix === '' ? `invalid size: '${text}'` : `invalid suffix: '${suffix}'`;
}

function durationComplaint(text: string): string | undefined {
  if (parseGoDuration(text) !== undefined) return undefined;
  if (/^[+-]?\d+(\.\d+)?$/.test(text)) return `time: missing unit in duration "${text}"`;
  return `time: invalid duration "${text}"`;
}
