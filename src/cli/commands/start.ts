/** `wherry start`: stopped containers, or one with its input and output. */
import { Fault, messageOf } from '../../std/index.ts';
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';
import type { Flags } from '../flag/parse.ts';
import { proxySignals } from '../run/signals.ts';
import { carryStdio } from '../run/stdio.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: `
  -a, --attach                  Attach STDOUT/STDERR and forward signals
      --detach-keys string      Override the key sequence for detaching a container
  -i, --interactive             Attach container's STDIN
`,
  hidden: `
      --checkpoint string       Restore from this checkpoint
      --checkpoint-dir string   Use a custom checkpoint storage directory
`,
  arity: atLeast(1),
  completes: ['stopped'],
  examples: `
# Start what was stopped
wherry start web db
# Run a prepared job again and see what it says
wherry start -a job`,
  async run(session, { flags, args }) {
    if (flags.string('checkpoint') !== '') throw new Fault('not-implemented', 'checkpoints are not in this version');
    const attached = flags.bool('attach') || flags.bool('interactive');
    if (!attached) {
      const client = await session.client();
      await forEachName(session, args, (name) => client.containers.start(name, flags.optional('detach-keys')));
      return 0;
    }
    if (args.length > 1) throw new Fault('invalid', 'you cannot start and attach multiple containers at once');
    return startAttached(session, flags, args[0]!);
  },
};

async function startAttached(session: Session, flags: Flags, name: string): Promise<number> {
  const client = await session.client();
  const { Config, Id, HostConfig } = await client.containers.inspect(name);
  const tty = Config.Tty === true;
  const stdin = flags.bool('interactive') && Config.OpenStdin === true;
  const detachKeys = flags.optional('detach-keys') ?? session.config().data.detachKeys;
  const stopSignals = tty ? () => {} : proxySignals(session, (signal) => client.containers.kill(Id, signal));
  try {
    const stream = await client.containers.attach(Id, { stream: true, stdin, stdout: true, stderr: true, detachKeys });
    const { result } = await client.containers.wait(Id, HostConfig.AutoRemove === true ? 'removed' : 'next-exit');
    const io = carryStdio(session, stream, {
      tty,
      stdin,
      stdout: true,
      stderr: true,
      detachKeys,
      resize: (height, width) => client.containers.resize(Id, height, width),
    });
    io.catch(() => {});
    try {
      await client.containers.start(Id);
    } catch (error) {
      stream.destroy();
      throw new Fault('internal', `Error response from daemon: ${messageOf(error)}`, { cause: error });
    }
    if ((await io) === 'detached') return 0;
    return (await result).StatusCode;
  } finally {
    stopSignals();
  }
}
