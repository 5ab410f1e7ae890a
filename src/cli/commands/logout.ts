/** `wherry logout`. */
import { atMost, type Command } from '../command.ts';
import { keyOfServer } from '../registry/server-key.ts';
import { eraseCredentials } from '../registry/store-credentials.ts';

export const command: Command = {
  use: '[SERVER]',
  long: 'Defaults to Docker Hub if no server is specified.',
  arity: atMost(1),
  completes: ['none'],
  examples: `
# Forget the credentials of a registry
wherry logout registry.example.com`,
  async run(session, { args: [server] }) {
    const key = keyOfServer(server);
    if (await eraseCredentials(session, key)) session.out.write(`Removing login credentials for ${key}\n`);
    else session.out.write(`Not logged in to ${key}\n`);
  },
};
