/** `wherry compose images`. */
import { byName, listContainers, nameOf, serviceOf } from '../../compose/index.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { shortId } from '../output/short.ts';
import { alignColumns } from '../output/tabwriter.ts';
import { familiarRepository, parseImageName } from '../../context/index.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
      --format string   Format the output. Values: [table | json] (default "table")
  -q, --quiet           Only display IDs
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  completesFlags: { format: ['table', 'json'] },
  examples: `
# Which images the containers are made of
wherry compose images`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const format = flags.string('format');
    if (format !== 'table' && format !== 'json')
      throw new Exit(1, `format value ${JSON.stringify(format)} could not be parsed: parsing failed`);
    const client = await session.client();
    const containers = (await listContainers(client, compose.projectName()))
      .filter((each) => args.length === 0 || args.includes(serviceOf(each)))
      .toSorted(byName);
    const images = await Promise.all(
      containers.map(async (container) => {
        const image = await client.images.inspect(container.Image);
        const name = nameParts(container.Image);
        const platform = [image.Os, image.Architecture, image.Variant].filter(Boolean).join('/');
        const tagged = image.Metadata.LastTagTime;
        const time = tagged.startsWith('0001-') || tagged === '' ? image.Created : tagged;
        return {
          ContainerName: nameOf(container),
          ID: image.Id,
          ...name,
          Platform: platform,
          Size: image.Size,
          LastTagTime: time,
        };
      }),
    );
    if (flags.bool('quiet'))
      session.out.write(
        [...new Set(images.map(({ ID }) => ID.replace(/^sha256:/, '')))].map((id) => `${id}\n`).join(''),
      );
    else if (format === 'json') session.out.write(`${JSON.stringify(images)}\n`);
    else {
      const lines = images.map((each) => {
        const age = `${humanDuration(session.now() - Date.parse(each.LastTagTime))} ago`;
        return [
          each.ContainerName,
          each.Repository || '<none>',
          each.Tag || '<none>',
          each.Platform,
          shortId(each.ID),
          humanSize(each.Size, 3),
          age,
        ].join('\t');
      });
      const head = 'CONTAINER\tREPOSITORY\tTAG\tPLATFORM\tIMAGE ID\tSIZE\tCREATED';
      session.out.write(alignColumns(`${[head, ...lines].join('\n')}\n`, { minWidth: 20, padding: 3 }));
    }
  },
};

/** An id alone is no name. */
function nameParts(image: string): { Repository: string; Tag: string } {
  try {
    const name = parseImageName(image);
    return { Repository: familiarRepository(name), Tag: name.tag ?? (name.digest === undefined ? 'latest' : '') };
  } catch {
    return { Repository: '', Tag: '' };
  }
}
