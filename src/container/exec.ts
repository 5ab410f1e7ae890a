/** Processes run in a container by `exec`: their state from create to the end. Health checks probe by them, too. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecCreateBody, ExecInspect, StdioSession } from '../api/index.ts';
import { warmCgroups } from '../linux/index.ts';
import { resizeTerminal } from '../monitor/index.ts';
import { Fault, messageOf, randomId } from '../std/index.ts';
import { bundleDirectory, type Context, type Live } from './context.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { containerEvent } from './event.ts';
import { discardPrepared, type Prepared, prepareExec, runPlain, runTerminal, wantsStdio } from './exec-run.ts';
import { type ConsoleSize, execProcess, type OciProcess, withConsoleSize } from './exec-spec.ts';
import { requireRun } from './find.ts';
import { ProcessSession } from './session.ts';
import { startFailure } from './start-error.ts';

/** Execs of a container remembered after they ended, so that inspect can tell their exit code. */
const REMEMBERED = 256;

export interface ExecState {
  id: string;
  live: Live;
  body: ExecCreateBody;
  process: OciProcess;
  started: boolean;
  running: boolean;
  exitCode: number | null;
  /** On the host; 0 before it runs. */
  pid: () => number;
  bundle: string;
  prepared: Prepared | undefined;
  attempts: number;
  /** Why it did not start. */
  failure: Fault | undefined;
  /** Called when the container's own process has ended, which takes every exec with it. */
  containerExited(): void;
  finished: PromiseWithResolvers<void>;
}

/** @throws Fault conflict when it does not run or is paused; invalid without a command, or for a user that is not there */
export function createExec(context: Context, live: Live, body: ExecCreateBody): ExecState {
  const command = body.Cmd ?? [];
  if (command.length === 0) throw new Fault('invalid', 'No exec command specified');
  requireRun(live);
  if (live.run?.paused)
    throw new Fault('conflict', `Container ${live.record.name} is paused, unpause the container before exec`);
  parseDetachKeys(body.DetachKeys);
  const process = execProcess(context, live, body);
  warmCgroups(context.settings.cgroups);
  const id = randomId();
  const finished = Promise.withResolvers<void>();
  const exec: ExecState = {
    id,
    live,
    body,
    process,
    started: false,
    running: false,
    exitCode: null,
    pid: () => 0,
    bundle: join(bundleDirectory(context, live.record.id), 'execs', id.slice(0, 32)),
    prepared: undefined,
    attempts: 0,
    failure: undefined,
    containerExited: () => {
      discardPrepared(context, exec);
      if (exec.running) finish(context, exec, 137);
    },
    finished,
  };
  context.execs.set(id, exec);
  live.execs.set(id, exec);
  forgetOldest(context, live);
  containerEvent(context, live.record, `exec_create: ${command.join(' ')}`, { execID: id });
  // After the answer, whose way to the client and back this uses.
  setImmediate(() => prepareExec(context, exec));
  return exec;
}

function forgetOldest(context: Context, live: Live): void {
  if (live.execs.size <= REMEMBERED) return;
  for (const [id, exec] of live.execs) {
    if (exec.running) continue;
    live.execs.delete(id);
    context.execs.delete(id);
    return;
  }
}

/** @throws Fault not-found "No such exec instance: x" */
export function findExec(context: Context, id: string): ExecState {
  const exec = context.execs.get(id);
  if (exec === undefined) throw new Fault('not-found', `No such exec instance: ${id}`);
  return exec;
}

export interface ExecStart {
  detach: boolean;
  consoleSize: ConsoleSize | undefined;
}

/** Starts it. A failure to run the command is no fault but text in the session and exit code 126 or 127, as in Docker. */
export async function startExec(
  context: Context,
  exec: ExecState,
  options: ExecStart,
): Promise<StdioSession | undefined> {
  const { live, body } = exec;
  if (exec.started) {
    throw new Fault(
      'conflict',
      exec.running
        ? `Error: Exec command ${exec.id} is already running`
        : `Error: Exec command ${exec.id} has already run`,
    );
  }
  requireRun(live);
  if (live.run?.paused)
    throw new Fault('conflict', `Container ${live.record.name} is paused, unpause the container before exec`);
  exec.started = true;
  const attached = !options.detach && wantsStdio(exec);
  const session = attached
    ? new ProcessSession({
        tty: body.Tty ?? false,
        stdin: body.AttachStdin ?? false,
        stdout: body.AttachStdout ?? false,
        stderr: (body.AttachStderr ?? false) || (body.Tty ?? false),
        closesStdin: true,
        detachKeys: (body.AttachStdin ?? false) && (body.Tty ?? false) ? parseDetachKeys(body.DetachKeys) : undefined,
        onDetachKeys: () => containerEvent(context, live.record, 'exec_detach', { execID: exec.id }),
        onClosed: () => {},
      })
    : undefined;
  containerEvent(context, live.record, `exec_start: ${(body.Cmd ?? []).join(' ')}`, { execID: exec.id });
  const ran = run(context, exec, session, withConsoleSize(exec.process, options.consoleSize));
  if (session === undefined) {
    // Detached: the answer says whether it started.
    const failure = await ran;
    if (failure !== undefined && options.detach) throw failure;
    return undefined;
  }
  context.background(ran);
  return endsAfter(session, exec, ran);
}

/** The session, with its end held back until the exit code is known: clients inspect right after it. */
function endsAfter(session: ProcessSession, exec: ExecState, ran: Promise<Fault | undefined>): StdioSession {
  async function* output(): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Uint8Array }> {
    yield* session.output;
    if (!session.detached) await ran;
    if (exec.failure !== undefined) yield { stream: 'stdout', data: Buffer.from(`${exec.failure.message}\r\n`) };
    else if (!session.detached) await exec.finished.promise;
  }
  return {
    tty: session.tty,
    output: output(),
    write: (data) => session.write(data),
    closeInput: () => session.closeInput(),
    detach: () => session.detach(),
  };
}

/** Runs it and settles how it went. Returns why it did not start. */
async function run(
  context: Context,
  exec: ExecState,
  session: ProcessSession | undefined,
  process: object,
): Promise<Fault | undefined> {
  exec.running = true;
  try {
    const runIt = (exec.body.Tty ?? false) ? runTerminal : runPlain;
    await runIt(context, exec, session, process, (exitCode) => finish(context, exec, exitCode));
  } catch (error) {
    const { detail, exitCode } = startFailure(messageOf(error), exec.body.Cmd?.[0] ?? '');
    const text = `OCI runtime exec failed: exec failed: unable to start container process: ${detail}: unknown`;
    exec.failure = new Fault(exitCode === 128 ? 'internal' : 'invalid', text);
    session?.detach();
    finish(context, exec, exitCode === 128 ? 126 : exitCode);
  }
  return exec.failure;
}

function finish(context: Context, exec: ExecState, exitCode: number): void {
  if (!exec.running) return;
  exec.running = false;
  exec.exitCode = exitCode;
  exec.finished.resolve();
  rmSync(exec.bundle, { recursive: true, force: true });
  containerEvent(context, exec.live.record, 'exec_die', { execID: exec.id, exitCode: String(exitCode) });
}

/** @throws Fault conflict when it does not run */
export async function resizeExec(exec: ExecState, size: { height: number; width: number }): Promise<void> {
  if (!exec.running || exec.pid() === 0) throw new Fault('conflict', `exec ${exec.id} is not running`);
  await resizeTerminal(exec.bundle, size);
}

export function inspectExec(exec: ExecState): ExecInspect {
  const { body, live } = exec;
  const [entrypoint = '', ...args] = body.Cmd ?? [];
  return {
    ID: exec.id,
    Running: exec.running,
    ExitCode: exec.exitCode,
    ProcessConfig: {
      tty: body.Tty ?? false,
      entrypoint,
      arguments: args,
      privileged: body.Privileged ?? false,
      ...(body.User ? { user: body.User } : {}),
    },
    OpenStdin: body.AttachStdin ?? false,
    OpenStderr: body.AttachStderr ?? false,
    OpenStdout: body.AttachStdout ?? false,
    CanRemove: !exec.running && exec.started,
    ContainerID: live.record.id,
    DetachKeys: body.DetachKeys ?? '',
    Pid: exec.pid(),
  };
}
