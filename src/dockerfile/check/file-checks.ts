/** What can be said of a file without knowing any value. */
import type { FromInstruction, Instruction } from '../instruction/types.ts';
import type { Dockerfile } from '../parse.ts';
import type { Word } from '../source/range.ts';
import type { Findings } from './finding.ts';

export function checkFile(file: Dockerfile, findings: Findings): void {
  for (const range of file.emptyContinuations) {
    findings.report('NoEmptyContinuation', { range, lines: { first: range.start.line, last: range.start.line } });
  }
  for (const instruction of file.instructions) {
    if (instruction.kind === 'MAINTAINER') findings.report('MaintainerDeprecated', at(instruction));
    if (instruction.kind === 'FROM') checkFromCasing(instruction, findings);
    checkComments(instruction, findings);
  }
  checkStageNames(file, findings);
  checkKeywordCasing(file, findings);
}

function checkFromCasing(from: FromInstruction, findings: Findings): void {
  if (from.as === undefined) return;
  const { keyword, name } = from.as;
  if (name.text !== name.text.toLowerCase()) findings.report('StageNameCasing', at(from, name), name.text);
  const isUpper = (text: string): boolean => text === text.toUpperCase();
  const isLower = (text: string): boolean => text === text.toLowerCase();
  const matches =
    (isLower(from.keyword.text) && isLower(keyword.text)) || (isUpper(from.keyword.text) && isUpper(keyword.text));
  // A keyword of mixed case is said once, by ConsistentInstructionCasing.
  const isMixed = !isLower(from.keyword.text) && !isUpper(from.keyword.text);
  if (!matches && !isMixed) findings.report('FromAsCasing', at(from, keyword), from.keyword.text, keyword.text);
}

/** A comment right above a named stage or an ARG is taken for its description. */
function checkComments(instruction: Instruction, findings: Findings): void {
  const { comments } = instruction;
  if (comments.length === 0) return;
  const names =
    instruction.kind === 'FROM'
      ? [instruction.as?.name.text.toLowerCase()]
      : instruction.kind === 'ARG'
        ? instruction.args.map(({ name }) => name.text)
        : [];
  for (const name of names) {
    if (name === undefined || comments.some((comment) => comment.startsWith(`${name} `))) continue;
    findings.report('InvalidDefinitionDescription', at(instruction), instruction.kind, name);
  }
}

const reserved = new Set(['context', 'scratch']);

function checkStageNames({ stages }: Dockerfile, findings: Findings): void {
  const seen = new Set<string>();
  for (const { name, from } of stages) {
    if (name === undefined) continue;
    if (reserved.has(name)) findings.report('ReservedStageName', at(from, from.as?.name), name);
    if (seen.has(name)) findings.report('DuplicateStageName', at(from, from.as?.name), name);
    seen.add(name);
  }
}

/** Global ARGs neither count nor are judged. */
function checkKeywordCasing({ stages }: Dockerfile, findings: Findings): void {
  const all = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  const lower = all.filter(({ keyword }) => keyword.text === keyword.text.toLowerCase()).length;
  const upper = all.filter(({ keyword }) => keyword.text === keyword.text.toUpperCase()).length;
  for (const instruction of all) {
    const { text } = instruction.keyword;
    const wanted = lower > upper ? text.toLowerCase() : text.toUpperCase();
    if (text === wanted) continue;
    const casing = lower > upper ? 'lowercase' : 'uppercase';
    findings.report('ConsistentInstructionCasing', at(instruction, instruction.keyword), text, casing);
  }
}

/** A word of an instruction, or the whole of it. */
export function at({ range, lines }: Instruction, word?: Word): { range: Word['range']; lines: Instruction['lines'] } {
  return { range: word?.range ?? range, lines };
}
