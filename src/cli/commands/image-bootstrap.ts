/** `wherry image bootstrap`: Wherry's own; base images where no registry answers. */
import { humanDuration, Fault } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { formatHelp } from '../output/format-help.ts';
import { showProgress } from '../output/progress.ts';
import type { Session } from '../session.ts';
import { ifWherry } from '../wherry-only.ts';

export const command: Command = {
  use: '[OPTIONS] NAME[:TAG] [NAME[:TAG]...]',
  long: `Makes the images that others are built on, without a registry: Debian from the
package sources that this machine is configured with, busybox and PostgreSQL
from its packages, Node from the npm registry that is configured here.

They carry the names of the official images and stand in for them; a label says
how they were made ('wherry image inspect'). An image that is here already is
left alone. On a machine that reaches its registry, 'wherry pull' is what you want.`,
  flags: `
      --format string   ${formatHelp}
  -l, --list            Show what can be made on this machine
  -q, --quiet           Only print the names
      --refresh         Make them anew, with the packages of today
`,
  arity: atLeast(0),
  examples: `
# What PKC is built on, without a registry
wherry image bootstrap debian:bookworm-slim node:24-slim postgres:15
# What can be made here
wherry image bootstrap --list
# Today's security updates
wherry image bootstrap --refresh debian:bookworm-slim`,
  async run(session, { flags, args }) {
    if (flags.bool('list')) {
      if (args.length > 0) throw new Fault('invalid', '--list takes no names');
      return list(session, flags.string('format'));
    }
    if (args.length === 0)
      throw new Fault('invalid', "name what to make ('wherry image bootstrap debian:bookworm-slim'), or see --list");
    const client = await session.client();
    const stop = new AbortController();
    const quiet = flags.bool('quiet');
    try {
      await showProgress(
        client.images.makeBaseImages(args, flags.bool('refresh'), stop.signal),
        quiet ? undefined : session.out,
      );
    } finally {
      stop.abort();
    }
    if (quiet) session.out.write(args.map((name) => `${name}\n`).join(''));
    return 0;
  },
};

async function list(session: Session, format: string): Promise<number> {
  const client = await session.client();
  const found = await ifWherry(client.images.baseImages());
  if (found === undefined) throw new Fault('not-found', 'this daemon makes no base images: it is not Wherry');
  const rows = found.map(({ name, names, base, here, made }) => ({
    Name: name,
    Also: names.slice(1).join(', '),
    On: base ?? '',
    Here:
      here === undefined
        ? 'no'
        : made === undefined
          ? 'pulled'
          : `made ${humanDuration(session.now() - Date.parse(made)).toLowerCase()} ago`,
  }));
  session.out.write(await formatList(shape, rows, format));
  return 0;
}

const shape: ListShape = {
  type: 'baseImageContext',
  headers: { Name: 'NAME', Also: 'ALSO CALLED', On: 'MADE ON', Here: 'HERE' },
  columns: ['Name', 'Here', 'On', 'Also'],
  hidden: [],
};
