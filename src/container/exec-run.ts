/** The two ways a process of an exec is run: by the runtime alone, or with a terminal under a monitor. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, processStart } from '../linux/index.ts';
import { attachMonitor } from '../monitor/index.ts';
import type { ExecProcess } from '../runtime/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import type { Context } from './context.ts';
import type { ExecState } from './exec.ts';
import type { RunState } from './record.ts';
import type { ProcessSession } from './session.ts';

/** A runtime that has been started ahead of the request to run something. */
export interface Prepared {
  process: ExecProcess;
  /** The life of the container that it was prepared for. */
  run: RunState | undefined;
  folder: string;
  timer: NodeJS.Timeout;
}

/** How long a client may take between create and start to profit from it. */
const prepareMs = 2000;

/** Whether the create request says that somebody will want the input or output. */
export function wantsStdio({ body }: ExecState): boolean {
  return (body.AttachStdin ?? false) || (body.AttachStdout ?? false) || (body.AttachStderr ?? false);
}

/** Starts the runtime while the client is on its way from create to start: it loads, and waits for the process. */
export function prepareExec(context: Context, exec: ExecState): void {
  if ((exec.body.Tty ?? false) || exec.started || exec.live.run === undefined) return;
  try {
    const { process, folder } = startRuntime(context, exec, wantsStdio(exec));
    const timer = setTimeout(() => discardPrepared(context, exec), prepareMs);
    exec.prepared = { process, folder, run: exec.live.run, timer };
  } catch (error) {
    // The start will try again, and has someone to tell.
    context.log.debug('an exec could not be prepared', { exec: exec.id, error: messageOf(error) });
  }
}

export function discardPrepared(context: Context, exec: ExecState): void {
  const { prepared } = exec;
  if (prepared === undefined) return;
  exec.prepared = undefined;
  clearTimeout(prepared.timer);
  prepared.process.cancel();
  context.background(prepared.process.ended.finally(() => rmSync(prepared.folder, { recursive: true, force: true })));
}

function startRuntime(context: Context, exec: ExecState, attach: boolean): { process: ExecProcess; folder: string } {
  const { record } = exec.live;
  // Each try has a folder of its own: what an abandoned one still writes is not taken for this one's.
  const folder = join(exec.bundle, String(exec.attempts++));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const stdin = attach && (exec.body.AttachStdin ?? false);
  const runtime = context.runtime(record.hostConfig.Runtime ?? '');
  return { process: runtime.exec({ id: record.id, folder, stdin, attach }), folder };
}

/** Runs it to its end, or with nobody attached until it has started. @throws Fault with the runtime's words when it did not start */
export async function runPlain(
  context: Context,
  exec: ExecState,
  session: ProcessSession | undefined,
  process: object,
  finish: (exitCode: number) => void,
): Promise<void> {
  const { prepared } = exec;
  const usable = prepared?.run === exec.live.run && wantsStdio(exec) === (session !== undefined);
  if (!usable) discardPrepared(context, exec);
  clearTimeout(prepared?.timer);
  exec.prepared = undefined;
  const started =
    usable && prepared !== undefined ? prepared.process : startRuntime(context, exec, session !== undefined).process;
  if (session !== undefined && started.stdio !== undefined) session.connect(started.stdio);
  exec.pid = () => started.pid() ?? 0;
  started.run(process);
  const settled = (async () => {
    const { exitCode, failure } = await started.ended;
    const pid = exec.pid();
    exec.pid = () => pid;
    if (failure !== undefined) throw new Fault('internal', failure);
    finish(exitCode);
  })();
  if (session === undefined) {
    context.background(settled.catch(() => {}));
    const over = settled.then(() => true);
    while (started.pid() === undefined) if (await Promise.race([over, sleep(2, false)])) return;
    return;
  }
  await settled;
}

/** Runs it with a terminal under a monitor and returns when it has started. @throws Fault with the runtime's words when it did not */
export async function runTerminal(
  context: Context,
  exec: ExecState,
  session: ProcessSession | undefined,
  process: object,
  finish: (exitCode: number) => void,
): Promise<void> {
  const { record } = exec.live;
  mkdirSync(join(exec.bundle, 'exits'), { recursive: true, mode: 0o700 });
  const processSpec = join(exec.bundle, 'process.json');
  writeFileSync(processSpec, JSON.stringify(process), { mode: 0o600 });
  const starting = context.runtime(record.hostConfig.Runtime ?? '').execTerminal({
    id: record.id,
    execId: exec.id,
    name: record.name,
    bundle: exec.bundle,
    processSpec,
    logPath: undefined,
    logSizeMax: undefined,
    terminal: true,
    stdin: exec.body.AttachStdin ?? false,
    leaveStdinOpen: true,
    attach: session !== undefined,
  });
  if (session !== undefined) {
    await starting.attachable;
    session.connect(attachMonitor(join(exec.bundle, 'attach')));
    starting.release();
  }
  const { pid, exitCode } = await starting.created;
  exec.pid = () => pid;
  const start = processStart(pid);
  context.background(exitCode.then(async (code) => finish(code ?? (await exitFromFile(exec, pid, start)))));
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
