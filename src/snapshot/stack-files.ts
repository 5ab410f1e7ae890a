/** Single files of a stack of layers, by plain path: no mount is made, and no symlink followed. */
import { createReadStream, readdirSync } from 'node:fs';
import { type LowerDirectory, lookLower } from './lower.ts';

export interface StackFiles {
  /** The content of a regular file; undefined when there is none at that path. */
  read(path: string): AsyncIterable<Uint8Array> | undefined;
  /** What a directory holds, sorted by name; nothing when there is none at that path. */
  names(path: string): string[];
}

export function stackFiles(root: LowerDirectory): StackFiles {
  const split = (path: string): string[] => path.split('/').filter((part) => part !== '');
  const look = (copies: LowerDirectory, name: string): ReturnType<typeof lookLower> =>
    // `..` would lead from a layer to its neighbours.
    name === '.' || name === '..' ? undefined : lookLower(copies, Buffer.from(name));
  const directory = (path: readonly string[]): LowerDirectory => {
    let copies = root;
    for (const name of path) copies = look(copies, name)?.copies ?? [];
    return copies;
  };
  return {
    read: (path) => {
      const parts = split(path);
      const name = parts.pop();
      const found = name === undefined ? undefined : look(directory(parts), name);
      if (found === undefined || !found.stat.isFile()) return undefined;
      return createReadStream(found.path, { highWaterMark: 1 << 18 }) as AsyncIterable<Uint8Array>;
    },
    names: (path) => {
      const copies = directory(split(path));
      const names = new Set(copies.flatMap((copy) => readdirSync(copy)));
      return [...names].filter((name) => look(copies, name) !== undefined).sort();
    },
  };
}
