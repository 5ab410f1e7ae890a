/** Base images made on this machine where no registry answers: Wherry's own (/wherry/base-images). */
import type { ProgressMessage } from './types.ts';

export interface BaseImage {
  /** The usual name (`debian:bookworm-slim`). */
  name: string;
  /** All its names, that one first. */
  names: readonly string[];
  /** What it is made on; undefined for one that stands on nothing. */
  base: string | undefined;
  /** The id of the image that has the usual name now, whoever made it; undefined: none. */
  here: string | undefined;
  /** When it was made here (RFC 3339); undefined where it came from elsewhere. */
  made: string | undefined;
}

export interface BaseImages {
  /** What can be made on this machine. */
  list(): Promise<BaseImage[]>;
  /**
   * Makes what is not here, bases first; with `refresh` also what is. Leaving the iteration aborts it and leaves nothing.
   * @throws Fault not-found before the first message for a name that cannot be made here
   */
  make(
    names: readonly string[],
    options: { refresh: boolean },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>>;
}
