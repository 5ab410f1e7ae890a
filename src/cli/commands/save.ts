/** `wherry save`. */
import { atLeast, type Command } from '../command.ts';
import { writeStream } from '../output/write-file.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE [IMAGE...]',
  flags: `
  -o, --output string     Write to a file, instead of STDOUT
      --platform string   Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
`,
  arity: atLeast(1),
  completes: ['image'],
  examples: `
# To carry it elsewhere
wherry save -o images.tar nginx busybox`,
  async run(session, { flags, args }) {
    const client = await session.client();
    await writeStream(session, flags.string('output'), () => client.images.save(args, flags.optional('platform')));
  },
};
