/** Runs a program to its end with bounded output. */
import { Fault } from './fault.ts';

export interface ProgramResult {
  code: number;
  signal: NodeJS.Signals | undefined;
  stdout: string;
  stderr: string;
}

export interface ProgramOptions {
  input?: string | Uint8Array;
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  /** Bytes kept of each stream; more is dropped. Default 1 MiB. */
  maxOutput?: number;
}

/** Runs `file` without a shell and returns how it ended, whatever its exit code. @throws Fault unavailable when it cannot be started. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  // Loaded when it is needed: the command line starts noticeably faster without it.
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      signal: options.signal,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const limit = options.maxOutput ?? 1 << 20;
    const collect = (stream: NodeJS.ReadableStream): (() => string) => {
      const chunks: Buffer[] = [];
      let size = 0;
      stream.on('data', (chunk: Buffer) => {
        if (size < limit) chunks.push(chunk.subarray(0, limit - size));
        size += chunk.length;
      });
      return () => Buffer.concat(chunks).toString('utf8');
    };
    const stdout = collect(child.stdout!);
    const stderr = collect(child.stderr!);
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
    child.on('error', (error) =>
      reject(new Fault('unavailable', `Cannot run ${file}: ${error.message}`, { cause: error })),
    );
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 128, signal: signal ?? undefined, stdout: stdout(), stderr: stderr() }),
    );
  });
}

/** Like runProgram, but a non-zero exit is a Fault with the program's last words. */
export async function mustRun(file: string, args: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const result = await runProgram(file, args, options);
  if (result.code === 0) return result.stdout;
  const words = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-5).join('\n');
  throw new Fault('internal', `${file} ${args[0] ?? ''} failed (exit ${result.code}): ${words}`);
}
