/** `wherry compose pause`. */
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
# Hold a service where it is
wherry compose pause web`,
  run: (session, invocation) => pausing(session, invocation, 'pause'),
};
