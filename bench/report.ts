/** What a bench found: rows of medians side by side, ratios against what is asked, and what could not be measured. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Summary, summary } from './measure.ts';

/** At most this ratio of one column's median to another's; a number as `by` is an absolute bound in the row's unit. */
export interface Limit {
  of: string;
  by: string | number;
  atMost: number;
}

export interface Row {
  what: string;
  unit: 'ms' | 'MB';
  values: Record<string, Summary>;
  limits: Limit[];
}

/** One way of doing what a row measures: `prepare` runs before each round and is not counted. Returns ms. */
export interface Column {
  prepare?: () => Promise<void>;
  run: () => Promise<number>;
}

export class Report {
  readonly rows: Row[] = [];
  readonly missing: string[] = [];
  readonly #only: RegExp | undefined;

  /** @param only rows whose words match it, when given */
  constructor(only?: RegExp) {
    this.#only = only;
  }

  /** Whether any row of a part that goes by this word may be asked for: what takes long to make ready is not made in vain. */
  wants(word: string): boolean {
    return this.#only === undefined || this.#only.source.includes(word);
  }

  /** Runs the columns in turn, `rounds` times after the warm-ups, so that the machine's moods hit all alike. */
  async compare(
    what: string,
    columns: Readonly<Record<string, Column | undefined>>,
    limits: Limit[],
    { rounds, warmUps = 2, pauseMs = 60 }: { rounds: number; warmUps?: number; pauseMs?: number },
  ): Promise<void> {
    if (this.#only?.test(what) === false) return;
    const samples: Record<string, number[]> = {};
    const failed = new Set<string>();
    for (let round = -warmUps; round < rounds; round++) {
      for (const [name, column] of Object.entries(columns)) {
        if (column === undefined || failed.has(name)) continue;
        try {
          await column.prepare?.();
          const ms = await column.run();
          if (round >= 0) (samples[name] ??= []).push(ms);
        } catch (error) {
          failed.add(name);
          this.missing.push(`${what}, ${name}: ${(error as Error).message.split('\n')[0]}`);
        }
        await sleep(pauseMs);
      }
    }
    const values = Object.fromEntries(Object.entries(samples).map(([name, each]) => [name, summary(each)]));
    this.add({ what, unit: 'ms', values, limits });
  }

  add(row: Row): void {
    this.rows.push(row);
    const columns = Object.entries(row.values).map(
      ([name, { median, min, max }]) => `${name} ${median.toFixed(1)} (${min.toFixed(0)}–${max.toFixed(0)})`,
    );
    const verdicts = row.limits.map((limit) => verdict(row, limit));
    process.stdout.write(`${row.what}\n    ${columns.join('   ')} ${row.unit}\n    ${verdicts.join('   ')}\n`);
  }
}

function verdict({ values, unit }: Row, { of, by, atMost }: Limit): string {
  const value = values[of]?.median;
  if (typeof by === 'number') {
    if (value === undefined) return `${of}: not measured`;
    return `${of} ${value.toFixed(1)} ${unit} (at most ${by}${value <= by ? '' : ', MISSED'})`;
  }
  const other = values[by]?.median;
  if (value === undefined || other === undefined) return `${of}/${by}: not measured`;
  const ratio = value / other;
  return `${of}/${by} ${ratio.toFixed(2)} (at most ${atMost.toFixed(2)}${ratio <= atMost ? '' : ', MISSED'})`;
}
