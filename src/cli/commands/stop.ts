/** `wherry stop`. Says which container did not listen to its stop signal. */
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';
import type { Client } from '../../client/index.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: `
  -s, --signal string   Signal to send to the container
  -t, --timeout int     Seconds to wait before killing the container
`,
  hidden: `
      --time int   =timeout
`,
  arity: atLeast(1),
  completes: ['running'],
  examples: `
# Ask it to end, and wait ten seconds before killing it
wherry stop web
# Give a database a minute to write everything down
wherry stop -t 60 db
# Everything that runs
wherry stop $(wherry ps -q)`,
  async run(session, { flags, args }) {
    const client = await session.client();
    const signal = flags.optional('signal');
    const t = flags.changed('timeout') ? flags.integer('timeout') : undefined;
    await forEachName(session, args, async (name) => {
      const stopped = await client.containers.stop(name, { t, signal });
      if (stopped && t !== 0) await tellIfKilled(session, client, name, signal);
    });
  },
};

/** A container that did not end by itself was killed: its exit code is 128 + 9. */
async function tellIfKilled(session: Session, client: Client, name: string, given: string | undefined): Promise<void> {
  try {
    const { State, Config } = await client.containers.inspect(name);
    const signal = given ?? Config.StopSignal ?? 'SIGTERM';
    if (State.Running || State.ExitCode !== 137 || /^(SIG)?KILL$|^9$/.test(signal)) return;
    session.err.write(
      `${name} did not end on ${signal === '' ? 'SIGTERM' : signal} and was killed (exit code 137); give it more time with -t, or another --stop-signal\n`,
    );
  } catch {
    // Removed by itself: nothing to tell.
  }
}
