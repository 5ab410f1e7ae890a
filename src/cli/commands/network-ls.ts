/** `wherry network ls`. */
import { noArgs, type Command } from '../command.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { naturalOrder } from '../output/natural-order.ts';
import { labelText } from '../output/short.ts';
import { formatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
  -f, --filter filter   Provide filter values (e.g. "driver=bridge")
      --format string   ${formatHelp}
      --no-trunc        Do not truncate the output
  -q, --quiet           Only display network IDs
`,
  arity: noArgs,
  examples: `
# All of them
wherry network ls
# Those that applications made
wherry network ls -f type=custom`,
  async run(session, { flags }) {
    const client = await session.client();
    const networks = await client.networks.list(flags.filters());
    networks.sort((a, b) => naturalOrder(a.Name, b.Name));
    const full = flags.bool('no-trunc');
    const quiet = flags.bool('quiet');
    const format = flags.string('format') || (quiet ? '' : (session.config().data.networksFormat ?? ''));
    const id = (text: string): string => (full ? text : text.slice(0, 12));
    if (quiet && (format === '' || format === 'table')) {
      session.out.write(networks.map(({ Id }) => `${id(Id)}\n`).join(''));
      return;
    }
    const rows = networks.map((network) => ({
      ID: id(network.Id),
      Name: network.Name,
      Driver: network.Driver,
      Scope: network.Scope,
      IPv4: String(network.EnableIPv4 ?? false),
      IPv6: String(network.EnableIPv6),
      Internal: String(network.Internal),
      Labels: labelText(network.Labels),
      Label: (name: unknown) => network.Labels?.[String(name)] ?? '',
      CreatedAt: goTimeText(network.Created),
    }));
    session.out.write(await formatList(shape, rows, format));
  },
};

const shape: ListShape = {
  type: 'networkContext',
  headers: {
    ID: 'NETWORK ID',
    Name: 'NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    CreatedAt: 'CREATED AT',
  },
  columns: ['ID', 'Name', 'Driver', 'Scope'],
  hidden: ['Label'],
};

/** Go's Time.String of an API time: "2026-11-24 01:19:26.84117802 +0000 UTC". */
function goTimeText(text: string): string {
  const match = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)Z$/.exec(text);
  return match === null ? text : `${match[1]} ${match[2]} +0000 UTC`;
}
