/** `wherry save`. */
import { atLeast, type Command } from '../command.ts';
import { writeStream } from '../output/write-file.ts';
import { platformJson } from '../registry/platform.ts';

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
    const platform = flags.optional('platform');
    await writeStream(session, flags.string('output'), async () => {
      const { tar } = await client.images.save(args, {
        platform: platform === undefined ? undefined : platformJson(platform),
      });
      return tar;
    });
  },
};
