/** What to say about a word that names no command: the nearest ones that do. */
import type { TreeNode } from '../tree.ts';

/** Docker's commands that this version answers for by name only. */
const absent: Readonly<Record<string, string>> = {
  buildx: 'building images',
  compose: 'Compose',
  swarm: 'swarm mode',
  service: 'swarm mode',
  stack: 'swarm mode',
  node: 'swarm mode',
  secret: 'swarm mode',
  config: 'swarm mode',
  plugin: 'plugins',
  trust: 'content trust',
  checkpoint: 'checkpoints',
  manifest: 'manifest lists',
};

export function describeUnknown(path: readonly string[], node: TreeNode, word: string): string {
  const name = ['wherry', ...path].join(' ');
  const usage = path.length === 0 ? '' : `Usage:  ${name} COMMAND\n\n`;
  const missing = path.length === 0 ? absent[word] : undefined;
  const near = suggestions(word, Object.entries(node.children ?? {}));
  const advice =
    missing !== undefined
      ? `${missing[0]!.toUpperCase()}${missing.slice(1)} is not part of this version of Wherry.\n\n`
      : near.length === 0
        ? ''
        : `Did you mean ${near.length === 1 ? 'this' : 'one of these'}?\n${near.map((each) => `\t${name} ${each}\n`).join('')}\n`;
  return `wherry: unknown command: ${name} ${word}\n\n${advice}${usage}Run '${name} --help' for more information\n`;
}

/** Commands within two typing mistakes, or that begin with the word. */
export function suggestions(word: string, children: readonly (readonly [string, TreeNode])[]): string[] {
  return children
    .filter(([, node]) => node.hidden !== true)
    .map(([name]) => name)
    .filter((name) => (word.length > 1 && name.startsWith(word)) || distance(word, name) <= (word.length < 4 ? 1 : 2))
    .sort();
}

/** Levenshtein distance with neighbouring letters swapped counting one. */
export function distance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let best = Math.min(previous[column]! + 1, current[column - 1]! + 1, previous[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) best = Math.min(best, before[column - 2]! + 1);
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[to.length]!;
}
