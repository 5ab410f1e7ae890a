/** Structured log lines for the operator: one JSON object per line, or `level=… msg=…` text as dockerd prints. */
import { fstatSync } from 'node:fs';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';
const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, fatal: 4 };

/** syslog(3): what the journal sorts and colours by. */
const priorities: Record<LogLevel, number> = { debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** Changes the threshold while running (SIGHUP reload). */
  setLevel(level: LogLevel): void;
}

export function createLogger(options: {
  level: LogLevel;
  format: 'text' | 'json';
  write: (line: string) => void;
  /** Each line begins with its priority, `<3>`, as the journal reads it from standard error (sd-daemon(3)). Default false. */
  priorities?: boolean;
  now?: () => Date;
}): Logger {
  let threshold = rank[options.level];
  const now = options.now ?? (() => new Date());
  const emit = (level: LogLevel, message: string, fields: Record<string, unknown> = {}): void => {
    if (rank[level] < threshold) return;
    const time = now().toISOString();
    const prefix = options.priorities === true ? `<${priorities[level]}>` : '';
    if (options.format === 'json') {
      options.write(`${prefix}${JSON.stringify({ time, level, msg: message, ...fields })}\n`);
      return;
    }
    const pairs = Object.entries(fields).map(
      ([key, value]) => ` ${key}=${quote(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))}`,
    );
    options.write(
      `${prefix}time="${time}" level=${level === 'warn' ? 'warning' : level} msg=${quote(message)}${pairs.join('')}\n`,
    );
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    setLevel: (level) => {
      threshold = rank[level];
    },
  };
}

/** Whether a descriptor leads to the journal: systemd says which file that is, for whoever inherited the variable to compare. */
export function isJournal(
  env: Readonly<Record<string, string | undefined>>,
  stat: { dev: number; ino: number } = fstatSync(2),
): boolean {
  return env['JOURNAL_STREAM'] === `${stat.dev}:${stat.ino}`;
}

/** Text of several lines for the journal, which takes each line for a message of its own. */
export function withPriority(level: LogLevel, text: string): string {
  return text.replaceAll(/^(?=.)/gm, `<${priorities[level]}>`);
}

/** A logger that says nothing, for tests. */
export const silentLogger: Logger = createLogger({ level: 'fatal', format: 'text', write: () => {} });

function quote(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}
