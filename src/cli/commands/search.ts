/** `wherry search`. */
import { exactly, type Command } from '../command.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { ellipsis } from '../output/short.ts';
import { authHeaderFor } from '../../context/index.ts';

export const command: Command = {
  use: '[OPTIONS] TERM',
  flags: `
  -f, --filter filter   Filter output based on conditions provided
      --format string   Pretty-print search using a Go template
      --limit int       Max number of search results
      --no-trunc        Don't truncate output
`,
  arity: exactly(1),
  completes: ['none'],
  examples: `
# Official images that many like
wherry search --filter is-official=true nginx`,
  async run(session, { flags, args: [term = ''] }) {
    const client = await session.client();
    const auth = await authHeaderFor(session, 'docker.io');
    const found =
      (await client.images.search(term, {
        limit: flags.changed('limit') ? flags.integer('limit') : undefined,
        filters: flags.filters(),
        auth,
      })) ?? [];
    found.sort((a, b) => b.star_count - a.star_count);
    const full = flags.bool('no-trunc');
    const rows = found.map((each) => {
      const description = each.description.replaceAll('\n', ' ').replaceAll('\r', ' ');
      return {
        Name: each.name,
        Description: full ? description : ellipsis(description, 45),
        StarCount: String(each.star_count),
        IsOfficial: each.is_official ? '[OK]' : '',
        IsAutomated: each.is_automated ? '[OK]' : '',
      };
    });
    session.out.write(await formatList(shape, rows, flags.string('format')));
  },
};

const shape: ListShape = {
  type: 'searchContext',
  headers: {
    Name: 'NAME',
    Description: 'DESCRIPTION',
    StarCount: 'STARS',
    IsOfficial: 'OFFICIAL',
    IsAutomated: 'AUTOMATED',
  },
  columns: ['Name', 'Description', 'StarCount', 'IsOfficial'],
};
