/** `watch`, alone or beside an attached `up`. */
import { type Context, type Project, watchProject } from '../../compose/index.ts';
import { messageOf } from '../../std/index.ts';
import { withPrepared } from './converge.ts';
import type { LogPrinter } from './log-printer.ts';
import type { Compose } from './open.ts';

/** Docker compose's mark for lines of the watcher. */
const source = '⦿ watch';

export async function watchOn(
  compose: Compose,
  context: Context,
  printer: LogPrinter,
  options: { quiet: boolean },
): Promise<void> {
  const say = (text: string): void => printer.line(source, text, 'stdout');
  await watchProject(context, {
    say,
    canBuild: true,
    rebuild: (services) => rebuild(compose, context, services, options.quiet),
  });
}

/** @returns what ends it */
export async function watchInBackground(
  compose: Compose,
  context: Context,
  printer: LogPrinter,
): Promise<AbortController> {
  const stop = new AbortController();
  const signal = AbortSignal.any([context.signal, stop.signal]);
  watchOn(compose, { ...context, signal }, printer, { quiet: true }).catch((error: unknown) => {
    if (!signal.aborted) printer.line(source, `Watch disabled with errors: ${messageOf(error)}`, 'stderr');
  });
  return stop;
}

/** Their images, then their containers in the place of those before. */
async function rebuild(compose: Compose, context: Context, services: readonly string[], quiet: boolean): Promise<void> {
  const { project, signal } = context;
  const named = new Set(services);
  const forced: Project = {
    ...project,
    services: Object.fromEntries(
      Object.entries(project.services).map(([name, service]) => [
        name,
        { ...service, pull_policy: named.has(name) ? 'build' : 'missing' },
      ]),
    ),
  };
  await withPrepared(
    compose,
    forced,
    { start: true, signal, services, quiet, dependencies: false },
    async ({ plan, applier }) => {
      await applier.run(plan.create);
      await applier.run(plan.start);
      return 0;
    },
  );
}
