/** `wherry inspect`: whatever has that name: a container, an image, a network or a volume, in this order. */
import { ApiFault, type Client } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { inspectAll } from '../output/inspect.ts';
import { valueFormatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS] NAME|ID [NAME|ID...]',
  flags: `
  -f, --format string   ${valueFormatHelp}
  -s, --size            Display total file sizes if the type is container
      --type string     Only inspect objects of the given type
`,
  arity: atLeast(1),
  completes: ['container', 'container'],
  examples: `
# All there is to know
wherry inspect web
# One thing of it
wherry inspect -f '{{.State.Status}}' web
# An image, although a container has the same name
wherry inspect --type image web`,
  async run(session, { flags, args }) {
    const client = await session.client();
    const kinds = kindsOf(client, flags.bool('size'));
    const type = flags.string('type');
    if (flags.changed('type') && type === '')
      throw new Fault(
        'invalid',
        'type is empty: must be one of "config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume"',
      );
    if (type !== '' && !Object.hasOwn(kinds, type)) {
      throw new Fault('invalid', `unknown type: "${type}": must be one of "container", "image", "network", "volume"`);
    }
    const tried = type === '' ? Object.values(kinds) : [kinds[type as keyof typeof kinds]];
    await inspectAll(session, args, flags.string('format'), async (name) => {
      for (const get of tried) {
        try {
          return await get(name);
        } catch (error) {
          if (type !== '' || !(error instanceof ApiFault) || error.status !== 404) throw error;
        }
      }
      throw new Fault('not-found', `Error: No such object: ${name}`);
    });
  },
};

function kindsOf(client: Client, size: boolean) {
  return {
    container: (name: string) => client.containers.inspectText(name, size),
    image: (name: string) => client.images.inspectText(name),
    network: (name: string) => client.networks.inspectText(name),
    volume: (name: string) => client.volumes.inspectText(name),
  };
}
