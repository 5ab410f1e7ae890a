/** `wherry buildx du`. */
import { type Connect, askUsage } from '../../buildkit/index.ts';
import { cacheDetails, cacheTable, filterCache } from '../build/cache-list.ts';
import { noArgs, type Command } from '../command.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --builder string   Override the configured builder instance
      --filter filter    Provide filter values
      --format string    Format the output
      --verbose          Shorthand for "--format=pretty"
`,
  arity: noArgs,
  examples: `
# What the build cache takes, the largest last
wherry buildx du
# What each record is, and when it was used
wherry buildx du --verbose
# Cache mounts only
wherry buildx du --filter type=exec.cachemount`,
  async run(session, { flags }) {
    const client = await session.client();
    const connect: Connect = (door, headers) => client.caller.upgrade(door, 'h2c', headers);
    const filters = flags.filters();
    const now = session.now();
    const records = filterCache(await askUsage(connect, []), filters, now);
    const withSums = Object.keys(filters).length === 0;
    const format = flags.bool('verbose') ? 'pretty' : flags.string('format');
    session.out.write(
      format === 'pretty' ? cacheDetails(records, now, withSums) : await cacheTable(records, { format, now, withSums }),
    );
  },
};
