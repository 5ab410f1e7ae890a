/** `wherry network disconnect`. */
import { exactly, type Command } from '../command.ts';

export const command: Command = {
  use: '[OPTIONS] NETWORK CONTAINER',
  flags: `
  -f, --force   Force the container to disconnect from a network
`,
  arity: exactly(2),
  completes: ['network', 'container'],
  examples: `
# It stays in its other networks
wherry network disconnect app web`,
  async run(session, { flags, args: [network = '', container = ''] }) {
    const client = await session.client();
    await client.networks.disconnect(network, container, flags.bool('force'));
  },
};
