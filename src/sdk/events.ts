/** The daemon's events, in the words of programs. */
import type { Client, FilterValues } from '../client/index.ts';
import { ended } from './ended.ts';

export interface EngineEvent {
  /** "container", "image", "network", "volume", … */
  type: string;
  /** "start", "die", "health_status: healthy", … */
  action: string;
  /** Of what it is about: an id or a name. */
  id: string;
  attributes: Readonly<Record<string, string>>;
  time: Date;
  timeNano: bigint;
}

export interface EventOptions {
  /** `{ type: ['container'], event: ['die'], label: ['a=b'] }`. */
  filters?: FilterValues;
  /** Also what happened from then on. */
  since?: Date;
  /** Ends then. */
  until?: Date;
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
}

export async function* events(client: Client, options: EventOptions): AsyncGenerator<EngineEvent, void> {
  const { filters, since, until, signal } = options;
  const seconds = (time: Date | undefined): string | undefined =>
    time === undefined ? undefined : (time.getTime() / 1000).toFixed(3);
  const lines = client.system.events({ since: seconds(since), until: seconds(until) }, filters, signal);
  for await (const { Type, Action, Actor, timeNano } of ended(lines, signal)) {
    const nanos = BigInt(timeNano);
    const time = new Date(Number(nanos / 1_000_000n));
    yield { type: Type, action: Action, id: Actor.ID, attributes: Actor.Attributes, time, timeNano: nanos };
  }
}
