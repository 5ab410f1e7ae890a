/** The instructions an image keeps for those built on it. */
import { parse } from './parse.ts';
import { SyntaxProblem } from './source/problem.ts';
import type { FromInstruction, Instruction } from './instruction/types.ts';

/**
 * A trigger's instruction, placed at the FROM that brought it in: its words have no place in this file.
 * @throws SyntaxProblem in BuildKit's words
 */
export function parseTrigger(expression: string, from: FromInstruction): Exclude<Instruction, { kind: 'FROM' }> {
  const file = parse(expression, { name: 'ONBUILD' });
  // Alone it has no stage, and that is as it should be.
  const problem = file.problems.find(({ code }) => code !== 'no-stage' && code !== 'no-stages');
  if (problem !== undefined) {
    const message = problem.message.replace(/^dockerfile parse error on line \d+: /, '');
    throw new SyntaxProblem(problem.code, message, from.range);
  }
  const [instruction, ...more] = file.instructions;
  if (instruction === undefined || more.length > 0) {
    throw new SyntaxProblem('bad-onbuild', 'onbuild trigger should be a single expression', from.range);
  }
  if (instruction.kind === 'FROM') throw new SyntaxProblem('bad-onbuild', 'FROM is not a command type', from.range);
  return relocate(instruction, from) as Exclude<Instruction, { kind: 'FROM' }>;
}

function relocate(value: unknown, from: FromInstruction): unknown {
  if (Array.isArray(value)) return value.map((one) => relocate(one, from));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      if (key === 'range' || key === 'contentRange' || key === 'valueRange') return [key, from.range];
      if (key === 'lines') return [key, from.lines];
      return key === 'valueFragment' ? [key, one] : [key, relocate(one, from)];
    }),
  );
}
