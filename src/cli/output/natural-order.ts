/** Docker's order of names: runs of digits count as numbers, the rest by bytes. */
export function naturalOrder(a: string, b: string): number {
  const left = a.match(/\d+|\D+/g) ?? [];
  const right = b.match(/\d+|\D+/g) ?? [];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const [one, two] = [left[at]!, right[at]!];
    if (one === two) continue;
    const numbers = /^\d/.test(one) && /^\d/.test(two);
    if (numbers && Number(one) !== Number(two)) return Number(one) - Number(two);
    return one < two ? -1 : 1;
  }
  return left.length - right.length;
}
