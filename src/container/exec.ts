/** Processes run in a container by `exec`, each under a monitor of its own, and the probes of health checks. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecCreateBody, ExecInspect, StdioSession } from '../api/index.ts';
import { isAlive, processStart, warmCgroups } from '../linux/index.ts';
import { resizeTerminal } from '../monitor/index.ts';
import { Fault, messageOf, randomId } from '../std/index.ts';
import { containerCapabilities } from './capabilities.ts';
import { bundleDirectory, type Context, type Live } from './context.ts';
import { parseDetachKeys } from './detach-keys.ts';
import { containerEvent } from './event.ts';
import { requireRun } from './find.ts';
import { environmentKey } from './merge.ts';
import { readInRoot, withRoot } from './rootfs.ts';
import { ProcessSession } from './session.ts';
import { processCapabilities, processEnvironment } from './spec.ts';
import { startFailure } from './start-error.ts';
import { resolveUser } from './user.ts';

/** Execs of a container remembered after they ended, so that inspect can tell their exit code. */
const REMEMBERED = 256;

export interface ExecState {
  id: string;
  live: Live;
  body: ExecCreateBody;
  started: boolean;
  running: boolean;
  exitCode: number | null;
  pid: number;
  bundle: string;
  /** Called when the container's own process has ended, which takes every exec with it. */
  containerExited(): void;
  finished: PromiseWithResolvers<void>;
}

/** @throws Fault conflict when it does not run or is paused; invalid without a command */
export function createExec(context: Context, live: Live, body: ExecCreateBody): ExecState {
  const command = body.Cmd ?? [];
  if (command.length === 0) throw new Fault('invalid', 'No exec command specified');
  requireRun(live);
  if (live.run?.paused)
    throw new Fault('conflict', `container ${live.record.name} is paused, unpause the container before exec`);
  parseDetachKeys(body.DetachKeys);
  warmCgroups(context.settings.cgroups);
  const id = randomId();
  const finished = Promise.withResolvers<void>();
  const exec: ExecState = {
    id,
    live,
    body,
    started: false,
    running: false,
    exitCode: null,
    pid: 0,
    bundle: join(bundleDirectory(context, live.record.id), 'execs', id.slice(0, 32)),
    containerExited: () => {
      if (exec.running) finish(context, exec, 137);
    },
    finished,
  };
  context.execs.set(id, exec);
  live.execs.set(id, exec);
  forgetOldest(context, live);
  containerEvent(context, live.record, `exec_create: ${command.join(' ')}`, { execID: id });
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
  consoleSize: { height: number; width: number } | undefined;
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
    throw new Fault('conflict', `container ${live.record.name} is paused, unpause the container before exec`);
  exec.started = true;
  const attached =
    !options.detach && ((body.AttachStdin ?? false) || (body.AttachStdout ?? false) || (body.AttachStderr ?? false));
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
  const ran = run(context, exec, session, options);
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
    const failure = await ran;
    if (failure !== undefined) {
      yield { stream: 'stdout', data: Buffer.from(`${failure.message}\r\n`) };
      return;
    }
    if (session.detached) return;
    await exec.finished.promise;
  }
  return {
    tty: session.tty,
    output: output(),
    write: (data) => session.write(data),
    closeInput: () => session.closeInput(),
    detach: () => session.detach(),
  };
}

async function run(
  context: Context,
  exec: ExecState,
  session: ProcessSession | undefined,
  options: ExecStart,
): Promise<Fault | undefined> {
  const { live, body } = exec;
  const { record } = live;
  exec.running = true;
  try {
    mkdirSync(join(exec.bundle, 'exits'), { recursive: true, mode: 0o700 });
    writeFileSync(join(exec.bundle, 'process.json'), JSON.stringify(processSpec(context, exec, options)), {
      mode: 0o600,
    });
    const runtime = context.runtime(record.hostConfig.Runtime ?? '');
    const starting = runtime.exec({
      id: record.id,
      execId: exec.id,
      name: record.name,
      bundle: exec.bundle,
      processSpec: join(exec.bundle, 'process.json'),
      logPath: undefined,
      logSizeMax: undefined,
      terminal: body.Tty ?? false,
      stdin: body.AttachStdin ?? false,
      leaveStdinOpen: body.Tty ?? false,
      attach: session !== undefined,
    });
    if (session !== undefined) {
      await starting.attachable;
      session.connect(join(exec.bundle, 'attach'));
      starting.release();
    }
    const { pid, exitCode } = await starting.created;
    exec.pid = pid;
    const start = processStart(pid);
    context.background(
      exitCode.then(async (code) => {
        finish(context, exec, code ?? (await exitFromFile(exec, pid, start)));
      }),
    );
    return undefined;
  } catch (error) {
    const failure = startFailure(messageOf(error), body.Cmd?.[0] ?? '');
    const text = `OCI runtime exec failed: exec failed: unable to start container process: ${failure.detail}: unknown`;
    session?.detach();
    finish(context, exec, failure.exitCode === 128 ? 126 : failure.exitCode);
    return new Fault(failure.exitCode === 128 ? 'internal' : 'invalid', text);
  }
}

/** The monitor's last word, should its pipe have ended without one. */
async function exitFromFile(exec: ExecState, pid: number, start: string | undefined): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    try {
      return Number.parseInt(readFileSync(join(exec.bundle, 'exits', exec.live.record.id), 'utf8'), 10);
    } catch {
      if (attempt > 20 && (start === undefined || !isAlive(pid, start))) return 137;
      await sleep(attempt < 20 ? 10 : 500);
    }
  }
}

function finish(context: Context, exec: ExecState, exitCode: number): void {
  if (!exec.running) return;
  exec.running = false;
  exec.exitCode = exitCode;
  exec.finished.resolve();
  rmSync(exec.bundle, { recursive: true, force: true });
  containerEvent(context, exec.live.record, 'exec_die', { execID: exec.id, exitCode: String(exitCode) });
}

/** The OCI process for an exec: the container's environment, user and folder unless told otherwise. */
function processSpec(context: Context, exec: ExecState, options: ExecStart): object {
  const { body, live } = exec;
  const { config, hostConfig } = live.record;
  const run = requireRun(live);
  const user = withRoot(`/proc/${run.pid}/root`, (root) =>
    resolveUser(
      body.User || config.User || '',
      body.User ? [] : (hostConfig.GroupAdd ?? []),
      readInRoot(root, '/etc/passwd') ?? '',
      readInRoot(root, '/etc/group') ?? '',
    ),
  );
  const extra = body.Env ?? [];
  const replaced = new Set(extra.map(environmentKey));
  const environment = [
    ...(config.Env ?? []).filter((entry) => !replaced.has(environmentKey(entry))),
    ...extra.filter((entry) => entry.includes('=')),
  ];
  const privileged = (body.Privileged ?? false) || (hostConfig.Privileged ?? false);
  const capabilities = containerCapabilities(
    { add: hostConfig.CapAdd ?? [], drop: hostConfig.CapDrop ?? [], privileged },
    context.settings.heldCapabilities,
  );
  const size = options.consoleSize ?? consoleSize(body);
  const tty = body.Tty ?? false;
  return {
    terminal: tty,
    ...(tty && size !== undefined ? { consoleSize: size } : {}),
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    args: body.Cmd,
    env: processEnvironment({ ...config, Env: environment }, config.Hostname ?? '', user.home, tty),
    cwd: body.WorkingDir || config.WorkingDir || '/',
    capabilities: processCapabilities(capabilities, user.uid),
    noNewPrivileges: (hostConfig.SecurityOpt ?? []).some((option) => /^no-new-privileges(?:$|[:=]true$)/.test(option)),
  };
}

function consoleSize(body: ExecCreateBody): { height: number; width: number } | undefined {
  const [height = 0, width = 0] = body.ConsoleSize ?? [];
  return height > 0 && width > 0 ? { height, width } : undefined;
}

/** @throws Fault conflict when it does not run */
export async function resizeExec(exec: ExecState, size: { height: number; width: number }): Promise<void> {
  if (!exec.running || exec.pid === 0) throw new Fault('conflict', `exec ${exec.id} is not running`);
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
    Pid: exec.pid,
  };
}
