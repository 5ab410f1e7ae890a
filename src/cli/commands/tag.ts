/** `wherry tag`. */
import { exactly, type Command } from '../command.ts';
import { canonicalRepository, parseImageName } from '../../context/index.ts';

export const command: Command = {
  use: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  arity: exactly(2),
  completes: ['image', 'none'],
  examples: `
# A second name, for a registry of your own
wherry tag app:1 registry.example.com/app:1`,
  async run(session, { args: [source = '', target = ''] }) {
    const name = parseImageName(target);
    const client = await session.client();
    await client.images.tag(source, canonicalRepository(name), name.tag ?? 'latest');
  },
};
