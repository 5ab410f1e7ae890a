/** Which parser reads which keyword. */
import { SyntaxProblem } from '../source/problem.ts';
import { didYouMean } from '../suggest.ts';
import { parseCmd, parseEntrypoint, parseShell } from './commands.ts';
import type { InstructionContext } from './context.ts';
import { parseFrom } from './from.ts';
import { parseHealthcheck } from './healthcheck.ts';
import { parseOnbuild } from './onbuild.ts';
import { parseArg, parseEnv, parseLabel } from './pairs.ts';
import { parseRun } from './run.ts';
import { parseExpose, parseMaintainer, parseStopsignal, parseUser, parseVolume, parseWorkdir } from './settings.ts';
import { parseAdd, parseCopy } from './transfer.ts';
import type { Instruction, InstructionKind } from './types.ts';

const parsers: Readonly<Record<InstructionKind, (context: InstructionContext) => Instruction>> = {
  ADD: parseAdd,
  ARG: parseArg,
  CMD: parseCmd,
  COPY: parseCopy,
  ENTRYPOINT: parseEntrypoint,
  ENV: parseEnv,
  EXPOSE: parseExpose,
  FROM: parseFrom,
  HEALTHCHECK: parseHealthcheck,
  LABEL: parseLabel,
  MAINTAINER: parseMaintainer,
  ONBUILD: parseOnbuild,
  RUN: parseRun,
  SHELL: parseShell,
  STOPSIGNAL: parseStopsignal,
  USER: parseUser,
  VOLUME: parseVolume,
  WORKDIR: parseWorkdir,
};

export const instructionNames = Object.keys(parsers) as readonly InstructionKind[];

export function isInstructionName(name: string): name is InstructionKind {
  return Object.hasOwn(parsers, name);
}

/** @throws SyntaxProblem */
export function parseInstruction(context: InstructionContext): Instruction {
  const { keyword } = context.base;
  const name = keyword.text.toUpperCase();
  if (isInstructionName(name)) return parsers[name](context);
  const hint = didYouMean(name, instructionNames);
  const cased = keyword.text === name ? hint : hint.replace(/[A-Z]+/, (match) => match.toLowerCase());
  const message = `unknown instruction: ${keyword.text}${cased}`;
  throw new SyntaxProblem('unknown-instruction', message, keyword.range);
}
