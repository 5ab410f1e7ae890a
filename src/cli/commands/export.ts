/** `wherry export`. */
import { exactly, type Command } from '../command.ts';
import { writeStream } from '../output/write-file.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER',
  flags: `
  -o, --output string   Write to a file, instead of STDOUT
`,
  arity: exactly(1),
  completes: ['container'],
  examples: `
# Its files, as a tar archive
wherry export -o web.tar web`,
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    await writeStream(session, flags.string('output'), () => client.containers.export(name));
  },
};
