/** `attach`: to a process that runs, or to one that is about to. */
import type { AttachOptions, StdioFrame, StdioSession } from '../api/index.ts';
import { attachMonitor } from '../monitor/index.ts';
import { Fault } from '../std/index.ts';
import { bundleDirectory, type Context, type Live, logPath } from './context.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { containerEvent } from './event.ts';
import { readLog } from './log-file.ts';
import { ProcessSession } from './session.ts';

/** @throws Fault conflict when it is paused or restarting */
export function attachContainer(context: Context, live: Live, options: AttachOptions): StdioSession {
  const { record, run } = live;
  if (run?.paused) throw new Fault('conflict', `container ${record.id} is paused, unpause the container before attach`);
  if (live.restart !== undefined)
    throw new Fault('conflict', `container ${record.id} is restarting, wait until the container is running`);
  const tty = record.config.Tty ?? false;
  const keys = parseDetachKeys(options.detachKeys);
  const session = new ProcessSession({
    tty,
    stdin: options.stdin && options.stream && (record.config.OpenStdin ?? false),
    stdout: options.stdout && options.stream,
    stderr: options.stderr && options.stream,
    closesStdin: (record.config.StdinOnce ?? false) && !tty,
    detachKeys: options.stdin && tty ? keys : undefined,
    ...(options.logs ? { preface: pastOutput(context, live, options) } : {}),
    onDetachKeys: () => containerEvent(context, record, 'detach'),
    onClosed: () => {
      live.pending.delete(session);
      live.sessions.delete(session);
    },
  });
  containerEvent(context, record, 'attach');
  if (!options.stream) {
    session.detach();
    return session;
  }
  if (run !== undefined) {
    live.sessions.add(session);
    session.connect(attachMonitor(`${bundleDirectory(context, record.id)}/attach`, live.closer.close));
  } else live.pending.add(session);
  return session;
}

async function* pastOutput(context: Context, live: Live, options: AttachOptions): AsyncGenerator<StdioFrame> {
  const read = {
    tail: undefined,
    since: undefined,
    until: undefined,
    stdout: options.stdout,
    stderr: options.stderr,
    follow: undefined,
  };
  for await (const { stream, data } of readLog(logPath(context, live.record.id), read, new AbortController().signal))
    yield { stream, data };
}
