/** JSON as Go's encoder prints it: `<`, `>`, `&` and the two line separators escaped, bigints as integers. */

const special = /[<>&\u2028\u2029]/;
const specials = /[<>&\u2028\u2029]/g;

export function goJson(value: unknown): string {
  const text = JSON.stringify(value);
  return special.test(text) ? text.replace(specials, escape) : text;
}

/** For values with bigints or numbers past 2^53, which a Go client must read back as (u)int64. */
export function goJsonExact(value: unknown): string {
  const text = JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === 'bigint') return rawJson(String(item));
    if (typeof item === 'number' && Number.isInteger(item) && !Number.isSafeInteger(item)) {
      return rawJson(String(item >= 2 ** 64 ? 2n ** 64n - 1n : BigInt(item)));
    }
    return item;
  });
  return special.test(text) ? text.replace(specials, escape) : text;
}

function escape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** JSON.rawJSON, which TypeScript's library does not name yet. */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}
