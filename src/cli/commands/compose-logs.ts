/** `wherry compose logs`. */
import { byName, isOneOff, listContainers, serviceOf, shortNameOf, showLogs } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { containerOf } from '../compose/containers.ts';
import { LogPrinter } from '../compose/log-printer.ts';
import { cancelable, Compose } from '../compose/open.ts';
import { apiTimestamp } from '../output/timestamp.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE...]',
  arity: atLeast(0),
  flags: `
  -f, --follow          Follow log output
      --index int       index of the container if service has multiple replicas
      --no-color        Produce monochrome output
      --no-log-prefix   Don't print prefix in logs
      --since string    Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)
  -n, --tail string     Number of lines to show from the end of the logs for each container (default "all")
  -t, --timestamps      Show timestamps
      --until string    Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  examples: `
# The last hundred lines of two services, and what comes
wherry compose logs -n 100 -f web db`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    if (flags.integer('index') > 0 && args.length !== 1)
      throw new Exit(1, '--index requires one service to be selected');
    const { project, name } = compose.projectOrName(args);
    const shown =
      args.length > 0 || project === undefined
        ? args
        : Object.values(project.services).flatMap(({ name: own, attach }) => (attach === false ? [] : [own]));
    const client = await session.client();
    const containers =
      flags.integer('index') > 0
        ? [await containerOf(compose, args[0]!, { all: true, oneOffs: false })]
        : (await listContainers(client, name)).filter(
            (each) => !isOneOff(each) && (shown.length === 0 || shown.includes(serviceOf(each))),
          );
    const printer = new LogPrinter(session.out, session.err, {
      isColored: !flags.bool('no-color') && compose.isColored(session.out),
      hasPrefix: !flags.bool('no-log-prefix'),
      hasTimestamps: false,
    });
    const ordered = containers.toSorted(byName);
    printer.register(ordered.map(shortNameOf));
    const time = (flag: string): string | undefined => {
      const text = flags.string(flag);
      return text === '' ? undefined : apiTimestamp(text, session.now(), flag);
    };
    const query = {
      follow: flags.bool('follow'),
      since: time('since'),
      until: time('until'),
      tail: flags.string('tail'),
      timestamps: flags.bool('timestamps'),
    };
    return cancelable((signal) =>
      showLogs(
        client,
        name,
        { containers: ordered, services: new Set(shown), query, warn: (text) => compose.warn(text) },
        printer,
        signal,
      ),
    );
  },
};
