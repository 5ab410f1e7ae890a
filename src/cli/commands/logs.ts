/** `wherry logs`. */
import { rawFrames, readFrames } from '../../client/index.ts';
import { exactly, type Command } from '../command.ts';
import { apiTimestamp } from '../output/timestamp.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER',
  flags: `
      --details        Show extra details provided to logs
  -f, --follow         Follow log output
      --since string   Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
  -n, --tail string    Number of lines to show from the end of the logs (default "all")
  -t, --timestamps     Show timestamps
      --until string   Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
`,
  arity: exactly(1),
  completes: ['container'],
  examples: `
# The last hundred lines, and what comes
wherry logs -n 100 -f web
# What was said in the last ten minutes, with times
wherry logs --since 10m -t web`,
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const { Config, Id } = await client.containers.inspect(name);
    const time = (flag: string): string | undefined => {
      const text = flags.string(flag);
      return text === '' ? undefined : apiTimestamp(text, session.now(), flag);
    };
    const body = await client.containers.logs(Id, {
      follow: flags.bool('follow'),
      stdout: true,
      stderr: true,
      since: time('since'),
      until: time('until'),
      timestamps: flags.bool('timestamps'),
      tail: flags.string('tail'),
      details: flags.bool('details'),
    });
    for await (const { stream, data } of (Config.Tty === true ? rawFrames : readFrames)(body)) {
      (stream === 'stderr' ? session.err : session.out).write(data);
    }
  },
};
