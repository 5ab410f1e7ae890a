/** `wherry buildx history ls`. */
import { askHistory } from '../../buildkit/index.ts';
import { connectTo, pastRow, pastShape } from '../build/past-builds.ts';
import { noArgs, type Command } from '../command.ts';
import { formatHelp } from '../output/format-help.ts';
import { formatList } from '../output/list.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --builder string       Override the configured builder instance
      --filter stringArray   Provide filter values (e.g., "status=error")
      --format string        ${formatHelp}
      --no-trunc             Don't truncate output
`,
  arity: noArgs,
  examples: `
# What was built, the last first
wherry buildx history ls
# What failed since yesterday
wherry buildx history ls --filter status=error,startedAt>24h
# What took longer than a minute
wherry buildx history ls --filter 'duration>1m'`,
  async run(session, { flags }) {
    const connect = connectTo(await session.client());
    const builds = await askHistory(connect, { filters: flags.list('filter') });
    const now = session.now();
    session.out.write(
      await formatList(
        pastShape,
        builds.map((build) => pastRow(build, now)),
        flags.string('format'),
      ),
    );
  },
};
