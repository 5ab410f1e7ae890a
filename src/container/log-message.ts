/** A container's line as syslog and the journal want it. Pure. */
import { hostname } from 'node:os';
import { type Nanos, formatNanos } from '../std/index.ts';

export interface LogSource {
  id: string;
  name: string;
  image: string;
  labels: Readonly<Record<string, string>>;
  options: Readonly<Record<string, string>>;
}

const facilities =
  'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp security console solaris-cron local0 local1 local2 local3 local4 local5 local6 local7'.split(
    ' ',
  );

/** The number of a facility ("daemon", "local0", or a number); undefined when there is none. */
export function facilityNumber(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return 3;
  if (/^\d+$/.test(text)) return Number(text) <= 23 ? Number(text) : undefined;
  const index = facilities.indexOf(text);
  return index < 0 ? undefined : index;
}

/** `--log-opt tag`: Docker's template variables; the short id when there is none. */
export function logTag(source: LogSource): string {
  const template = source.options['tag'];
  if (template === undefined || template === '') return source.id.slice(0, 12);
  const values: Record<string, string> = {
    ID: source.id.slice(0, 12),
    FullID: source.id,
    Name: source.name,
    ImageName: source.image,
    DaemonName: 'wherry',
  };
  return template.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (whole, key: string) => values[key] ?? whole);
}

const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** RFC 3164 (default, `syslog-format` absent), rfc5424 or rfc5424micro. */
export function syslogMessage(
  source: LogSource,
  stream: 'stdout' | 'stderr',
  at: Nanos,
  line: string,
  pid: number,
): Buffer {
  const priority = (facilityNumber(source.options['syslog-facility']) ?? 3) * 8 + (stream === 'stderr' ? 3 : 6);
  const tag = logTag(source);
  const format = source.options['syslog-format'] ?? '';
  if (format.startsWith('rfc5424')) {
    return Buffer.from(`<${priority}>1 ${formatNanos(at)} ${hostname()} ${tag} ${pid} ${tag} - ${line}\n`);
  }
  const date = new Date(Number(at / 1_000_000n));
  const two = (value: number): string => String(value).padStart(2, '0');
  const stamp = `${months[date.getMonth()]} ${String(date.getDate()).padStart(2, ' ')} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return Buffer.from(`<${priority}>${stamp} ${tag}[${pid}]: ${line}\n`);
}

/** The journal's native protocol: KEY=value lines, and a length before values with newlines. */
export function journalMessage(source: LogSource, stream: 'stdout' | 'stderr', at: Nanos, line: string): Buffer {
  const fields: [string, string][] = [
    ['MESSAGE', line],
    ['PRIORITY', stream === 'stderr' ? '3' : '6'],
    ['CONTAINER_ID', source.id.slice(0, 12)],
    ['CONTAINER_ID_FULL', source.id],
    ['CONTAINER_NAME', source.name],
    ['CONTAINER_TAG', logTag(source)],
    ['IMAGE_NAME', source.image],
    ['SYSLOG_IDENTIFIER', logTag(source)],
    ['SYSLOG_TIMESTAMP', formatNanos(at)],
  ];
  for (const key of (source.options['labels'] ?? '').split(',').filter(Boolean)) {
    const value = source.labels[key];
    if (value !== undefined) fields.push([key.toUpperCase().replace(/[^A-Z0-9_]/g, '_'), value]);
  }
  return Buffer.concat(
    fields.map(([key, value]) => {
      const bytes = Buffer.from(value);
      if (!value.includes('\n')) return Buffer.concat([Buffer.from(`${key}=`), bytes, Buffer.of(10)]);
      const length = Buffer.alloc(8);
      length.writeBigUInt64LE(BigInt(bytes.length));
      return Buffer.concat([Buffer.from(`${key}\n`), length, bytes, Buffer.of(10)]);
    }),
  );
}
