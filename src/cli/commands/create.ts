/** `wherry create`: a container that is not started. */
import { atLeast, type Command } from '../command.ts';
import { runChecks } from '../run/checks.ts';
import { bodyFromFlags, createContainer } from '../run/create-container.ts';
import { runFailure } from '../run/exit-status.ts';
import { containerFlags, hiddenContainerFlags } from '../run/flags.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  arity: atLeast(1),
  flags: containerFlags,
  hidden: hiddenContainerFlags,
  stopsAtArgument: true,
  checks: runChecks,
  completes: ['image', 'none'],
  examples: `
# Prepare a container, put a file into it, then start it
wherry create --name job busybox sh /task.sh
wherry cp task.sh job:/task.sh
wherry start -a job`,
  async run(session, { flags, args, path }) {
    const body = await bodyFromFlags(session, flags, args).catch((error: unknown) => {
      throw runFailure(error, path, 125);
    });
    if (body.Tty === true && session.out.isTerminal) {
      body.HostConfig!.ConsoleSize = [session.out.rows, session.out.columns];
    }
    const { id } = await createContainer(session, flags, body);
    session.out.write(`${id}\n`);
  },
};
