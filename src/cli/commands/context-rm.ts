/** `wherry context rm`. */
import { atLeast, type Command } from '../command.ts';
import { Fault, messageOf } from '../../std/index.ts';
import { currentContext, storeOf } from '../context/describe.ts';

export const command: Command = {
  use: 'CONTEXT [CONTEXT...]',
  flags: `
  -f, --force   Force the removal of a context in use
`,
  arity: atLeast(1),
  completes: ['context'],
  examples: `
# No longer needed
wherry context rm far`,
  async run(session, { flags, args }) {
    const store = storeOf(session);
    const current = currentContext(session);
    const force = flags.bool('force');
    let code = 0;
    for (const name of args) {
      try {
        if (name === 'default') throw new Fault('invalid', 'context "default" cannot be removed');
        if (!force && !store.has(name)) throw new Fault('not-found', `context "${name}" does not exist`);
        if (name === current) {
          if (!force) throw new Fault('conflict', `context "${name}" is in use, set -f flag to force remove`);
          const config = session.config();
          delete config.data.currentContext;
          config.save();
        }
        store.remove(name);
        session.out.write(`${name}\n`);
      } catch (error) {
        session.err.write(`${messageOf(error)}\n`);
        code = 1;
      }
    }
    return code;
  },
};
