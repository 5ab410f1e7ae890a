import { SyntaxProblem } from '../source/problem.ts';
import { trimSpace } from '../text/characters.ts';
import { readJsonForm } from '../text/json-form.ts';
import { splitAtBlanks } from '../text/split-words.ts';
import { type InstructionContext, onlyArgument, tooFewArguments } from './context.ts';
import { refuseFlags } from './flags.ts';
import type {
  ExposeInstruction,
  MaintainerInstruction,
  StopsignalInstruction,
  UserInstruction,
  VolumeInstruction,
  WorkdirInstruction,
} from './types.ts';

/** `EXPOSE port[-port][/protocol] …`. */
export function parseExpose(context: InstructionContext): ExposeInstruction {
  const ports = splitAtBlanks(context.rest).map((word) => word.word());
  if (ports.length === 0) throw tooFewArguments(context);
  refuseFlags(context.base.flags);
  const sorted = ports.sort((a, b) => Buffer.compare(Buffer.from(a.text), Buffer.from(b.text)));
  return { ...context.base, kind: 'EXPOSE', ports: sorted };
}

/** `VOLUME path …`, or as a JSON array. */
export function parseVolume(context: InstructionContext): VolumeInstruction {
  const words = readJsonForm(context.rest) ?? splitAtBlanks(context.rest).map((word) => word.word());
  if (words.length === 0) throw tooFewArguments(context);
  refuseFlags(context.base.flags);
  const paths = words.map(({ text, range }) => ({ text: trimSpace(text), range }));
  const empty = paths.find(({ text }) => text === '');
  if (empty !== undefined) {
    throw new SyntaxProblem('empty-volume', 'VOLUME specified can not be an empty string', empty.range);
  }
  return { ...context.base, kind: 'VOLUME', paths };
}

export function parseWorkdir(context: InstructionContext): WorkdirInstruction {
  const path = onlyArgument(context);
  refuseFlags(context.base.flags);
  return { ...context.base, kind: 'WORKDIR', path };
}

export function parseUser(context: InstructionContext): UserInstruction {
  const user = onlyArgument(context);
  refuseFlags(context.base.flags);
  return { ...context.base, kind: 'USER', user };
}

/** Flags are not looked at, as in BuildKit. */
export function parseStopsignal(context: InstructionContext): StopsignalInstruction {
  return { ...context.base, kind: 'STOPSIGNAL', signal: onlyArgument(context) };
}

export function parseMaintainer(context: InstructionContext): MaintainerInstruction {
  const name = onlyArgument(context);
  refuseFlags(context.base.flags);
  return { ...context.base, kind: 'MAINTAINER', name };
}
