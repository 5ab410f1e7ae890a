/** `wherry rm`. With --force a name that is not there is no failure. */
import { ApiFault } from '../../client/index.ts';
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: `
  -f, --force     Force the removal of a running container (uses SIGKILL)
  -l, --link      Remove the specified link
  -v, --volumes   Remove anonymous volumes associated with the container
`,
  arity: atLeast(1),
  completes: ['container'],
  examples: `
# A container that has ended
wherry rm job
# One that runs, with its anonymous volumes
wherry rm -fv web`,
  async run(session, { flags, args }) {
    const client = await session.client();
    const force = flags.bool('force');
    const query = { force, v: flags.bool('volumes'), link: flags.bool('link') };
    await forEachName(session, args, async (name) => {
      try {
        await client.containers.remove(name.replace(/^\/+|\/+$/g, ''), query);
        return true;
      } catch (error) {
        if (!force || !(error instanceof ApiFault) || error.status !== 404) throw error;
        session.err.write(`Error response from daemon: ${error.message}\n`);
        return false;
      }
    });
  },
};
