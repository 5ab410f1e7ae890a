/** `wherry system start`. */
import { noArgs, type Command } from '../command.ts';
import { answers, startDaemon } from '../daemon/start.ts';
import { socketPath } from '../daemon/paths.ts';
import { createClient } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';

export const command: Command = {
  use: '',
  flags: ``,
  arity: noArgs,
  examples: `
# Usually not needed: root's first command starts it
wherry system start`,
  async run(session) {
    const client = createClient({ endpoint: `unix://${socketPath}` });
    if (await answers(client)) {
      session.out.write('The daemon runs already\n');
      return;
    }
    if (process.getuid?.() !== 0)
      throw new Fault('forbidden', "Cannot start the daemon: it needs root; type 'sudo wherry system start'");
    await startDaemon(session, client);
    session.out.write('The daemon runs\n');
  },
};
