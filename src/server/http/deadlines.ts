/**
 * How long a client may take to say what it has begun to say. Nothing here cuts who waits for an answer, reads one slowly, or is silent
 * between requests: long polls, followers, attached terminals and idle connections have no deadline.
 */

export interface Deadlines {
  /** From the first bytes of a head to its end. */
  readonly headMs: number;
  /** For a body that is read whole (JSON); each `bytesPerSecond` of it that came give a second more. */
  readonly bodyMs: number;
  readonly bytesPerSecond: number;
  /** Silence inside a body that is streamed (archives, build contexts), while somebody waits for it. */
  readonly stallMs: number;
  /** For what nobody read of a body, when its answer is out. */
  readonly discardMs: number;
  /** For one too many, to ask what is then refused. */
  readonly turnAwayMs: number;
}

export const deadlines: Deadlines = {
  headMs: 30_000,
  bodyMs: 30_000,
  bytesPerSecond: 16 * 1024,
  stallMs: 600_000,
  discardMs: 5_000,
  turnAwayMs: 1_000,
};
