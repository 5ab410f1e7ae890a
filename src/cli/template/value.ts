/**
 * Values as a Go program would hold them. JSON's objects are structs or maps, its nulls have types: both show in what a
 * template prints. A struct is a plain object, a map is a `Map`, a typed nil is a `Nil`.
 */
export class Nil {
  readonly of: 'map' | 'slice' | 'pointer';

  constructor(of: 'map' | 'slice' | 'pointer') {
    this.of = of;
  }

  toJSON(): null {
    return null;
  }
}

/** Go's truth: not the zero value. */
export function isTrue(value: unknown): boolean {
  if (value === undefined || value === null || value instanceof Nil) return false;
  if (value instanceof Map) return value.size > 0;
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === 'object' || typeof value === 'function') return true;
  return Boolean(value);
}

/** Go's %v. */
export function formatValue(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (value instanceof Nil) return value.of === 'map' ? 'map[]' : value.of === 'slice' ? '[]' : '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatNumber(value);
  if (Array.isArray(value)) return `[${value.map(formatValue).join(' ')}]`;
  if (value instanceof Map) {
    const keys = [...value.keys()].map(String).sort(byBytes);
    return `map[${keys.map((key) => `${key}:${formatValue(value.get(key))}`).join(' ')}]`;
  }
  if (typeof value === 'object') {
    // Fields that JSON leaves out are there, but not enumerable.
    const fields = Object.getOwnPropertyNames(value) as (keyof typeof value)[];
    return `{${fields.map((field) => formatValue(value[field])).join(' ')}}`;
  }
  return typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : '';
}

function formatNumber(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return BigInt(value).toString();
  const text = String(value);
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

/** Go's encoding/json without HTML escapes: maps sorted by key. */
export function formatJson(value: unknown): string {
  const text = JSON.stringify(value, (_, each: unknown) => {
    if (each instanceof Map) {
      return Object.fromEntries(
        [...each.entries()].sort(([a], [b]) => byBytes(String(a), String(b))) as [string, unknown][],
      );
    }
    return typeof each === 'bigint' ? Number(each) : each;
  });
  return text ?? 'null';
}

export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
