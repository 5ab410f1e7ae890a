/** The query string read as Docker's clients write it: loose booleans, first value wins, unknown keys ignored. */
import { acceptFilters, type Filters, parseFilters } from '../api/index.ts';
import { Fault, type Nanos, parseApiTime } from '../std/index.ts';

const falsehoods = new Set(['', '0', 'no', 'false', 'none']);

export class Query {
  readonly #text: string;
  #parameters: URLSearchParams | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  get #values(): URLSearchParams {
    return (this.#parameters ??= new URLSearchParams(this.#text));
  }

  /** All of them, for who reads them otherwise. */
  get parameters(): URLSearchParams {
    return this.#values;
  }

  /** The first value; undefined when absent or empty. */
  text(key: string): string | undefined {
    const value = this.#values.get(key);
    return value === null || value === '' ? undefined : value;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  all(key: string): string[] {
    return this.#values.getAll(key);
  }

  boolean(key: string, otherwise = false): boolean {
    const value = this.#values.get(key);
    return value === null ? otherwise : !falsehoods.has(value.trim().toLowerCase());
  }

  /** @throws Fault invalid when it is not an integer. */
  integer(key: string): number | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    if (!/^[+-]?\d{1,15}$/.test(value)) {
      throw new Fault('invalid', `invalid query parameter "${key}": want an integer, got ${JSON.stringify(value)}`);
    }
    return Number(value);
  }

  /** Unix seconds with a fraction, or RFC 3339. @throws Fault invalid */
  time(key: string): Nanos | undefined {
    const value = this.text(key);
    if (value === undefined) return undefined;
    const at = parseApiTime(value);
    if (at === undefined) {
      throw new Fault(
        'invalid',
        `invalid query parameter "${key}": want Unix seconds or an RFC 3339 time, got ${JSON.stringify(value)}`,
      );
    }
    return at;
  }

  /** The `filters` parameter. @throws Fault invalid for bad JSON, or a key that is not in `accepted` (when given). */
  filters(accepted?: readonly string[]): Filters {
    const filters = parseFilters(this.text('filters'));
    if (accepted !== undefined) acceptFilters(filters, accepted);
    return filters;
  }
}
