/** `wherry commit`. */
import type { Command } from '../command.ts';
import { canonicalRepository, parseImageName } from '../../context/index.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  flags: `
  -a, --author string    Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")
  -c, --change list      Apply Dockerfile instruction to the created image
  -m, --message string   Commit message
  -p, --pause            Pause container during commit (default true)
`,
  arity: { min: 1, max: 2 },
  completes: ['container', 'image'],
  examples: `
# An image of what it has become
wherry commit -m 'with tools' -c 'CMD ["bash"]' box tools:1`,
  async run(session, { flags, args: [container = '', target = ''] }) {
    const name = target === '' ? undefined : parseImageName(target);
    const client = await session.client();
    const { Id } = await client.containers.commit(
      {
        container,
        repo: name === undefined ? undefined : canonicalRepository(name),
        tag: name === undefined ? undefined : (name.tag ?? 'latest'),
        author: flags.string('author') || undefined,
        comment: flags.string('message') || undefined,
        changes: flags.list('change'),
        pause: flags.bool('pause') ? undefined : '0',
      },
      {},
    );
    session.out.write(`${Id}\n`);
  },
};
