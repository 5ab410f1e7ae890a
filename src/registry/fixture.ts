/** What the room's tests share: a client that waits for nothing and remembers how long it would have waited. */
import type { Logger } from '../std/index.ts';
import { type Clock, systemClock } from './clock.ts';
import { openRegistry, type Registry } from './open.ts';
import type { RegistryOptions } from './settings.ts';

export const signal: AbortSignal = new AbortController().signal;

/** A clock that runs only by sleeping. */
export class PatientClock implements Clock {
  readonly slept: number[] = [];
  #now = systemClock.now();

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, sleeper: AbortSignal): Promise<void> {
    sleeper.throwIfAborted();
    this.slept.push(ms);
    this.#now += ms;
  }

  random(): number {
    return 0.5;
  }

  /** All of it, in milliseconds. */
  get total(): number {
    return this.slept.reduce((sum, ms) => sum + ms, 0);
  }

  pass(ms: number): void {
    this.#now += ms;
  }
}

export interface Opened extends AsyncDisposable {
  registry: Registry;
  clock: PatientClock;
  /** `level message {fields}` of each line. */
  log: string[];
}

export function open(options: RegistryOptions = {}): Opened {
  const clock = new PatientClock();
  const log: string[] = [];
  const line =
    (level: string): Logger['info'] =>
    (message, fields = {}) =>
      void log.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const logger: Logger = {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    setLevel: () => {},
  };
  const registry = openRegistry({ clock, log: logger, ...options });
  return { registry, clock, log, [Symbol.asyncDispose]: () => registry.close() };
}
