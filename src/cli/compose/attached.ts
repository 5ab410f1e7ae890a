/** `up` in the foreground: output of all containers behind their names; Ctrl-C stops them, another one kills them. */
import {
  Applier,
  attachOutput,
  type Container,
  type Context,
  exitText,
  hasWatch,
  type Happening,
  isOneOff,
  byName,
  listContainers,
  monitor,
  orUndefined,
  planStop,
  type Project,
  reach,
  serviceOf,
  shortNameOf,
  showLog,
  sinceStart,
} from '../../compose/index.ts';
import { ApiFault } from '../../client/index.ts';
import { messageOf } from '../../std/index.ts';
import type { Output } from '../output/stream.ts';
import { Exit } from '../usage-fault.ts';
import { withPrepared } from './converge.ts';
import { LogPrinter } from './log-printer.ts';
import { Menu, type MenuActions } from './menu.ts';
import { type Compose, interrupted, timeoutOf } from './open.ts';

export async function attachedUp(compose: Compose, project: Project): Promise<number> {
  const stop = new AbortController();
  const early = (): void => {
    if (stop.signal.aborted) process.exit(interrupted);
    stop.abort(new Exit(interrupted));
  };
  process.on('SIGINT', early);
  process.on('SIGTERM', early);
  try {
    return await withPrepared(
      compose,
      project,
      { start: true, signal: stop.signal },
      async ({ plan, applier }, board, context) => {
        await applier.run(plan.create);
        board.stop();
        process.off('SIGINT', early);
        process.off('SIGTERM', early);
        const quiet = { ...context, progress: () => {} };
        return new AttachedUp(compose, quiet, applier).run(plan.start);
      },
    );
  } finally {
    process.off('SIGINT', early);
    process.off('SIGTERM', early);
  }
}

/** What containers said last, and that they ended, is told a little later than their end. */
const graceMs = 2000;

/** Where a person types, unless they want none. */
function hasMenu(compose: Compose, project: Project): boolean {
  const { flags, session } = compose;
  if (!session.out.isTerminal || !session.in.isTerminal || compose.mode() !== 'tty') return false;
  if (flags.changed('menu')) return flags.bool('menu');
  return compose.setting('COMPOSE_MENU', project) === undefined || compose.isSet('COMPOSE_MENU', project);
}

/** Events of an end come this much after it, at most. */
const toldMs = 300;

class AttachedUp {
  readonly #compose: Compose;
  readonly #context: Context;
  readonly #applier: Applier;
  readonly #printer: LogPrinter;
  readonly #end = new AbortController();
  readonly #attached = new Set<string>();
  readonly #outputs: Promise<unknown>[] = [];
  readonly #stopping: Promise<unknown>[] = [];
  #signals = 0;
  readonly #menu: Menu | undefined;
  readonly #detached = Promise.withResolvers<void>();
  #watching: AbortController | undefined;
  #isDetached = false;
  #exitCode: number | undefined;
  #isAborting = false;

  constructor(compose: Compose, context: Context, applier: Applier) {
    const { flags, session } = compose;
    this.#compose = compose;
    this.#context = context;
    this.#applier = applier;
    this.#menu = hasMenu(compose, context.project) ? new Menu(session, this.#actions()) : undefined;
    const above = (output: Output): Output => this.#menu?.above(output) ?? output;
    this.#printer = new LogPrinter(above(session.out), above(session.err), {
      isColored: !flags.bool('no-color') && compose.isColored(session.out),
      hasPrefix: !flags.bool('no-log-prefix'),
      hasTimestamps: flags.bool('timestamps'),
    });
  }

  async run(start: Parameters<Applier['run']>[0]): Promise<number> {
    const { client, project } = this.#context;
    const shown = this.#shownServices();
    const onSignal = (): void => this.#takeSignal();
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    if (this.#compose.flags.bool('watch')) this.#watching = await this.#watch();
    try {
      await this.#attachAll(shown);
      this.#menu?.open();
      const watched = new Set(this.#compose.args.length > 0 ? this.#compose.args : shown);
      const monitoring = monitor(
        client,
        project.name,
        watched,
        (happening) => this.#take(happening, shown),
        this.#end.signal,
      );
      try {
        await this.#applier.run(start);
      } catch (error) {
        if (this.#signals === 0) throw error;
      }
      await Promise.race([monitoring, this.#detached.promise]);
      this.#menu?.close();
      if (this.#isDetached) return 0;
      await Promise.allSettled(this.#stopping);
      await Promise.race([Promise.allSettled(this.#outputs), drained()]);
    } finally {
      this.#menu?.close();
      this.#watching?.abort();
      this.#end.abort();
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
    }
    if (this.#exitCode !== undefined) return this.#exitCode;
    return this.#signals > 0 ? interrupted : 0;
  }

  /** Services whose output is shown: those asked for, or all; not those that say they want none. @throws Exit */
  #shownServices(): string[] {
    const { flags, args } = this.#compose;
    const { services } = this.#context.project;
    const asked = flags.list('attach');
    const wrong = asked.filter((name) => !(name in services));
    if (wrong.length > 0) throw new Exit(1, `cannot attach to services not included in up: ${wrong.join(', ')}`);
    const wanted = args.length > 0 ? args : Object.keys(services);
    const names =
      asked.length > 0
        ? asked
        : [...reach(this.#context.project, wanted, flags.bool('attach-dependencies'))].filter(
            (name) => services[name]?.attach !== false,
          );
    const unwanted = new Set(flags.list('no-attach'));
    return names.filter((name) => !unwanted.has(name)).toSorted();
  }

  async #attachAll(services: readonly string[]): Promise<void> {
    const { client, project } = this.#context;
    if (services.length === 0) return;
    const containers = (await listContainers(client, project.name, services))
      .filter((each) => !isOneOff(each) && services.includes(serviceOf(each)))
      .toSorted(byName);
    if (containers.length === 0) return;
    const names = containers.map(shortNameOf);
    this.#printer.register(names);
    this.#compose.session.out.write(`Attaching to ${names.join(', ')}\n`);
    await Promise.all(containers.map((each) => this.#attach(each)));
  }

  async #attach(container: Container): Promise<void> {
    this.#attached.add(container.Id);
    const { client } = this.#context;
    const place = { id: container.Id, source: shortNameOf(container) };
    const { ended } = await attachOutput(client, place, this.#printer, this.#end.signal);
    this.#outputs.push(ended);
  }

  async #take(happening: Happening, shown: readonly string[]): Promise<void> {
    const { flags } = this.#compose;
    if (happening.kind === 'recreated') this.#printer.status(happening.replaced, 'has been recreated');
    if (happening.kind === 'exited') {
      this.#printer.status(happening.source, exitText(happening.exitCode, happening.isRestarting));
      if (flags.string('exit-code-from') === happening.service) this.#exitCode ??= happening.exitCode;
      this.#attached.delete(happening.id);
      const failsOnly = flags.bool('abort-on-container-failure');
      const cascades = flags.bool('abort-on-container-exit') || flags.string('exit-code-from') !== '' || failsOnly;
      if (cascades && !happening.isRestarting && !(failsOnly && happening.exitCode === 0))
        this.#abort(happening.exitCode);
    }
    if (happening.kind === 'started' && shown.includes(happening.service))
      await this.#show(happening.id, happening.source);
  }

  /** One that was not attached before it started, or starts again: its log from then on. */
  async #show(id: string, source: string): Promise<void> {
    if (this.#attached.has(id)) return;
    this.#attached.add(id);
    const { client } = this.#context;
    const found = await orUndefined(client.containers.inspect(id));
    const query = { follow: true, since: sinceStart(found) };
    this.#outputs.push(
      showLog(client, { id, source }, this.#printer, query, this.#end.signal).catch((error: unknown) => {
        if (!(error instanceof ApiFault)) throw error;
      }),
    );
  }

  #abort(exitCode: number): void {
    if (this.#isAborting) return;
    this.#isAborting = true;
    if (this.#compose.flags.string('exit-code-from') === '') this.#exitCode = exitCode;
    this.#compose.info.write('Aborting on container exit...\n');
    this.#stopping.push(this.#stopAll());
  }

  #actions(): MenuActions {
    const canWatch = hasWatch(this.#context.project);
    return {
      detach: () => {
        this.#isDetached = true;
        this.#detached.resolve();
      },
      toggleWatch: canWatch ? () => this.#toggleWatch() : undefined,
      interrupt: () => this.#takeSignal(),
    };
  }

  #toggleWatch(): boolean {
    if (this.#watching !== undefined) {
      this.#watching.abort();
      this.#watching = undefined;
      return false;
    }
    const stop = new AbortController();
    this.#watching = stop;
    this.#watch().then(
      (started) => stop.signal.addEventListener('abort', () => started.abort(), { once: true }),
      (error: unknown) => this.#printer.line('⦿ watch', messageOf(error), 'stderr'),
    );
    return true;
  }

  #takeSignal(): void {
    this.#signals++;
    this.#menu?.close();
    if (this.#signals === 1) {
      this.#compose.session.out.write('Gracefully Stopping... press Ctrl+C again to force\n');
      this.#stopping.push(this.#stopAll());
    } else if (this.#signals === 2) this.#stopping.push(this.#killAll());
    else process.exit(interrupted);
  }

  async #stopAll(): Promise<void> {
    const { client, project } = this.#context;
    const board = this.#compose.board('Stopping');
    try {
      const containers = await listContainers(client, project.name);
      const { args, flags } = this.#compose;
      const steps = planStop({ project, containers, services: args, timeout: timeoutOf(flags) });
      const context = await this.#compose.context(project, board, this.#end.signal);
      const applier = new Applier(context, { images: new Map(), containers, timeout: undefined });
      await applier.run(steps);
      board.stop();
      // Nothing of it runs any more: events that do not come are not waited for.
      setTimeout(() => this.#end.abort(), toldMs).unref();
    } catch (error) {
      board.stop();
      if (!this.#end.signal.aborted) this.#compose.session.err.write(`${messageOf(error)}\n`);
    }
  }

  async #killAll(): Promise<void> {
    const { client, project } = this.#context;
    const { args } = this.#compose;
    const containers = await listContainers(client, project.name);
    const running = containers.filter(
      (each) => each.State === 'running' && !isOneOff(each) && (args.length === 0 || args.includes(serviceOf(each))),
    );
    await Promise.allSettled(running.map(({ Id }) => client.containers.kill(Id)));
    setTimeout(() => this.#end.abort(), toldMs).unref();
  }

  async #watch(): Promise<AbortController> {
    const { watchInBackground } = await import('./watching.ts');
    return watchInBackground(this.#compose, this.#context, this.#printer);
  }
}

/** A stream that does not end does not hold us. */
function drained(): Promise<void> {
  return new Promise((done) => setTimeout(done, graceMs).unref());
}
