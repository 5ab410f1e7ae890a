/** What can be said of a stage's instructions when the values of its variables are known. */
import { type ExpandedInstruction, Expander, expandInstruction } from '../expand/expand-instruction.ts';
import type { Instruction } from '../instruction/types.ts';
import type { StageScope } from '../scope/stage-scope.ts';
import { suggest } from '../suggest.ts';
import { at } from './file-checks.ts';
import type { Findings } from './finding.ts';

/** What of a stage goes on in the stages built on it. */
export interface StageState {
  readonly scope: StageScope;
  hasShell: boolean;
  hasWorkdir: boolean;
}

export interface StageChecks {
  readonly state: StageState;
  readonly findings: Findings;
  /** The base image's environment is known: else what is not defined here may be defined there. */
  readonly isEnvironmentKnown: boolean;
  /** Whether a source of the build context is left out by `.dockerignore`. */
  readonly isIgnored: (path: string) => boolean;
  readonly onProblem: (error: unknown) => void;
}

type Last = Map<'CMD' | 'ENTRYPOINT' | 'HEALTHCHECK', Instruction>;

export function checkStage(instructions: readonly Instruction[], checks: StageChecks): void {
  const last: Last = new Map();
  for (const instruction of instructions) {
    const expander = checks.state.scope.expander();
    try {
      const expanded = expandOne(instruction, expander, checks);
      if (expanded !== undefined) checkExpanded(expanded, checks, last);
    } catch (error) {
      checks.onProblem(error);
    }
  }
}

/** `undefined` for what only changes the scope. What is missing is told before the instruction itself defines anything. */
function expandOne(instruction: Instruction, expander: Expander, checks: StageChecks): ExpandedInstruction | undefined {
  if (instruction.kind === 'FROM') return undefined;
  try {
    if (instruction.kind !== 'ARG') return expandInstruction(instruction, expander);
    for (const { name } of instruction.args) checkSecret('ARG', instruction, name.text, checks.findings);
    checks.state.scope.declare(instruction, expander);
    return undefined;
  } finally {
    reportMissing(instruction, expander, checks);
  }
}

function reportMissing(instruction: Instruction, expander: Expander, checks: StageChecks): void {
  if (!checks.isEnvironmentKnown) return;
  const { scope } = checks.state;
  for (const { name, word } of expander.misses) {
    if (scope.isDeclared(name)) continue;
    checks.findings.report('UndefinedVar', at(instruction, word), name, suggest(name, scope.values.keys()) ?? '');
  }
}

function checkExpanded(instruction: ExpandedInstruction, checks: StageChecks, last: Last): void {
  const { state, findings } = checks;
  switch (instruction.kind) {
    case 'ENV':
    case 'LABEL':
      for (const { key, value, isLegacy } of instruction.pairs) {
        if (isLegacy) findings.report('LegacyKeyValueFormat', at(instruction), instruction.keyword.text);
        if (instruction.kind === 'ENV') {
          checkSecret('ENV', instruction, key.text, findings);
          state.scope.setEnv(key.text, value.text);
        }
      }
      break;
    case 'CMD':
    case 'ENTRYPOINT':
      checkOnce(instruction, findings, last);
      if (instruction.command.form === 'shell' && !state.hasShell) {
        findings.report('JSONArgsRecommended', at(instruction), instruction.keyword.text);
      }
      break;
    case 'HEALTHCHECK':
      checkOnce(instruction, findings, last);
      break;
    case 'SHELL':
      state.hasShell = true;
      break;
    case 'WORKDIR':
      if (!state.hasWorkdir && !instruction.path.text.startsWith('/')) {
        findings.report('WorkdirRelativePath', at(instruction, instruction.path), instruction.path.text);
      }
      state.hasWorkdir = true;
      break;
    case 'EXPOSE':
      for (const port of instruction.ports) checkPort(instruction, port.text, findings);
      break;
    case 'COPY':
    case 'ADD':
      checkIgnored(instruction, checks);
      break;
    default:
  }
}

/** It is the earlier one that is in vain. */
function checkOnce(
  instruction: Extract<Instruction, { kind: 'CMD' | 'ENTRYPOINT' | 'HEALTHCHECK' }>,
  findings: Findings,
  last: Last,
): void {
  const earlier = last.get(instruction.kind);
  if (earlier !== undefined) {
    findings.report('MultipleInstructionsDisallowed', at(earlier), instruction.keyword.text);
  }
  last.set(instruction.kind, instruction);
}

const secret = /(?:_|^)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i;
const harmless = /(?:_|^)public(?:_|$)/i;

function checkSecret(keyword: 'ARG' | 'ENV', instruction: Instruction, name: string, findings: Findings): void {
  if (!secret.test(name) || harmless.test(name)) return;
  findings.report('SecretsUsedInArgOrEnv', at(instruction), keyword, name);
}

function checkPort(instruction: Instruction, port: string, findings: Findings): void {
  if (port.includes(':')) findings.report('ExposeInvalidFormat', at(instruction), port);
  const protocol = port.split('/')[1] ?? '';
  if (protocol !== protocol.toLowerCase()) findings.report('ExposeProtoCasing', at(instruction), port);
}

function checkIgnored(instruction: Extract<Instruction, { kind: 'COPY' | 'ADD' }>, checks: StageChecks): void {
  if (instruction.kind === 'COPY' && instruction.from !== undefined) return;
  const verb = instruction.kind === 'COPY' ? 'Copy' : 'Add';
  for (const source of instruction.sources) {
    if (instruction.kind === 'ADD' && /^(?:https?:|git@|git:)/.test(source.text)) continue;
    if (checks.isIgnored(source.text)) {
      checks.findings.report('CopyIgnoredFile', at(instruction, source), verb, source.text);
    }
  }
}
