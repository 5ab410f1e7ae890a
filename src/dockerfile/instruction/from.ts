import { SyntaxProblem } from '../source/problem.ts';
import { goQuote } from '../text/characters.ts';
import { splitAtBlanks } from '../text/split-words.ts';
import type { InstructionContext } from './context.ts';
import { FlagSet } from './flags.ts';
import type { FromInstruction } from './types.ts';

/** `FROM [--platform=P] image [AS name]`. */
export function parseFrom(context: InstructionContext): FromInstruction {
  const [image, as, name, ...more] = splitAtBlanks(context.rest).map((word) => word.word());
  const isNamed = name !== undefined && more.length === 0 && as!.text.toLowerCase() === 'as';
  if (image === undefined || !(as === undefined || isNamed)) {
    const message = 'FROM requires either one or three arguments';
    throw new SyntaxProblem('bad-from', message, image === undefined ? context.base.keyword.range : context.rest.range);
  }
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name.text.toLowerCase())) {
    const message = `invalid name for build stage: ${goQuote(name.text)}, name can't start with a number or contain symbols`;
    throw new SyntaxProblem('bad-stage-name', message, name.range);
  }
  const flags = new FlagSet(context.base.flags, { platform: 'string' });
  return {
    ...context.base,
    kind: 'FROM',
    image,
    platform: flags.string('platform'),
    as: name === undefined ? undefined : { keyword: as!, name },
  };
}
