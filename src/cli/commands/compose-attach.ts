/** `wherry compose attach`. */
import { exactly, type Command } from '../command.ts';
import { containerOf } from '../compose/containers.ts';
import { delegate } from '../compose/delegate.ts';
import { Compose } from '../compose/open.ts';
import { command as attachCommand } from './attach.ts';

export const command: Command = {
  use: '[OPTIONS] SERVICE',
  arity: exactly(1),
  flags: `
      --detach-keys string   Override the key sequence for detaching from a container.
      --index int            index of the container if service has multiple replicas.
      --no-stdin             Do not attach STDIN
      --sig-proxy            Proxy all received signals to the process (default true)
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  examples: `
# The terminal of a service
wherry compose attach game`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const container = await containerOf(compose, args[0]!, { all: true, oneOffs: true });
    const keys = flags.optional('detach-keys');
    const words = [
      ...(keys === undefined ? [] : [`--detach-keys=${keys}`]),
      ...(flags.bool('no-stdin') ? ['--no-stdin'] : []),
      `--sig-proxy=${flags.bool('sig-proxy')}`,
      container.Id,
    ];
    return delegate(session, attachCommand, words, invocation.path);
  },
};
