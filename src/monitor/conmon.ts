/**
 * Starts conmon, the monitor that holds one process's stdio, log and exit code and outlives the daemon. It forks away at
 * once, runs the OCI runtime's `create` (or `exec`), reports the process id through a pipe, and on exit writes the exit
 * code to `<exitDirectory>/<id>`.
 */
import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import {
  childrenOf,
  countsPidsAsWe,
  exited,
  pipePairs,
  pipeStream,
  processStart,
  signalProcess,
  spawnProcess,
} from '../linux/index.ts';
import { Fault, messageOf } from '../std/index.ts';

export interface MonitorOptions {
  conmon: string;
  /** The container's id; also the name of the exit file. */
  id: string;
  /** Unique for this monitor: the container id, or the exec id. */
  uuid: string;
  name: string;
  runtime: string;
  /** Global arguments of the runtime (`--root …`). */
  runtimeArguments: readonly string[];
  /** Where the bundle (config.json) is; conmon puts `attach`, `ctl` and its own files beside it. */
  bundle: string;
  exitDirectory: string;
  /** For what monitor and runtime keep on disk for a moment: a killed one leaves it. */
  temporary: string;
  /** CRI log file, or undefined to keep no log. */
  logPath: string | undefined;
  /** Bytes after which conmon itself starts the log file anew, should the daemon not have rotated it. */
  logSizeMax: number | undefined;
  terminal: boolean;
  stdin: boolean;
  leaveStdinOpen: boolean;
  /** Present for an exec: the process spec's path. With `attach`, conmon waits for `release` before it runs the process. */
  exec?: { processSpec: string; attach: boolean };
}

export interface Monitor {
  /** Process id inside the host's pid namespace. */
  pid: number;
  /** For an exec: settles with the exit code when conmon reports it while we live. */
  exitCode: Promise<number | undefined>;
}

export interface StartingMonitor {
  /** For an exec with `attach`: settles when the attach socket stands and the process waits for `release`. */
  attachable: Promise<void>;
  /** Settles when the runtime has created the process. @throws Fault internal with the runtime's words */
  created: Promise<Monitor>;
  /** Lets an exec with `attach` go on; a no-op otherwise. */
  release(): void;
}

interface SyncMessage {
  pid?: number;
  data?: number;
  exit_code?: number;
  message?: string;
}

type Pipe = [reading: number, writing: number];

export function startMonitor(options: MonitorOptions): StartingMonitor {
  const exec = options.exec;
  const args = ['--api-version', '1', '-c', options.id, '-u', options.uuid, '-n', options.name];
  args.push('-r', options.runtime, '-b', options.bundle, '-p', `${options.bundle}/pidfile`);
  args.push('-P', `${options.bundle}/conmon.pid`, '--exit-dir', options.exitDirectory, '--full-attach');
  args.push('-l', options.logPath === undefined ? 'null:' : `k8s-file:${options.logPath}`, '--no-sync-log');
  args.push('--log-level', 'error', '--persist-dir', options.bundle);
  if (options.logSizeMax !== undefined) args.push('--log-size-max', String(options.logSizeMax));
  if (options.terminal) args.push('-t');
  if (options.stdin) args.push('-i');
  if (options.leaveStdinOpen) args.push('--leave-stdin-open');
  for (const argument of options.runtimeArguments) args.push('--runtime-arg', argument);
  if (exec !== undefined) {
    args.push('-e', '--exec-process-spec', exec.processSpec);
    if (exec.attach) args.push('--exec-attach');
  }
  const waits = exec?.attach === true;
  const [[complaints, theirComplaints], [syncing, theirSync], [theirStart, starting], [attaching, theirAttached]] =
    pipePairs(4) as [Pipe, Pipe, Pipe, Pipe];
  const theirs = [theirComplaints, theirSync, theirStart, theirAttached];
  const ours = [
    pipeStream(complaints, 'read'),
    pipeStream(syncing, 'read'),
    pipeStream(starting, 'write'),
    pipeStream(attaching, 'read'),
  ] as const;
  let child: number;
  try {
    child = spawnProcess(options.conmon, args, {
      cwd: options.bundle,
      descriptors: ['null', 'null', ...theirs],
      env: {
        PATH: process.env['PATH'],
        TMPDIR: options.temporary,
        _OCI_SYNCPIPE: '3',
        _OCI_STARTPIPE: '4',
        ...(waits ? { _OCI_ATTACHPIPE: '5' } : {}),
      },
    });
  } catch (error) {
    for (const stream of ours) stream.destroy();
    throw new Fault('unavailable', `Cannot run ${options.conmon}: ${messageOf(error)}`, { cause: error });
  } finally {
    for (const descriptor of theirs) closeSync(descriptor);
  }
  const [errors, sync, start, attached] = ours;
  let complaint = '';
  errors.on('data', (chunk: Buffer) => {
    if (complaint.length < 4096) complaint += chunk.toString('utf8');
  });
  // conmon reads the start pipe once before it does anything, and with --exec-attach again before it runs the process.
  if (waits) start.write(Buffer.of(0));
  else start.end(Buffer.of(0));

  const messages = readMessages(sync);
  const attachable = waits
    ? readMessages(attached)
        .next()
        .then(() => {})
    : Promise.resolve();
  if (!waits) attached.resume();
  const created = (async (): Promise<Monitor> => {
    using _ = watchOrphans(options.bundle);
    const first = await messages.next();
    // conmon forked away at once: what was started is long gone.
    await exited(child);
    if (first.done) {
      throw new Fault(
        'internal',
        `the monitor ended before the process was created: ${complaint.trim() || 'no message'}`,
      );
    }
    const { pid, data, message } = first.value;
    const reported = pid ?? data ?? -1;
    if (reported <= 0) throw new Fault('internal', runtimeWords(message ?? complaint));
    return { pid: reported, exitCode: exec === undefined ? Promise.resolve(undefined) : lastCode(messages) };
  })();
  created.catch(() => {});
  attachable.catch(() => {});
  return { attachable, created, release: () => void start.end(Buffer.of(0)) };
}

const lookMs = 1000;

/**
 * A runtime that is killed in the middle may leave what is to become the container waiting for it for ever, and the monitor for the
 * last words of both. What has been given up is ended; then the monitor tells that nothing came of it.
 */
function watchOrphans(bundle: string): Disposable {
  let alone = 0;
  const timer = setInterval(() => {
    const monitor = monitorOf(bundle);
    if (monitor === undefined) return;
    const children = childrenOf(monitor);
    // The runtime itself is outside; what it makes is inside.
    alone = children.length > 0 && !children.some(countsPidsAsWe) ? alone + 1 : 0;
    if (alone < 2) return;
    for (const pid of children) {
      const start = processStart(pid);
      if (start !== undefined) signalProcess(pid, start, constants.signals.SIGKILL);
    }
  }, lookMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function monitorOf(bundle: string): number | undefined {
  try {
    return Number(readFileSync(`${bundle}/conmon.pid`, 'utf8')) || undefined;
  } catch {
    // It has not come that far.
    return undefined;
  }
}

async function lastCode(messages: AsyncIterator<SyncMessage>): Promise<number | undefined> {
  const next = await messages.next();
  return next.done ? undefined : (next.value.exit_code ?? next.value.data);
}

async function* readMessages(stream: Readable): AsyncGenerator<SyncMessage, undefined> {
  let text = '';
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      text += chunk.toString('utf8');
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        if (line.trim() !== '') yield JSON.parse(line) as SyncMessage;
      }
    }
  } catch {
    return undefined;
  }
  return undefined;
}

/** What the runtime said, without its log dressing: crun and runc print plain lines or one JSON object a line. */
export function runtimeWords(text: string): string {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const words = lines.map((line) => {
    if (!line.startsWith('{')) return line.replace(/^time="[^"]*" level=\w+ msg=/, '');
    try {
      return (JSON.parse(line) as { msg?: string }).msg ?? line;
    } catch {
      return line;
    }
  });
  return words.at(-1) ?? 'the runtime gave no reason';
}
