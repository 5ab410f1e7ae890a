/** A program that takes a while: its lines as they come, its output as a stream, and a polite end when nobody wants it any more. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Fault } from '../std/index.ts';

/** How long a program has to clean up behind itself. */
const graceMs = 10_000;

export interface LongProgram {
  file: string;
  args: readonly string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** What it says on stderr, line by line. */
  onLine: (line: string) => void;
}

/**
 * Its stdout, which ends well only when the program did.
 * @throws Fault unavailable when it cannot be started; internal with its last words; the signal's reason
 */
export async function* programOutput(
  program: LongProgram,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  signal.throwIfAborted();
  const { file, args, cwd, env, onLine } = program;
  // In a process group of its own: what it starts ends with it.
  const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const last: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    last.push(line);
    if (last.length > 8) last.shift();
    onLine(line);
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', (error) =>
      reject(new Fault('unavailable', `Cannot run ${file}: ${error.message}`, { cause: error })),
    );
    child.once('close', (code) => resolve(code ?? 128));
  });
  ended.catch(() => {});
  const kill = (how: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, how);
    } catch {
      // It has ended.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    kill('SIGTERM');
    timer ??= setTimeout(() => kill('SIGKILL'), graceMs);
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const code = await ended;
    signal.throwIfAborted();
    if (code !== 0) throw new Fault('internal', `${file} failed (exit ${code}):\n${last.join('\n')}`);
  } finally {
    signal.removeEventListener('abort', stop);
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      stop();
      child.stdout.resume();
      await ended.catch(() => {});
    }
    clearTimeout(timer);
  }
}

/** The same without the output. */
export async function runToEnd(program: LongProgram, signal: AbortSignal): Promise<void> {
  for await (const chunk of programOutput(program, signal)) {
    for (const line of Buffer.from(chunk).toString('utf8').split('\n'))
      if (line.trim() !== '') program.onLine(line.trim());
  }
}
