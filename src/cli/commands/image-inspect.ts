/** `wherry image inspect`. */
import { atLeast, type Command } from '../command.ts';
import { inspectAll } from '../output/inspect.ts';
import { valueFormatHelp } from '../output/format-help.ts';
import { platformJson } from '../registry/platform.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE [IMAGE...]',
  flags: `
  -f, --format string     ${valueFormatHelp}
      --platform string   Inspect a specific platform of the multi-platform image.
                          If the image or the server is not multi-platform capable, the command will error out if the platform does not match.
                          'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)
`,
  arity: atLeast(1),
  completes: ['image'],
  examples: `
# The command it runs
wherry image inspect -f '{{json .Config.Cmd}}' nginx`,
  async run(session, { flags, args }) {
    const given = flags.optional('platform');
    const platform = given === undefined ? undefined : platformJson(given);
    const client = await session.client();
    await inspectAll(session, args, flags.string('format'), (name) => client.images.inspectText(name, platform));
  },
};
