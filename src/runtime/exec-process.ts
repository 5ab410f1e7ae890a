/**
 * A process run in a container by the runtime's `exec` in the foreground, without a monitor: the runtime itself waits for it and
 * passes on its exit code. The runtime also holds the reading ends of the output pipes, so that a process outlives the daemon as
 * it would under a monitor: what it writes meets a full pipe and not a broken one.
 */
import { closeSync, existsSync, readFileSync } from 'node:fs';
import { exited, pipePairs, pipeStream, spawnProcess } from '../linux/index.ts';
import type { StdioStream } from '../monitor/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { lastComplaint } from './complaint.ts';
import { PipeStdio } from './pipe-stdio.ts';

export interface ExecProcess {
  /** Runs the OCI process (runtime-spec "process"). The runtime has been loading meanwhile, and waits for it. Once only. */
  run(process: object): void;
  /** Lets the runtime end without having run anything. */
  cancel(): void;
  /** Input and output; absent when neither was asked for. */
  stdio: StdioStream | undefined;
  /** The process's pid on the host, once it runs. */
  pid(): number | undefined;
  /** How it ended; `failure` has the runtime's words when it never ran. */
  ended: Promise<{ exitCode: number; failure: string | undefined }>;
}

export interface ExecProcessOptions {
  /** TMPDIR of the runtime. */
  temporary: string;
  runtime: string;
  /** The runtime's global arguments. */
  runtimeArguments: readonly string[];
  id: string;
  /** An empty folder for the pid file and the runtime's log. */
  folder: string;
  stdin: boolean;
  /** Whether somebody wants the output; else it goes to /dev/null. */
  attach: boolean;
}

/** The child's descriptor from which the runtime reads the process: nothing of it touches a disk. */
const specDescriptor = 4;

/** Starts the runtime, which then waits for `run`. @throws Fault unavailable when it cannot be executed */
export function startExecProcess(options: ExecProcessOptions): ExecProcess {
  const pidFile = `${options.folder}/pid`;
  const log = `${options.folder}/log`;
  const args = [...options.runtimeArguments, '--log', log, '--log-format', 'json', 'exec'];
  args.push('--process', `/proc/self/fd/${specDescriptor}`, '--pid-file', pidFile, options.id);
  const pipes = pipePairs(2 + (options.attach ? 2 : 0) + (options.stdin ? 1 : 0));
  const [alive, theirAlive] = pipes.pop()!;
  const [theirSpec, spec] = pipes.pop()!;
  const output = options.attach ? pipes.pop() : undefined;
  const errors = options.attach ? pipes.pop() : undefined;
  const input = pipes.pop();
  const descriptors = [
    input?.[0] ?? 'null',
    output?.[1] ?? 'null',
    errors?.[1] ?? 'null',
    theirAlive,
    theirSpec,
  ] as const;
  let child: number;
  try {
    child = spawnProcess(options.runtime, args, {
      cwd: options.folder,
      env: { PATH: process.env['PATH'], TMPDIR: options.temporary },
      descriptors: [...descriptors, ...[output, errors].flatMap((pipe) => (pipe === undefined ? [] : [pipe[0]]))],
    });
  } catch (error) {
    for (const end of [alive, spec, input?.[1], output?.[0], errors?.[0]]) if (end !== undefined) closeSync(end);
    throw new Fault('unavailable', `Cannot run ${options.runtime}: ${messageOf(error)}`, { cause: error });
  } finally {
    for (const end of descriptors) if (typeof end === 'number') closeSync(end);
  }
  const started = (): boolean => existsSync(pidFile);
  const stdio =
    output === undefined || errors === undefined
      ? undefined
      : new PipeStdio(input?.[1], { stdout: output[0], stderr: errors[0] }, started);
  if (stdio === undefined && input !== undefined) closeSync(input[1]);
  const specStream = pipeStream(spec, 'write');
  return {
    run: (process) => void specStream.end(JSON.stringify(process)),
    cancel: () => {
      specStream.destroy();
      stdio?.close();
    },
    stdio,
    pid: () => (started() ? Number(readFileSync(pidFile, 'utf8')) || undefined : undefined),
    ended: (async () => {
      const exitCode = await exited(child, pipeStream(alive, 'read'));
      const complaint = lastComplaint(log);
      const failure = started() && complaint === undefined ? undefined : (complaint ?? 'the runtime gave no reason');
      stdio?.processEnded(failure === undefined);
      return { exitCode, failure };
    })(),
  };
}
