/** Commands that a service runs in its containers after they start and before they stop. */
import { Fault } from '../../std/index.ts';
import { rawFrames, readFrames } from '../../client/index.ts';
import { environmentList } from '../create/container.ts';
import type { Hook, Service } from '../project.ts';
import { Lines } from '../lines.ts';
import type { Context } from './context.ts';

/** One after the other. @throws Fault conflict when one fails, with the last it said */
export async function runHooks(
  { client, hookOutput }: Context,
  service: Service,
  hooks: readonly Hook[],
  container: { id: string; name: string },
): Promise<void> {
  for (const hook of hooks) {
    const { Id } = await client.execs.create(container.id, {
      User: hook.user ?? '',
      Privileged: hook.privileged ?? false,
      Env: environmentList(hook.environment ?? {}),
      WorkingDir: hook.working_dir ?? '',
      Cmd: hook.command ?? [],
      Tty: service.tty ?? false,
      AttachStdout: true,
      AttachStderr: true,
    });
    const stream = await client.execs.start(Id, { Detach: false, Tty: service.tty ?? false });
    stream.endInput();
    const said: string[] = [];
    const lines = new Lines((line) => {
      said.push(line);
      hookOutput?.(`${container.name} ->`, line);
    });
    for await (const { data } of (service.tty === true ? rawFrames : readFrames)(stream.output)) lines.add(data);
    lines.end();
    const { ExitCode } = await client.execs.inspect(Id);
    if (ExitCode === 0) continue;
    const last = said.slice(-10).map((line) => `\n  ${line}`);
    throw new Fault('conflict', `${service.name} hook exited with status ${ExitCode}${last.join('')}`);
  }
}
