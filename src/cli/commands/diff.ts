/** `wherry diff`. */
import { exactly, type Command } from '../command.ts';

export const command: Command = {
  use: 'CONTAINER',
  arity: exactly(1),
  completes: ['container'],
  examples: `
# What it added (A), changed (C) and deleted (D)
wherry diff web`,
  async run(session, { args: [name = ''] }) {
    const client = await session.client();
    const changes = (await client.containers.changes(name)) ?? [];
    session.out.write(changes.map(({ Kind, Path }) => `${'CAD'[Kind]} ${Path}\n`).join(''));
  },
};
