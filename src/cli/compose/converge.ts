/** Brings a project to be as its files say, with progress; a failure says who failed, why, and how the others are. */
import {
  type Context,
  changes,
  type ConvergeOptions,
  failureReport,
  foresee,
  prepare,
  type Prepared,
  type Project,
  WaitFault,
} from '../../compose/index.ts';
import { confirm } from '../prompt.ts';
import { Exit } from '../usage-fault.ts';
import { explain } from '../explain.ts';
import type { Board } from './board.ts';
import { dryRunText } from './dry-run.ts';
import { recreateOf } from './flags.ts';
import { imageDoor, noExtras } from './images.ts';
import { type Compose, timeoutOf } from './open.ts';

export interface ConvergeRequest {
  start: boolean;
  signal: AbortSignal;
  /** Those that were asked for: the command line's, unless said. */
  services?: readonly string[];
  /** Nothing is shown. */
  quiet?: boolean;
  /** Whether what services depend on is built, too; the command line says, unless it is said here. */
  dependencies?: boolean;
}

/** In the background. */
export async function converge(compose: Compose, project: Project, request: ConvergeRequest): Promise<number> {
  if (compose.isDryRun) return dryRun(compose, project, request);
  return withPrepared(compose, project, request, async ({ plan, applier }, board) => {
    const timeout = compose.flags.knows('wait-timeout') ? compose.flags.integer('wait-timeout') : 0;
    await applier.run(plan.create);
    if (request.start) await withinSeconds(timeout, () => applier.run(plan.start));
    board.stop();
    if (changes(plan).length === 0 && plan.create.length > 0 && compose.mode() !== 'json' && compose.mode() !== 'quiet')
      compose.info.write('Nothing changes: all is as the files say.\n');
    return 0;
  });
}

async function dryRun(compose: Compose, project: Project, request: ConvergeRequest): Promise<number> {
  const board = compose.board('', { quiet: true });
  const context = await compose.context(project, board, request.signal);
  const { pulls, builds, plan } = await foresee(context, optionsOf(compose, project, request));
  compose.session.out.write(dryRunText({ pulls, builds, steps: [...plan.create, ...plan.start] }));
  return 0;
}

/** Looks, fetches, builds and plans; what `act` throws is told with the state that all is in. */
export async function withPrepared(
  compose: Compose,
  project: Project,
  request: ConvergeRequest,
  act: (prepared: Prepared, board: Board, context: Context) => Promise<number>,
): Promise<number> {
  const { flags } = compose;
  const on = (name: string): boolean => flags.knows(name) && flags.bool(name);
  const door = imageDoor(compose, {
    quietPull: on('quiet-pull'),
    quietBuild: on('quiet-build') || request.quiet === true,
    extras: noExtras,
    signal: request.signal,
  });
  const board = compose.board('Running', request.quiet === true ? { quiet: true } : {});
  const context = await compose.context(project, board, request.signal);
  try {
    const prepared = await prepare(context, door, optionsOf(compose, project, request));
    return await act(prepared, board, context);
  } catch (error) {
    board.stop();
    if (error instanceof Exit) throw error;
    throw new Exit(1, await failureText(compose, context, error));
  } finally {
    board.stop();
  }
}

async function failureText(compose: Compose, { client, project }: Context, error: unknown): Promise<string> {
  const text = explain(error, compose.session.options.debug);
  const isEarly = !(error instanceof WaitFault) && compose.isDryRun;
  if (isEarly) return text;
  const report = await failureReport(client, project.name, error).catch(() => '');
  return report === '' ? text : `${text}\n\n${report.trimEnd()}`;
}

function optionsOf(
  compose: Compose,
  project: Project,
  { start, services, dependencies }: ConvergeRequest,
): ConvergeOptions {
  const { flags, session } = compose;
  const on = (name: string): boolean => flags.knows(name) && flags.bool(name);
  const removeOrphans = on('remove-orphans') || compose.isSet('COMPOSE_REMOVE_ORPHANS', project);
  const ignoreOrphans = compose.isSet('COMPOSE_IGNORE_ORPHANS', project);
  if (ignoreOrphans && on('remove-orphans'))
    throw new Exit(1, 'cannot combine COMPOSE_IGNORE_ORPHANS and --remove-orphans');
  return {
    services: services ?? compose.args,
    ...recreateOf(flags),
    inherit: !on('renew-anon-volumes'),
    timeout: flags.knows('timeout') ? timeoutOf(flags) : undefined,
    removeOrphans,
    ignoreOrphans,
    start,
    wait: on('wait'),
    build: !on('no-build'),
    dependencies: dependencies ?? !on('no-deps'),
    confirm: async (question) => on('yes') || confirm(session, question),
    now: session.now(),
  };
}

/** @throws Exit when the time is over */
async function withinSeconds(seconds: number, act: () => Promise<void>): Promise<void> {
  if (seconds <= 0) return act();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateFault(`application not healthy after ${seconds}s`)), seconds * 1000);
  });
  try {
    await Promise.race([act(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What was waited for has not come in time. */
class LateFault extends Error {}
