/** `wherry exec`: a command in a running container, with the exit code of the command. */
import { Fault } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import type { Flags } from '../flag/parse.ts';
import { environmentOf } from '../run/environment.ts';
import { carryStdio } from '../run/stdio.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  flags: `
  -d, --detach               Detached mode: run command in the background
      --detach-keys string   Override the key sequence for detaching a container
  -e, --env list             Set environment variables
      --env-file list        Read in a file of environment variables
  -i, --interactive          Keep STDIN open even if not attached
      --privileged           Give extended privileges to the command
  -t, --tty                  Allocate a pseudo-TTY
  -u, --user string          Username or UID (format: "<name|uid>[:<group|gid>]")
  -w, --workdir string       Working directory inside the container
`,
  arity: atLeast(2),
  stopsAtArgument: true,
  completes: ['running', 'none'],
  examples: `
# A shell in a running container
wherry exec -it web sh
# One command, as another user, with a variable
wherry exec -u postgres -e PGOPTIONS=-cstatement_timeout=5s db psql -c 'select 1'
# Feed it a file
wherry exec -i db psql < dump.sql`,
  async run(session, { flags, args }) {
    return execute(session, flags, args);
  },
};

async function execute(session: Session, flags: Flags, [container = '', ...words]: readonly string[]): Promise<number> {
  const detach = flags.bool('detach');
  const tty = flags.bool('tty');
  const stdin = !detach && flags.bool('interactive');
  const detachKeys = flags.optional('detach-keys') ?? session.config().data.detachKeys;
  const Env = environmentOf(flags.list('env-file'), flags.list('env'), session.env);
  const client = await session.client();
  // As Docker does: a container that is not there is refused by its name, before the terminal is.
  await client.containers.inspect(container);
  if (!detach && stdin && tty && !session.in.isTerminal) throw new Fault('invalid', 'the input device is not a TTY');
  const consoleSize =
    tty && session.out.isTerminal ? ([session.out.rows, session.out.columns] as [number, number]) : undefined;
  const { Id } = await client.execs.create(container, {
    User: flags.string('user'),
    Privileged: flags.bool('privileged'),
    Tty: tty,
    ...(consoleSize === undefined ? {} : { ConsoleSize: consoleSize }),
    AttachStdin: stdin,
    AttachStdout: !detach,
    AttachStderr: !detach,
    DetachKeys: detachKeys ?? '',
    Env: Env.length === 0 ? null : Env,
    WorkingDir: flags.string('workdir'),
    Cmd: words,
  });
  const start = { Detach: detach, Tty: tty, ...(consoleSize === undefined ? {} : { ConsoleSize: consoleSize }) };
  if (detach) {
    await client.execs.startDetached(Id, start);
    return 0;
  }
  const stream = await client.execs.start(Id, start);
  const end = await carryStdio(session, stream, {
    tty,
    stdin,
    stdout: true,
    stderr: true,
    detachKeys,
    resize: (height, width) => client.execs.resize(Id, height, width),
  });
  if (end === 'detached') return 0;
  return (await client.execs.inspect(Id)).ExitCode ?? 0;
}
