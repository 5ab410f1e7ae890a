/** `wherry volume rename`: Wherry's own; other daemons have no such call. */
import { ApiFault } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import { exactly, type Command } from '../command.ts';

export const command: Command = {
  use: 'OLD NEW',
  arity: exactly(2),
  completes: ['volume', 'none'],
  examples: `
# The data stays where it is
wherry volume rename data data-2025`,
  async run(session, { args: [from = '', to = ''] }) {
    const client = await session.client();
    try {
      await client.volumes.rename(from, to);
    } catch (error) {
      if (!(error instanceof ApiFault) || error.message !== 'page not found') throw error;
      throw new Fault('not-implemented', 'Cannot rename a volume: this daemon is not Wherry, and only Wherry can', {
        cause: error,
      });
    }
  },
};
