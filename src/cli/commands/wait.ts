/** `wherry wait`. */
import { atLeast, type Command } from '../command.ts';
import { explain } from '../explain.ts';

export const command: Command = {
  use: 'CONTAINER [CONTAINER...]',
  arity: atLeast(1),
  completes: ['running'],
  examples: `
# Until it ends; its exit code is printed
wherry wait job`,
  async run(session, { args }) {
    const client = await session.client();
    let code = 0;
    for (const name of args) {
      try {
        const { result } = await client.containers.wait(name);
        const { StatusCode, Error: failure } = await result;
        if (failure != null && failure.Message !== '') throw new Error(failure.Message);
        session.out.write(`${StatusCode}\n`);
      } catch (error) {
        session.err.write(`${explain(error)}\n`);
        code = 1;
      }
    }
    return code;
  },
};
