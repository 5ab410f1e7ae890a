/** `wherry history`. */
import type { ImageLayer } from '../../api/index.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { exactly, type Command } from '../command.ts';
import type { Flags } from '../flag/parse.ts';
import { tableWidth } from '../output/fit-table.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { ellipsis, shortId, zoneOffset } from '../output/short.ts';
import { formatHelp } from '../output/format-help.ts';
import { platformJson } from '../registry/platform.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE',
  flags: `
      --format string     ${formatHelp}
  -H, --human             Print sizes and dates in human readable format (default true)
      --layers            Show the layers instead of the steps: their digests, what they take unpacked and stored,
                          the image and registry they came from, and the images they are shared with
      --no-trunc          Don't truncate output
      --platform string   Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
  -q, --quiet             Only show image IDs
`,
  arity: exactly(1),
  completes: ['image'],
  examples: `
# How it was made
wherry history --no-trunc nginx
# What takes the room, and where it came from
wherry history --layers app
# The digests, for a script
wherry history --layers --no-trunc --format '{{.Layer}} {{.Size}}' app`,
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const given = flags.optional('platform');
    const platform = given === undefined ? undefined : platformJson(given);
    if (flags.bool('layers')) return showLayers(session, flags, await client.images.layers(name, platform));
    const entries = await client.images.history(name, platform);
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

async function showLayers(session: Session, flags: Flags, layers: readonly ImageLayer[]): Promise<void> {
  const rules = { human: flags.bool('human'), full: flags.bool('no-trunc') };
  const format = flags.string('format');
  const { layerHeaders, layerRows, layerTable } = await import('../output/layer-table.ts');
  if (flags.bool('quiet')) {
    session.out.write(
      layerRows(layers, rules)
        .map((row) => `${String(row['Layer'])}\n`)
        .join(''),
    );
  } else if (format === '' || format === 'table') {
    session.out.write(layerTable(layers, rules, rules.full ? undefined : tableWidth(session.out)));
  } else {
    const shape = { type: 'layerContext', headers: layerHeaders, columns: Object.keys(layerHeaders) };
    session.out.write(await formatList(shape, layerRows(layers, rules), format));
  }
}

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
