/** `wherry compose exec`: a command in a service's container. */
import { atLeast, type Command } from '../command.ts';
import { containerOf } from '../compose/containers.ts';
import { delegate } from '../compose/delegate.ts';
import { Compose } from '../compose/open.ts';
import { command as execCommand } from './exec.ts';

export const command: Command = {
  use: '[OPTIONS] SERVICE COMMAND [ARGS...]',
  arity: atLeast(2),
  stopsAtArgument: true,
  flags: `
  -d, --detach            Detached mode: Run command in the background
  -e, --env stringArray   Set environment variables
      --index int         Index of the container if service has multiple replicas
  -T, --no-tty            Disable pseudo-TTY allocation. By default 'wherry compose exec' allocates a TTY.
      --privileged        Give extended privileges to the process
  -u, --user string       Run the command as this user
  -w, --workdir string    Path to workdir directory for this command
`,
  hidden: `
      --dry-run
  -i, --interactive   Keep STDIN open even if not attached (default true)
      --no-TTY        =no-tty
  -t, --tty           Allocate a pseudo-TTY (default true)
`,
  completes: ['service', 'none'],
  examples: `
# A shell
wherry compose exec web sh
# A query, from a script
echo 'select 1' | wherry compose exec -T db psql -U postgres`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const [service = '', ...words] = args;
    const container = await containerOf(compose, service, { all: false, oneOffs: false });
    const hasTty = flags.changed('no-tty') ? !flags.bool('no-tty') : session.out.isTerminal;
    return delegate(
      session,
      execCommand,
      [
        ...(flags.bool('detach') ? ['-d'] : []),
        ...(flags.bool('interactive') ? ['-i'] : []),
        ...(hasTty && flags.bool('tty') ? ['-t'] : []),
        ...(flags.bool('privileged') ? ['--privileged'] : []),
        ...(flags.string('user') === '' ? [] : [`--user=${flags.string('user')}`]),
        ...(flags.string('workdir') === '' ? [] : [`--workdir=${flags.string('workdir')}`]),
        ...flags.list('env').map((each) => `--env=${each}`),
        container.Id,
        ...words,
      ],
      invocation.path,
    );
  },
};
