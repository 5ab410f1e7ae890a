/** The engine's events: a ring of the last 256, and everyone who listens now. */
import { acceptFilters, type EventMessage, type Filters, matchesLabels } from '../api/index.ts';
import { nowNanos } from '../std/index.ts';

const RING = 256;
/** Events queued for one slow listener before the oldest are dropped. */
const QUEUE = 65_536;
const accepted = 'config container daemon event image label network node plugin scope secret service type volume'.split(
  ' ',
);

export class Events {
  #ring: EventMessage[] = [];
  #emitted = 0;
  readonly #listeners = new Set<(event: EventMessage) => void>();

  emit(event: Omit<EventMessage, 'scope' | 'timeNano'>): void {
    const message: EventMessage = { ...event, scope: 'local', timeNano: nowNanos() };
    this.#emitted++;
    this.#ring.push(message);
    if (this.#ring.length > RING) this.#ring = this.#ring.slice(-RING);
    for (const listener of this.#listeners) listener(message);
  }

  /** How many there have been since the daemon came up. */
  get emitted(): number {
    return this.#emitted;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  /** Registered when it returns. Past events since `since` come first; ends at `until` or with the signal. @throws Fault invalid for an unknown filter */
  subscribe(
    options: { since?: bigint | undefined; until?: bigint | undefined; filters: Filters },
    signal: AbortSignal,
  ): AsyncIterable<EventMessage> {
    acceptFilters(options.filters, accepted);
    const { since, until, filters } = options;
    const queue: EventMessage[] = [];
    let wake: (() => void) | undefined;
    let ended = false;
    const push = (event: EventMessage): void => {
      if (!matches(event, filters)) return;
      if (until !== undefined && event.timeNano > until) return;
      if (queue.length >= QUEUE) queue.shift();
      queue.push(event);
      wake?.();
    };
    if (since !== undefined) for (const event of this.#ring) if (event.timeNano >= since) push(event);
    const end = (): void => {
      ended = true;
      this.#listeners.delete(push);
      clearTimeout(timer);
      wake?.();
    };
    let timer: NodeJS.Timeout | undefined;
    const untilMs = until === undefined ? undefined : Number((until - nowNanos()) / 1_000_000n);
    if (untilMs !== undefined && untilMs <= 0) ended = true;
    else {
      this.#listeners.add(push);
      if (untilMs !== undefined) timer = setTimeout(end, Math.min(untilMs + 1, 0x7fffffff));
      signal.addEventListener('abort', end, { once: true });
    }
    async function* messages(): AsyncGenerator<EventMessage> {
      try {
        for (;;) {
          while (queue.length > 0) yield queue.shift()!;
          if (ended || signal.aborted) return;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = undefined;
        }
      } finally {
        end();
      }
    }
    return messages();
  }
}

/** Values of one key are ORed, keys are ANDed. Exported for tests. */
export function matches(event: EventMessage, filters: Filters): boolean {
  const { Type, Action, Actor } = event;
  const { Attributes } = Actor;
  const some = (key: string, test: (value: string) => boolean): boolean => {
    const wanted = filters.get(key);
    return wanted === undefined || wanted.size === 0 || [...wanted].some(test);
  };
  const actor =
    (type: EventMessage['Type'], attribute: string) =>
    (value: string): boolean =>
      Type === type
        ? Actor.ID === value || Attributes['name'] === value || (value.length >= 3 && Actor.ID.startsWith(value))
        : Attributes[attribute] === value;
  const actionName = Action.split(':')[0]!;
  return (
    some('type', (value) => value === Type) &&
    some('event', (value) => value === Action || value === actionName) &&
    some('scope', (value) => value === 'local') &&
    some('container', actor('container', 'container')) &&
    some('network', actor('network', 'network')) &&
    some('volume', actor('volume', 'volume')) &&
    some('image', (value) => {
      const names = [Actor.ID, Attributes['name'] ?? '', Attributes['image'] ?? ''];
      return (
        (Type === 'image' || Type === 'container') &&
        names.some((name) => name === value || name.replace(/:[^:/]+$/, '') === value)
      );
    }) &&
    some('daemon', (value) => Type === 'daemon' && (Actor.ID === value || Attributes['name'] === value)) &&
    matchesLabels(new Map([...filters].filter(([key]) => key === 'label')), Attributes) &&
    !['node', 'service', 'secret', 'config', 'plugin'].some((key) => (filters.get(key)?.size ?? 0) > 0)
  );
}
