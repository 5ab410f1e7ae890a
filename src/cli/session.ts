/** What a command works with: streams, environment, the daemon (dialled when first asked for), the user's configuration. */
import type { Client } from '../client/index.ts';
import type { ConfigFile, EndpointChoice } from '../context/index.ts';
import type { GlobalOptions } from './global-options.ts';
import type { Output } from './output/stream.ts';

export interface Input {
  readonly isTerminal: boolean;
  /** Bytes as they come, until the end. */
  read(): AsyncIterable<Uint8Array>;
  /** A line, without its newline; undefined at the end. */
  line(): Promise<string | undefined>;
  /** Takes the terminal out of line mode; the returned function puts it back. */
  raw(): () => void;
  /** Stops reading, so that the program may end. */
  stop(): void;
}

export interface Session {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: Output;
  readonly err: Output;
  readonly in: Input;
  readonly options: GlobalOptions;
  /** The endpoint chosen by flags, environment and contexts. */
  endpoint(): Promise<EndpointChoice>;
  /** The daemon; started on demand where that is ours to do. */
  client(): Promise<Client>;
  config(): ConfigFile;
  /** Now, in milliseconds since the epoch. */
  now(): number;
}
