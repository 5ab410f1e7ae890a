/** `wherry run`: create (pulling if need be), attach, wait, start; then the exit code of the container. */
import { atLeast, type Command } from '../command.ts';
import type { Flags } from '../flag/parse.ts';
import { Exit } from '../usage-fault.ts';
import { runChecks } from '../run/checks.ts';
import { bodyFromFlags, createContainer } from '../run/create-container.ts';
import { runFailure } from '../run/exit-status.ts';
import { containerFlags, hiddenContainerFlags, runOnlyFlags } from '../run/flags.ts';
import { proxySignals } from '../run/signals.ts';
import { carryStdio } from '../run/stdio.ts';
import type { ContainerCreateBody } from '../../api/index.ts';
import type { Session } from '../session.ts';

export const command: Command = {
  use: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  arity: atLeast(1),
  flags: sortFlags(containerFlags + runOnlyFlags),
  hidden: hiddenContainerFlags,
  stopsAtArgument: true,
  checks: runChecks,
  completes: ['image', 'none'],
  examples: `
# A shell in a new container that goes away when you leave it
wherry run --rm -it busybox sh
# A server in the background, reachable from this machine only
wherry run -d --name web -p 127.0.0.1:8080:80 nginx
# Data that outlives the container, and a restart when the machine starts
wherry run -d --name db -v data:/var/lib/postgresql/data --restart unless-stopped postgres
# At most half a gigabyte and one and a half processors
wherry run -m 512m --cpus 1.5 busybox`,
  async run(session, { flags, args, path }) {
    try {
      return await runContainer(session, flags, args, path);
    } catch (error) {
      throw runFailure(error, path);
    }
  },
};

/** Help lists flags by name, whichever table they come from. */
function sortFlags(table: string): string {
  const entries: string[] = [];
  for (const line of table.split('\n').filter((each) => each !== '')) {
    if (/^\s*(-\w, )?--/.test(line)) entries.push(line);
    else entries[entries.length - 1] += `\n${line}`;
  }
  const name = (entry: string): string => /--(\S+)/.exec(entry)![1]!;
  return entries.sort((a, b) => (name(a) < name(b) ? -1 : 1)).join('\n');
}

async function runContainer(session: Session, flags: Flags, args: readonly string[], path: string): Promise<number> {
  const detach = flags.bool('detach');
  const body = await bodyFromFlags(session, flags, args).catch((error: unknown) => {
    throw runFailure(error, path, 125);
  });
  if (detach) {
    if (flags.list('attach').length > 0) {
      throw new Exit(1, 'conflicting options: cannot specify both --attach and --detach');
    }
    Object.assign(body, { AttachStdin: false, AttachStdout: false, AttachStderr: false, StdinOnce: false });
  } else if (body.AttachStdin === true && body.Tty === true && !session.in.isTerminal) {
    throw new Exit(1, 'the input device is not a TTY');
  }
  if (body.Tty === true && session.out.isTerminal)
    body.HostConfig!.ConsoleSize = [session.out.rows, session.out.columns];
  const { id } = await createContainer(session, flags, body);
  return detach ? startDetached(session, flags, id) : runAttached(session, flags, body, id);
}

async function startDetached(session: Session, flags: Flags, id: string): Promise<number> {
  const client = await session.client();
  await client.containers.start(id, flags.optional('detach-keys'));
  session.out.write(`${id}\n`);
  return 0;
}

async function runAttached(session: Session, flags: Flags, body: ContainerCreateBody, id: string): Promise<number> {
  const client = await session.client();
  const detachKeys = flags.optional('detach-keys') ?? session.config().data.detachKeys;
  const stdin = body.AttachStdin === true;
  const stdout = body.AttachStdout === true;
  const stderr = body.AttachStderr === true;
  const stopSignals =
    flags.bool('sig-proxy') && !(body.Tty === true && stdin)
      ? proxySignals(session, (signal) => client.containers.kill(id, signal))
      : () => {};
  try {
    const attached = stdin || stdout || stderr;
    const stream = attached
      ? await client.containers.attach(id, { stream: true, stdin, stdout, stderr, detachKeys })
      : undefined;
    const { result } = await client.containers.wait(id, flags.bool('rm') ? 'removed' : 'next-exit');
    const io =
      stream === undefined
        ? Promise.resolve('ended' as const)
        : carryStdio(session, stream, {
            tty: body.Tty === true,
            stdin,
            stdout,
            stderr,
            detachKeys,
            resize: (height, width) => client.containers.resize(id, height, width),
          });
    io.catch(() => {});
    try {
      await client.containers.start(id);
    } catch (error) {
      stream?.destroy();
      await io.catch(() => {});
      if (flags.bool('rm')) await result.catch(() => {});
      throw error;
    }
    if ((await io) === 'detached') return 0;
    const { StatusCode, Error: failure } = await result;
    if (failure != null && failure.Message !== '') {
      session.err.write(`Error waiting for container: ${failure.Message}\n`);
      return 125;
    }
    return StatusCode;
  } finally {
    stopSignals();
  }
}
