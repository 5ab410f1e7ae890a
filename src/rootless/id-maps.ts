/** Which ids a user's namespace has: the user as root, and the ranges that /etc/subuid and /etc/subgid give him (subuid(5)). Pure. */

export interface SubordinateRange {
  start: number;
  count: number;
}

/** The user's ranges, by name or by number, in the order of the file. */
export function rangesOf(text: string, user: string, uid: number): SubordinateRange[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(':'))
    .filter(([owner, , count]) => (owner === user || owner === String(uid)) && count !== undefined)
    .map(([, start, count]) => ({ start: Number(start), count: Number(count) }))
    .filter(({ start, count }) => Number.isSafeInteger(start) && Number.isSafeInteger(count) && count > 0);
}

/** Arguments of newuidmap(1) and newgidmap(1) after the pid: inside, outside and count of each range. */
export function mapArguments(own: number, ranges: readonly SubordinateRange[]): string[] {
  const all = [{ start: own, count: 1 }, ...ranges];
  let inside = 0;
  return all.flatMap(({ start, count }) => {
    const words = [inside, start, count].map(String);
    inside += count;
    return words;
  });
}
