/** How large a container's log may grow. Pure. */
import { Fault } from '../std/index.ts';

const common = ['mode', 'max-buffer-size', 'tag', 'labels', 'labels-regex', 'env', 'env-regex'];
const files = [...common, 'max-size', 'max-file', 'compress'];
const known: Readonly<Record<string, readonly string[]>> = {
  'json-file': files,
  local: files,
  journald: common,
  syslog: [
    ...common,
    'syslog-address',
    'syslog-facility',
    'syslog-format',
    'syslog-tls-ca-cert',
    'syslog-tls-cert',
    'syslog-tls-key',
    'syslog-tls-skip-verify',
  ],
};

/** @throws Fault invalid naming the first option that the driver does not have */
export function checkLogOptions(driver: string, options: Readonly<Record<string, string>>): void {
  const names = known[driver];
  if (names === undefined) return;
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new Fault('invalid', `unknown log opt '${name}' for ${driver} log driver`);
  }
  if (driver === 'json-file' || driver === 'local') logLimits(options);
}

const defaultLogSize = 10 * 1000 * 1000;

/** `max-size` and `max-file` of json-file and local; bounded by default (users.md 12), unbounded for max-size=-1. */
export function logLimits(config: Record<string, string>): { maxSize: number | undefined; maxFiles: number } {
  const size = config['max-size'];
  const parsed = size === undefined ? defaultLogSize : size === '-1' ? undefined : parseLogSize(size);
  const files = config['max-file'] === undefined ? 3 : Number(config['max-file']);
  if (!Number.isInteger(files) || files < 1) throw new Fault('invalid', `invalid max-file: ${config['max-file']}`);
  return { maxSize: parsed, maxFiles: files };
}

/** The bytes after which conmon itself begins the file anew: the daemon rotates long before, if it is there. */
export function hardLogLimit(config: Record<string, string>): number | undefined {
  const { maxSize, maxFiles } = logLimits(config);
  return maxSize === undefined ? undefined : maxSize * Math.max(2, maxFiles);
}

function parseLogSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s?([kmgt]?)b?$/i.exec(text);
  const bytes = match === null ? 0 : Number(match[1]) * 1000 ** ' kmgt'.indexOf((match[2] || ' ').toLowerCase());
  if (bytes <= 0) throw new Fault('invalid', `invalid value for max-size: ${text}`);
  return bytes;
}
