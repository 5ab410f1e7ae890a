/** "Did you mean": the nearest of the words that may stand there, at most two edits away. */

const furthest = 3;

/** `undefined` where nothing is near, or where `value` is one of the options and the error is about something else. */
export function suggest(value: string, options: Iterable<string>): string | undefined {
  let best: string | undefined;
  let distance = furthest;
  for (const option of options) {
    if (option === value) return undefined;
    const found = editDistance(value, option, distance);
    if (found < distance) {
      best = option;
      distance = found;
    }
  }
  return best;
}

/** ` (did you mean x?)`, or nothing. */
export function didYouMean(value: string, options: Iterable<string>): string {
  const match = suggest(value, options);
  return match === undefined ? '' : ` (did you mean ${match}?)`;
}

/** Levenshtein's distance; anything from `limit` on is `limit`. */
function editDistance(from: string, to: string, limit: number): number {
  const a = Array.from(from);
  const b = Array.from(to);
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return Math.min(row[b.length]!, limit);
}
