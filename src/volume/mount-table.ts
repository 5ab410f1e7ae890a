/** What is mounted where, from /proc/self/mountinfo. */
import { readFileSync } from 'node:fs';

/** The mount points at `path` or below it. */
export function mountsAt(path: string, table = readFileSync('/proc/self/mountinfo', 'utf8')): string[] {
  return table.split('\n').flatMap((line) => {
    const field = line.split(' ')[4];
    if (field === undefined) return [];
    const point = field.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return point === path || point.startsWith(`${path}/`) ? [point] : [];
  });
}
