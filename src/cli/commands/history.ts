/** `wherry history`. */
import { exactly, type Command } from '../command.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { ellipsis, shortId, zoneOffset } from '../output/short.ts';
import { formatHelp } from '../output/format-help.ts';
import { platformJson } from '../registry/platform.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE',
  flags: `
      --format string     ${formatHelp}
  -H, --human             Print sizes and dates in human readable format (default true)
      --no-trunc          Don't truncate output
      --platform string   Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
  -q, --quiet             Only show image IDs
`,
  arity: exactly(1),
  completes: ['image'],
  examples: `
# How it was made
wherry history --no-trunc nginx`,
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const platform = flags.optional('platform');
    const entries = await client.images.history(name, platform === undefined ? undefined : platformJson(platform));
    const full = flags.bool('no-trunc');
    const human = flags.bool('human');
    const format = flags.string('format');
    if (flags.bool('quiet') && (format === '' || format === 'table')) {
      session.out.write(entries.map(({ Id }) => `${full ? Id : shortId(Id)}\n`).join(''));
      return;
    }
    const now = session.now();
    const rows = entries.map((entry) => {
      const createdBy = entry.CreatedBy.replaceAll('\t', ' ');
      const createdAt = isoTime(entry.Created);
      return {
        ID: full ? entry.Id : shortId(entry.Id),
        CreatedAt: createdAt,
        CreatedSince: human
          ? entry.Created <= -62135596800
            ? 'N/A'
            : `${humanDuration(now - entry.Created * 1000)} ago`
          : createdAt,
        CreatedBy: full ? createdBy : ellipsis(createdBy, 45),
        Size: human ? humanSize(entry.Size, 3) : String(entry.Size),
        Comment: entry.Comment,
      };
    });
    session.out.write(
      await formatList(
        human ? shape : { ...shape, headers: { ...shape.headers, CreatedSince: 'CREATED AT' } },
        rows,
        format,
      ),
    );
  },
};

const shape: ListShape = {
  type: 'historyContext',
  headers: {
    ID: 'IMAGE',
    CreatedAt: 'CREATED AT',
    CreatedSince: 'CREATED',
    CreatedBy: 'CREATED BY',
    Size: 'SIZE',
    Comment: 'COMMENT',
  },
  columns: ['ID', 'CreatedSince', 'CreatedBy', 'Size', 'Comment'],
};

/** RFC 3339 in local time. */
function isoTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  return `${shifted}${date.getTimezoneOffset() === 0 ? 'Z' : zoneOffset(date, ':')}`;
}
