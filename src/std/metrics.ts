/**
 * Numbers for Prometheus: families as data, counters and histograms that fill them, and their text (exposition format 0.0.4).
 * Same input, same bytes: series stand in the order in which they first came.
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
  /** What follows the family's name: "_bucket", "_sum" or "_count" of a histogram. */
  readonly suffix?: string;
}

/** One metric: a name, what it means, and its series. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: readonly Sample[];
}

export const metricContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** The text of families; those without a series are left out. */
export function metricText(families: readonly MetricFamily[]): string {
  let text = '';
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    text += `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n`;
    for (const { labels, value, suffix = '' } of samples) {
      text += `${name}${suffix}${labelText(labels)} ${numberText(value)}\n`;
    }
  }
  return text;
}

function labelText(labels: Labels | undefined): string {
  if (labels === undefined) return '';
  let text = '';
  for (const name in labels) {
    text += `${text === '' ? '{' : ','}${name}="${escaped(labels[name]!).replaceAll('"', '\\"')}"`;
  }
  return text === '' ? '' : `${text}}`;
}

function escaped(text: string): string {
  return /[\\\n]/.test(text) ? text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n') : text;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

export function gauge(name: string, help: string, samples: number | readonly Sample[]): MetricFamily {
  return { name, help, type: 'gauge', samples: typeof samples === 'number' ? [{ value: samples }] : samples };
}

export function counter(name: string, help: string, samples: number | readonly Sample[]): MetricFamily {
  return { name, help, type: 'counter', samples: typeof samples === 'number' ? [{ value: samples }] : samples };
}

/** A counter with a series for each combination of labels it has met. */
export class CounterVector {
  readonly #name: string;
  readonly #help: string;
  readonly #series = new Map<string, { labels: Labels; value: number }>();

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  add(labels: Labels, amount = 1): void {
    const key = JSON.stringify(Object.values(labels));
    const series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, { labels, value: amount });
    else series.value += amount;
  }

  family(): MetricFamily {
    return counter(this.#name, this.#help, [...this.#series.values()]);
  }
}

/** Upper bounds in seconds, as Prometheus' own clients have them. */
const standardBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

interface Distribution {
  labels: Labels;
  /** One more than there are bounds; not cumulative. */
  counts: number[];
  sum: number;
}

/** A histogram of seconds with a series for each combination of labels it has met. */
export class HistogramVector {
  readonly #name: string;
  readonly #help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<string, Distribution>();

  constructor(name: string, help: string, bounds: readonly number[] = standardBounds) {
    this.#name = name;
    this.#help = help;
    this.#bounds = bounds;
  }

  /** Makes the series, so that it is there before anything has happened. */
  declare(labels: Labels): void {
    this.#of(labels);
  }

  observe(labels: Labels, seconds: number): void {
    const series = this.#of(labels);
    const at = this.#bounds.findIndex((bound) => seconds <= bound);
    series.counts[at < 0 ? this.#bounds.length : at]! += 1;
    series.sum += seconds;
  }

  family(): MetricFamily {
    const samples: Sample[] = [];
    for (const { labels, counts, sum } of this.#series.values()) {
      let below = 0;
      for (const [index, bound] of this.#bounds.entries()) {
        below += counts[index]!;
        samples.push({ suffix: '_bucket', labels: { ...labels, le: numberText(bound) }, value: below });
      }
      const all = below + counts.at(-1)!;
      samples.push(
        { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: all },
        { suffix: '_sum', labels, value: sum },
        { suffix: '_count', labels, value: all },
      );
    }
    return { name: this.#name, help: this.#help, type: 'histogram', samples };
  }

  #of(labels: Labels): Distribution {
    const key = JSON.stringify(Object.values(labels));
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { labels, counts: Array.from({ length: this.#bounds.length + 1 }, () => 0), sum: 0 };
      this.#series.set(key, series);
    }
    return series;
  }
}
