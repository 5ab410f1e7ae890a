/** Puts files where they belong, so that doing it again changes nothing. */
import { lstatSync, mkdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { readFileIfExists, writeFileAtomic } from '../../std/index.ts';

/** @returns whether the file was not like that already. */
export async function placeFile(path: string, text: string): Promise<boolean> {
  const before = await readFileIfExists(path);
  if (before?.toString() === text) return false;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await writeFileAtomic(path, text, { mode: 0o644 });
  return true;
}

/**
 * A link in the place of one that leads nowhere or to another copy of the program; what is no link of ours stays.
 * @returns whether it leads to the target
 */
export function placeLink(path: string, target: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isSymbolicLink() === true) {
    if (readlinkSync(path) === target) return true;
    if (!/\/bin\/wherryd?$/.test(readlinkSync(path))) return false;
    rmSync(path);
  } else if (found !== undefined) return false;
  symlinkSync(target, path);
  return true;
}
