/** Go's `path.Clean`: the shortest path that means the same, by the text alone. */

export function cleanPath(path: string): string {
  if (path === '') return '.';
  const isRooted = path.startsWith('/');
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') out.push(part);
    else if (out.length > 0 && out.at(-1) !== '..') out.pop();
    else if (!isRooted) out.push('..');
  }
  const joined = out.join('/');
  if (isRooted) return `/${joined}`;
  return joined === '' ? '.' : joined;
}
