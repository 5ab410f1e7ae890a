/** What a check is: a row of data that looks at a machine and says how it is, what was found, and what to type to mend it. */
import type { Answer, Host } from './host.ts';

export type State = 'ok' | 'warn' | 'fail' | 'skip';

export interface Finding {
  /** `skip`: it could not be seen, or does not matter here; `found` says which. */
  readonly state: State;
  readonly found: string;
  /** Commands, or where none mends it a sentence. */
  readonly mend: readonly string[];
}

/** The engine that the machine is examined for. */
export interface EngineFacts {
  /** Its unix socket; undefined when the one asked for is on another machine. */
  readonly socket: string | undefined;
  /** How it was asked for: a URL. */
  readonly url: string;
  /** Whether nothing but our own default says so. */
  readonly isDefault: boolean;
  /** The context that says so, where one does. */
  readonly context: string | undefined;
  readonly answer: Answer;
  readonly dataRoot: string;
  /** The link of its default network. */
  readonly bridge: string;
  /** daemon.json. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The units as this version would write them, by path. */
  readonly units: ReadonlyMap<string, string>;
}

export interface Patient {
  readonly host: Host;
  readonly engine: EngineFacts;
}

export interface Check {
  readonly id: string;
  readonly title: string;
  readonly run: (patient: Patient) => Finding | Promise<Finding>;
}

export const ok = (found: string): Finding => ({ state: 'ok', found, mend: [] });
export const warn = (found: string, ...mend: string[]): Finding => ({ state: 'warn', found, mend });
export const fail = (found: string, ...mend: string[]): Finding => ({ state: 'fail', found, mend });
export const skip = (found: string): Finding => ({ state: 'skip', found, mend: [] });

const rank: Readonly<Record<State, number>> = { skip: 0, ok: 1, warn: 2, fail: 3 };

/** Several findings as one: as bad as the worst, which comes first; what is well is left out where something is not. */
export function together(findings: readonly Finding[]): Finding {
  const sorted = [...findings].sort((a, b) => rank[b.state] - rank[a.state]);
  const worst = sorted[0]?.state ?? 'ok';
  const told = rank[worst] > rank.ok ? sorted.filter(({ state }) => rank[state] > rank.ok) : sorted;
  return {
    state: worst,
    found: told.map(({ found }) => found).join('; '),
    mend: [...new Set(told.flatMap(({ mend }) => mend))],
  };
}

/** Whether the engine asked for is there and is Wherry. */
export function runs({ engine: { answer } }: Patient): boolean {
  return answer.kind === 'engine' && answer.product === 'Wherry';
}
