import { SyntaxProblem } from '../../dockerfile/index.ts';
import type { StageNode } from './stage-node.ts';

/** The stages a target needs, itself included. */
export function reachableFrom(target: StageNode): Set<StageNode> {
  const found = new Set<StageNode>();
  const open = [target];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    open.push(...needsOf(node));
  }
  return found;
}

/** @throws SyntaxProblem where a stage needs itself, in the words and for the stage BuildKit names: the first of the file that leads there */
export function refuseCycles(nodes: readonly StageNode[]): void {
  const done = new Set<StageNode>();
  for (const root of nodes) {
    const cycle = findCycle(root, done);
    if (cycle === undefined) continue;
    const message = `circular dependency detected on stage: ${root.label}`;
    throw new SyntaxProblem('circular-stages', message, cycle.place.range);
  }
}

/** Depth first without recursion: a file may have very many stages. */
function findCycle(root: StageNode, done: Set<StageNode>): StageNode | undefined {
  const path = new Set<StageNode>();
  const open: { node: StageNode; needs: StageNode[] }[] = [];
  const enter = (node: StageNode): void => {
    path.add(node);
    open.push({ node, needs: [...needsOf(node)] });
  };
  if (!done.has(root)) enter(root);
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const next = top.needs.pop();
    if (next === undefined) {
      path.delete(top.node);
      done.add(top.node);
      open.pop();
    } else if (path.has(next)) return next;
    else if (!done.has(next)) enter(next);
  }
  return undefined;
}

function needsOf({ base, instructions }: StageNode): StageNode[] {
  const sources = instructions.flatMap(({ sources }) => sources.filter((source) => source !== undefined));
  return base === undefined ? sources : [base, ...sources];
}
