/** A container that is run for its output. */
import type { Daemon } from './daemon.ts';
import type { Images } from './images.ts';
import { collect, type ExecResult } from './process.ts';
import { createContainer } from './run.ts';
import type { RunOptions } from './run-options.ts';

export type Outcome = ExecResult;

export async function runToEnd(
  daemon: Daemon,
  images: Images,
  options: Omit<RunOptions, 'until' | 'remove'>,
): Promise<Outcome> {
  await using container = await createContainer(daemon, images, options);
  const { signal } = options;
  await container.start();
  const { exitCode } = await container.wait(signal === undefined ? {} : { signal });
  const { stdout, stderr } = await collect(container.output(signal === undefined ? {} : { signal }));
  signal?.throwIfAborted();
  return { exitCode, stdout, stderr };
}
