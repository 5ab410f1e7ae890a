/** `wherry compose unpause`. */
import { atLeast, type Command } from '../command.ts';
import { pausing } from '../compose/pausing.ts';

export const command: Command = {
  use: '[SERVICE...]',
  arity: atLeast(0),
  flags: `
      --dry-run   Print what would be done and why, and do nothing
`,
  completes: ['service'],
  examples: `
# Let it go on
wherry compose unpause web`,
  run: (session, invocation) => pausing(session, invocation, 'unpause'),
};
