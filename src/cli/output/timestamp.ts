/** `--since` and `--until` as the API wants them: Unix seconds with nanoseconds. */
import { Fault, parseGoDuration } from '../../std/index.ts';

/** "10m" is ten minutes before `now`; dates without a zone are local. @throws Fault invalid. */
export function apiTimestamp(text: string, now: number, flag: string): string {
  const bad = (): Fault =>
    new Fault('invalid', `invalid value for "${flag}": failed to parse value as time or duration: "${text}"`);
  const ago = parseGoDuration(text);
  if (ago !== undefined && /[a-zµ]/.test(text)) return seconds(now - ago / 1e6);
  if (/^-?\d+(\.\d+)?$/.test(text)) return text;
  const match =
    /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?)?)?)?(Z|[+-]\d\d:\d\d)?$/.exec(text);
  if (match === null) throw bad();
  const [, year, month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '', zone] = match;
  const base = `${year}-${month}-${day}T${hour}:${minute}:${second}${zone ?? ''}`;
  const ms = Date.parse(base);
  if (Number.isNaN(ms)) throw bad();
  return `${Math.trunc(ms / 1000)}.${fraction.padEnd(9, '0').slice(0, 9)}`;
}

function seconds(ms: number): string {
  const whole = Math.floor(ms / 1000);
  return `${whole}.${String(Math.round((ms - whole * 1000) * 1e6)).padStart(9, '0')}`;
}
