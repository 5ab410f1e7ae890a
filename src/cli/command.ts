/** What a command is: its help, its flags and what it does. One file per command in `commands/`. */
import type { Flags } from './flag/parse.ts';
import type { Session } from './session.ts';

/** How many arguments a command takes. */
export interface Arity {
  min: number;
  max: number;
}

export const noArgs: Arity = { min: 0, max: 0 };
export const exactly = (count: number): Arity => ({ min: count, max: count });
export const atLeast = (count: number): Arity => ({ min: count, max: Number.POSITIVE_INFINITY });
export const atMost = (count: number): Arity => ({ min: 0, max: count });

/** What an argument names, for completion. */
export type ArgumentKind =
  | 'container'
  | 'running'
  | 'stopped'
  | 'image'
  | 'network'
  | 'volume'
  | 'context'
  | 'service'
  | 'check'
  | 'file'
  | 'none';

export interface Invocation {
  flags: Flags;
  /** What stood before the command's name, for its group: `compose -f …`. */
  group: Flags;
  args: readonly string[];
  /** How many arguments came before `--`; undefined without one. */
  dash?: number | undefined;
  /** As it was called: "container ls", "ps". */
  path: string;
}

export interface Command {
  /** After the command's name: "[OPTIONS] IMAGE [COMMAND] [ARG...]". Several lines for several forms. */
  use: string;
  /** Said below the one line of the tree. */
  long?: string;
  arity: Arity;
  /** The exit code for another number of arguments; Docker's 1 if not said. */
  arityCode?: number;
  /** A flag table (see flag/table.ts). */
  flags?: string;
  hidden?: string;
  /** Flags end at the first argument: what follows belongs to another program. */
  stopsAtArgument?: boolean;
  /** Words are handed over unread, flags too. */
  takesAnything?: boolean;
  checks?: Readonly<Record<string, (value: string) => string | undefined>>;
  /** Lines "command" or "# what it does", shown under Examples. */
  examples?: string;
  /** What arguments name, in order; the last repeats. */
  completes?: readonly ArgumentKind[];
  /** What a flag's value names, or the values it takes. */
  completesFlags?: Readonly<Record<string, ArgumentKind | readonly string[]>>;
  /** @returns the exit code; nothing is 0. */
  run(session: Session, invocation: Invocation): Promise<number | void>;
}
