/**
 * A container run from start to end by the runtime's `run` in the foreground, without a monitor: what a build step is. It has no input,
 * and no life without the daemon: whoever starts it waits for it, or kills it.
 */
import { closeSync, existsSync } from 'node:fs';
import { exited, pipePairs, pipeStream, spawnProcess } from '../linux/index.ts';
import type { StdioStream } from '../monitor/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { lastComplaint } from './complaint.ts';
import { PipeStdio } from './pipe-stdio.ts';

export interface RunProcess {
  stdio: StdioStream;
  /** Ends the runtime itself; the container's processes, if there are any yet, are its cgroup's (`Runtime.delete`). Idempotent. */
  kill(): void;
  /** How it ended; `failure` has the runtime's words when the process never ran. Comes before `stdio.onEnd`. */
  ended: Promise<{ exitCode: number; failure: string | undefined }>;
}

export interface RunProcessOptions {
  /** TMPDIR of the runtime. */
  temporary: string;
  runtime: string;
  /** The runtime's global arguments. */
  runtimeArguments: readonly string[];
  id: string;
  /** Where config.json is; the pid file and the runtime's log are put beside it. */
  bundle: string;
}

type Pipe = [reading: number, writing: number];

/** @throws Fault unavailable when the runtime cannot be executed */
export function startRunProcess(options: RunProcessOptions): RunProcess {
  const { bundle } = options;
  const pidFile = `${bundle}/pid`;
  const log = `${bundle}/log`;
  const args = [...options.runtimeArguments, '--log', log, '--log-format', 'json', 'run'];
  args.push('--bundle', bundle, '--pid-file', pidFile, options.id);
  const [[alive, theirAlive], output, errors] = pipePairs(3) as [Pipe, Pipe, Pipe];
  let child: number;
  try {
    child = spawnProcess(options.runtime, args, {
      cwd: bundle,
      env: { PATH: process.env['PATH'], TMPDIR: options.temporary },
      descriptors: ['null', output[1], errors[1], theirAlive],
    });
  } catch (error) {
    for (const end of [alive, output[0], errors[0]]) closeSync(end);
    throw new Fault('unavailable', `Cannot run ${options.runtime}: ${messageOf(error)}`, { cause: error });
  } finally {
    for (const end of [output[1], errors[1], theirAlive]) closeSync(end);
  }
  const started = (): boolean => existsSync(pidFile);
  const stdio = new PipeStdio(undefined, { stdout: output[0], stderr: errors[0] }, started);
  let reaped = false;
  return {
    stdio,
    kill: () => {
      // Until it is reaped its pid is nobody else's.
      if (!reaped) process.kill(child, 'SIGKILL');
    },
    ended: (async () => {
      const exitCode = await exited(child, pipeStream(alive, 'read')).finally(() => {
        reaped = true;
      });
      const complaint = lastComplaint(log);
      const failure = started() && complaint === undefined ? undefined : (complaint ?? 'the runtime gave no reason');
      stdio.processEnded(failure === undefined);
      return { exitCode, failure };
    })(),
  };
}
