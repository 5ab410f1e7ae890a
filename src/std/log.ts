/** Structured log lines for the operator: one JSON object per line, or `level=… msg=…` text as dockerd prints. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';
const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3, fatal: 4 };

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
  now?: () => Date;
}): Logger {
  let threshold = rank[options.level];
  const now = options.now ?? (() => new Date());
  const emit = (level: LogLevel, message: string, fields: Record<string, unknown> = {}): void => {
    if (rank[level] < threshold) return;
    const time = now().toISOString();
    if (options.format === 'json') {
      options.write(`${JSON.stringify({ time, level, msg: message, ...fields })}\n`);
      return;
    }
    const pairs = Object.entries(fields).map(
      ([key, value]) => ` ${key}=${quote(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''))}`,
    );
    options.write(
      `time="${time}" level=${level === 'warn' ? 'warning' : level} msg=${quote(message)}${pairs.join('')}\n`,
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

/** A logger that says nothing, for tests. */
export const silentLogger: Logger = createLogger({ level: 'fatal', format: 'text', write: () => {} });

function quote(text: string): string {
  return /^[\w./:@+-]+$/.test(text) ? text : JSON.stringify(text);
}
