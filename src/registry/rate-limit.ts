/**
 * When a registry that refuses for being asked too much will answer again: Retry-After (RFC 9110 §10.2.3, seconds or a date), the
 * unix times some send instead, and Docker Hub's `ratelimit-limit: 100;w=21600`.
 */

export interface RateLimit {
  /** How long to wait from now; undefined when it was not said. */
  retryAfterMs: number | undefined;
  /** The allowance of a period is used up, so asking again soon is of no use. */
  exhausted: boolean;
  /** To be put behind the refusal: "; retry after 2 minutes (at 14:05)"; empty when nothing is known. */
  advice: string;
}

/** No honest registry shuts people out for longer; what it says beyond is not believed. */
const longestMs = 7 * 24 * 3600 * 1000;

/** @param headers in lower case */
export function readRateLimit(headers: Readonly<Record<string, string>>, nowMs: number): RateLimit {
  const retryAfterMs = retryAfter(headers, nowMs);
  const limit = parseLimit(headers['ratelimit-limit']);
  const remaining = parseLimit(headers['ratelimit-remaining']);
  const exhausted = remaining?.count === 0;
  if (retryAfterMs !== undefined) {
    return {
      retryAfterMs,
      exhausted,
      advice: `; retry after ${span(retryAfterMs)} (at ${clockTime(nowMs, retryAfterMs)})`,
    };
  }
  const windowMs = (limit?.windowSeconds ?? remaining?.windowSeconds ?? 0) * 1000;
  if (limit === undefined || windowMs <= 0 || windowMs > longestMs) return { retryAfterMs, exhausted, advice: '' };
  const advice = `; ${limit.count} requests are allowed in ${span(windowMs)}: retry at the latest at ${clockTime(nowMs, windowMs)}`;
  return { retryAfterMs, exhausted, advice };
}

function retryAfter(headers: Readonly<Record<string, string>>, nowMs: number): number | undefined {
  const waits = [
    ...['retry-after', 'x-retry-after'].map((name) => waitOf(headers[name], nowMs)),
    ...['ratelimit-reset', 'x-ratelimit-reset'].map((name) => waitOf(headers[name], nowMs)),
  ];
  return waits.find((wait) => wait !== undefined);
}

/** A number is seconds from now, or since the epoch when it is as large as those. */
function waitOf(text: string | undefined, nowMs: number): number | undefined {
  const value = text?.trim() ?? '';
  if (value === '') return undefined;
  const seconds = /^\d+(?:\.\d+)?$/.test(value) ? Number(value) : undefined;
  const waitMs =
    seconds === undefined ? Date.parse(value) - nowMs : seconds > 1e9 ? seconds * 1000 - nowMs : seconds * 1000;
  return Number.isNaN(waitMs) || waitMs > longestMs ? undefined : Math.max(0, waitMs);
}

function parseLimit(text: string | undefined): { count: number; windowSeconds: number | undefined } | undefined {
  const match = /^\s*(\d+)(?:\s*;\s*w=(\d+))?/.exec(text ?? '');
  if (match === null) return undefined;
  return { count: Number(match[1]), windowSeconds: match[2] === undefined ? undefined : Number(match[2]) };
}

/** Rounded up: who comes back then must not come too early. */
function span(ms: number): string {
  const units: [name: string, ms: number][] = [
    ['second', 1000],
    ['minute', 60_000],
    ['hour', 3_600_000],
  ];
  const [name, unit] = ms < 90_000 ? units[0]! : ms < 90 * 60_000 ? units[1]! : units[2]!;
  const count = Math.max(1, Math.ceil(ms / unit));
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** The daemon's local time, to the minute, with the day where it is not today. */
function clockTime(nowMs: number, waitMs: number): string {
  const exact = nowMs + waitMs;
  const at = new Date(waitMs < 90_000 ? Math.ceil(exact / 1000) * 1000 : Math.ceil(exact / 60_000) * 60_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = waitMs < 90_000 ? `:${two(at.getSeconds())}` : '';
  const time = `${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
  const today = new Date(nowMs).toDateString() === at.toDateString();
  return today ? time : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
}
