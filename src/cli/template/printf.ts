/** Go's fmt.Sprintf for the verbs that templates use. */
import { formatValue } from './value.ts';

export function sprintf(format: string, args: readonly unknown[]): string {
  let next = 0;
  const text = format.replace(
    /%([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*))?([a-zA-Z%])/g,
    (_, flags: string, widthText: string | undefined, precisionText: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      const width = widthText === '*' ? Number(args[next++]) : Number(widthText ?? 0);
      const precision =
        precisionText === undefined ? undefined : precisionText === '*' ? Number(args[next++]) : Number(precisionText);
      if (next >= args.length) return `%!${verb}(MISSING)`;
      const shown = verbText(verb, args[next++], precision, flags);
      if (flags.includes('-')) return shown.padEnd(width);
      return flags.includes('0') && verb !== 's' ? shown.padStart(width, '0') : shown.padStart(width);
    },
  );
  if (next >= args.length) return text;
  return `${text}%!(EXTRA ${args
    .slice(next)
    .map((each) => `${typeName(each)}=${formatValue(each)}`)
    .join(', ')})`;
}

function verbText(verb: string, value: unknown, precision: number | undefined, flags: string): string {
  const number = typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined;
  const sign = flags.includes('+') && number !== undefined && number >= 0 ? '+' : '';
  switch (verb) {
    case 'v':
      return formatValue(value);
    case 's':
      if (number !== undefined || typeof value === 'boolean') return wrong(verb, value);
      return precision === undefined ? formatValue(value) : formatValue(value).slice(0, precision);
    case 'q':
      return typeof value === 'string'
        ? JSON.stringify(value)
        : Array.isArray(value)
          ? `[${value.map((each) => JSON.stringify(each)).join(' ')}]`
          : wrong(verb, value);
    case 'd':
      return number === undefined || !Number.isInteger(number) ? wrong(verb, value) : `${sign}${formatValue(value)}`;
    case 't':
      return typeof value === 'boolean' ? String(value) : wrong(verb, value);
    case 'x':
    case 'X': {
      const hex = number !== undefined ? number.toString(16) : Buffer.from(formatValue(value)).toString('hex');
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'o':
      return number === undefined ? wrong(verb, value) : number.toString(8);
    case 'b':
      return number === undefined ? wrong(verb, value) : number.toString(2);
    case 'c':
      return number === undefined ? wrong(verb, value) : String.fromCodePoint(number);
    case 'f':
    case 'F':
      return number === undefined ? wrong(verb, value) : `${sign}${number.toFixed(precision ?? 6)}`;
    case 'e':
      return number === undefined
        ? wrong(verb, value)
        : number.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
    case 'g':
      return number === undefined
        ? wrong(verb, value)
        : formatValue(precision === undefined ? number : Number(number.toPrecision(precision)));
    case 'T':
      return typeName(value);
    default:
      return `%!${verb}(${typeName(value)}=${formatValue(value)})`;
  }
}

function wrong(verb: string, value: unknown): string {
  return `%!${verb}(${typeName(value)}=${formatValue(value)})`;
}

function typeName(value: unknown): string {
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float64';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}
