/** `wherry attach`: the terminal of a running container. */
import { Fault } from '../../std/index.ts';
import { exactly, type Command } from '../command.ts';
import { proxySignals } from '../run/signals.ts';
import { carryStdio } from '../run/stdio.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER',
  flags: `
      --detach-keys string   Override the key sequence for detaching a container
      --no-stdin             Do not attach STDIN
      --sig-proxy            Proxy all received signals to the process (default true)
`,
  arity: exactly(1),
  completes: ['running'],
  examples: `
# Back into it; leave it running with ctrl-p ctrl-q
wherry attach shell
# Only watch
wherry attach --no-stdin --sig-proxy=false web`,
  async run(session, { flags, args: [name = ''] }) {
    const client = await session.client();
    const { State, Config, Id } = await client.containers.inspect(name);
    if (!State.Running) throw new Fault('conflict', 'You cannot attach to a stopped container, start it first');
    if (State.Paused) throw new Fault('conflict', 'You cannot attach to a paused container, unpause it first');
    if (State.Restarting)
      throw new Fault('conflict', 'You cannot attach to a restarting container, wait until it is running');
    const tty = Config.Tty === true;
    const stdin = !flags.bool('no-stdin') && Config.OpenStdin === true;
    if (stdin && tty && !session.in.isTerminal) throw new Fault('invalid', 'the input device is not a TTY');
    const detachKeys = flags.optional('detach-keys') ?? session.config().data.detachKeys;
    const { result } = await client.containers.wait(Id);
    const stopSignals =
      flags.bool('sig-proxy') && !tty
        ? proxySignals(session, (signal) => client.containers.kill(Id, signal))
        : () => {};
    try {
      const stream = await client.containers.attach(Id, {
        stream: true,
        stdin,
        stdout: true,
        stderr: true,
        detachKeys,
      });
      const end = await carryStdio(session, stream, {
        tty,
        stdin,
        stdout: true,
        stderr: true,
        detachKeys,
        resize: (height, width) => client.containers.resize(Id, height, width),
      });
      return end === 'detached' ? 0 : (await result).StatusCode;
    } finally {
      stopSignals();
    }
  },
};
