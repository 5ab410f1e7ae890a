/** `wherry rmi`. */
import { ApiFault } from '../../client/index.ts';
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';
import { platformJson } from '../registry/platform.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE [IMAGE...]',
  flags: `
  -f, --force              Force removal of the image
      --no-prune           Do not delete untagged parents
      --platform strings   Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
`,
  arity: atLeast(1),
  completes: ['image'],
  examples: `
# Take a name away; the image goes with its last name
wherry rmi nginx:1.28
# Even if stopped containers were made of it
wherry rmi -f nginx`,
  async run(session, { flags, args }) {
    const client = await session.client();
    const force = flags.bool('force');
    const platforms = flags.list('platform').map(platformJson);
    await forEachName(session, args, async (name) => {
      try {
        const entries = await client.images.remove(name, { force, noprune: flags.bool('no-prune'), platforms });
        for (const { Untagged, Deleted } of entries) {
          session.out.write(Deleted === undefined ? `Untagged: ${Untagged}\n` : `Deleted: ${Deleted}\n`);
        }
      } catch (error) {
        if (!force || !(error instanceof ApiFault) || error.status !== 404) throw error;
        session.err.write(`Error response from daemon: ${error.message}\n`);
      }
      return false;
    });
  },
};
