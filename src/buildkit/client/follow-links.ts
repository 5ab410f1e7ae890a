/**
 * Paths that a builder wants (globs among them), with the links on their way and what those lead to, links never leading out of the folder
 * (tonistiigi/fsutil, followlinks.go).
 */
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { BadPattern, compilePathPattern } from '../../dockerfile/index.ts';

/** @returns sorted, without what is below another; undefined when that is everything */
export function followLinks(root: string, paths: readonly string[]): string[] | undefined {
  const found = new Set<string>();
  for (const path of paths) follow(root, path, found);
  const kept: string[] = [];
  for (const path of [...found].sort()) {
    if (path === '.') return undefined;
    const last = kept.at(-1);
    if (last === undefined || !path.startsWith(`${last}/`)) kept.push(path);
  }
  return kept;
}

function follow(root: string, path: string, found: Set<string>): void {
  const parts = inside(path).split('/');
  let current = '.';
  for (const [index, part] of parts.entries()) {
    current = posix.join(current, part);
    const targets = linkTargets(root, current);
    const isLast = index === parts.length - 1;
    if (targets.length === 0 && !isLast) continue;
    // Seen before: what it leads to was followed then, which also ends circles.
    const isKnown = found.has(current);
    found.add(current);
    if (isKnown) return;
    const rest = parts.slice(index + 1).join('/');
    for (const target of targets) follow(root, posix.join(target, rest), found);
    return;
  }
}

/** A path from the folder's top, whatever it was relative to. */
function inside(path: string): string {
  const cleaned = posix.join('/', path).slice(1);
  return cleaned === '' ? '.' : cleaned.replace(/\/$/, '');
}

/** Where the path's last name leads, for each that it matches and that is a link. */
function linkTargets(root: string, path: string): string[] {
  const name = posix.basename(path);
  if (!/[*?[\\]/.test(name)) return linkTarget(root, path);
  const folder = dirname(path);
  return namesIn(join(root, folder))
    .filter(matcher(name))
    .flatMap((each) => linkTarget(root, posix.join(folder, each)));
}

function matcher(pattern: string): (name: string) => boolean {
  try {
    return compilePathPattern(pattern);
  } catch (error) {
    if (error instanceof BadPattern) return () => false;
    throw error;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkTarget(root: string, path: string): string[] {
  try {
    const at = join(root, path);
    if (!lstatSync(at).isSymbolicLink()) return [];
    const target = readlinkSync(at);
    return [inside(target.startsWith('/') ? target : posix.join('/', dirname(path), target))];
  } catch {
    return [];
  }
}
