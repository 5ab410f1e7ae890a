/** `wherry volume restore`: Wherry's own; brings removed volumes back from the trash. */
import { ApiFault } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';

export const command: Command = {
  use: 'VOLUME [VOLUME...]',
  arity: atLeast(1),
  completes: ['none'],
  examples: `
# After one "volume rm" too many
wherry volume restore data`,
  async run(session, { args }) {
    const client = await session.client();
    for (const name of args) {
      try {
        await client.volumes.restore(name);
      } catch (error) {
        if (!(error instanceof ApiFault) || error.message !== 'page not found') throw error;
        throw new Fault('not-implemented', 'Cannot restore a volume: this daemon is not Wherry, and only Wherry can', {
          cause: error,
        });
      }
      session.out.write(`${name}\n`);
    }
  },
};
