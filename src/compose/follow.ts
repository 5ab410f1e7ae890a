/** The output of a project's containers, as it comes, and what happens to them: docker compose's monitor and printer. */
import type { ContainerInspect } from '../api/index.ts';
import { parseRfc3339 } from '../std/index.ts';
import { ApiFault, type Client, rawFrames, readFrames, type WireEvent } from '../client/index.ts';
import { inProject, label } from './labels.ts';
import { Lines } from './lines.ts';
import { isOneOff, serviceOf, shortName, shortNameOf } from './names.ts';
import { type Container, listContainers, orUndefined } from './observe.ts';

export interface LogQuery {
  follow: boolean;
  since?: string | undefined;
  until?: string | undefined;
  tail?: string | undefined;
  timestamps?: boolean;
}

/** Where lines go. */
export interface LogSink {
  line(source: string, line: string, stream: 'stdout' | 'stderr'): void;
  /** "exited with code 0". */
  status(source: string, text: string): void;
}

/** One container's log, to its end, or on and on. A log driver that cannot be read is said, and nothing is shown. */
export async function showLog(
  client: Client,
  container: { id: string; source: string },
  sink: LogSink,
  query: LogQuery,
  signal: AbortSignal,
): Promise<void> {
  const found = await orUndefined(client.containers.inspect(container.id));
  if (found === undefined) return;
  const body = await client.containers.logs(
    container.id,
    { ...query, stdout: true, stderr: true, timestamps: query.timestamps ?? false },
    signal,
  );
  await pour(body, found.Config.Tty === true, container.source, sink, signal);
}

/** Its output from now on: attached before it starts, nothing of it is missed. `ended` is when there is no more. */
export async function attachOutput(
  client: Client,
  container: { id: string; source: string },
  sink: LogSink,
  signal: AbortSignal,
): Promise<{ ended: Promise<void> }> {
  const { Config } = await client.containers.inspect(container.id);
  const stream = await client.containers.attach(container.id, { stream: true, stdout: true, stderr: true });
  const stop = (): void => stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  const poured = pour(stream.output, Config.Tty === true, container.source, sink, signal).finally(() =>
    signal.removeEventListener('abort', stop),
  );
  poured.catch(() => {});
  return { ended: poured };
}

async function pour(
  body: AsyncIterable<Uint8Array>,
  tty: boolean,
  source: string,
  sink: LogSink,
  signal: AbortSignal,
): Promise<void> {
  const streams = {
    stdout: new Lines((line) => sink.line(source, line, 'stdout')),
    stderr: new Lines((line) => sink.line(source, line, 'stderr')),
  };
  try {
    for await (const { stream, data } of (tty ? rawFrames : readFrames)(body)) streams[stream].add(data);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  streams.stdout.end();
  streams.stderr.end();
}

export type Happening =
  | {
      kind: 'created' | 'recreated' | 'started' | 'restarted';
      id: string;
      source: string;
      service: string;
      replaced: string;
    }
  | { kind: 'exited'; id: string; source: string; service: string; exitCode: number; isRestarting: boolean };

/** Who is stopped by hand may be about to start again (`restart`): it is waited for this long before all are taken to have ended. */
const restartMs = 1500;

/**
 * Tells what happens to the containers of some services (none: all), until all of them have ended, or the signal.
 * @param tell is called in order
 */
export async function monitor(
  client: Client,
  project: string,
  services: ReadonlySet<string>,
  tell: (happening: Happening) => void | Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const isOurs = (service: string): boolean => services.size === 0 || services.has(service);
  const stop = new AbortController();
  const filters = { type: ['container'], label: inProject(project) };
  const events = client.system.events({}, filters, AbortSignal.any([signal, stop.signal]));
  // The first event is asked for before the containers are listed: none is missed in between.
  const reading = events[Symbol.asyncIterator]();
  let next = reading.next();
  next.catch(() => {});
  const watched = new Set(
    (await listContainers(client, project))
      .filter((each) => !isOneOff(each) && isOurs(serviceOf(each)))
      .map(({ Id }) => Id),
  );
  const state = { watched, killed: new Set<string>(), tell };
  try {
    while (watched.size > 0 || state.killed.size > 0) {
      const event = await (watched.size > 0 ? next : within(next, restartMs));
      if (event === undefined || event.done === true) return;
      next = reading.next();
      next.catch(() => {});
      if (isOurs(event.value.Actor.Attributes[label.service] ?? '')) await takeEvent(client, event.value, state);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop.abort();
  }
}

async function within<T>(answer: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((done) => {
    timer = setTimeout(() => done(undefined), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

interface Watch {
  watched: Set<string>;
  /** Those that were sent a signal, and may be started again at once. */
  killed: Set<string>;
  tell: (happening: Happening) => void | Promise<void>;
}

async function takeEvent(
  client: Client,
  { Action, Actor: { ID: id, Attributes } }: WireEvent,
  state: Watch,
): Promise<void> {
  if (Attributes[label.oneOff] === 'True') return;
  const source = shortName(Attributes['name'] ?? '', Attributes);
  const service = Attributes[label.service] ?? '';
  const replaced = Attributes[label.replaces] ?? '';
  const simple = (kind: 'created' | 'recreated' | 'started' | 'restarted') =>
    state.tell({ kind, id, source, service, replaced });
  if (Action === 'create') {
    state.watched.add(id);
    await simple(replaced === '' ? 'created' : 'recreated');
  } else if (Action === 'start') {
    state.watched.add(id);
    state.killed.delete(id);
    await simple('started');
  } else if (Action === 'restart') await simple('restarted');
  else if (Action === 'kill') state.killed.add(id);
  else if (Action === 'destroy') state.killed.delete(id);
  else if (Action === 'die') {
    const found = await orUndefined(client.containers.inspect(id));
    const isRestarting = found?.State.Restarting === true || found?.State.Running === true;
    if (!isRestarting) state.watched.delete(id);
    await state.tell({
      kind: 'exited',
      id,
      source,
      service,
      exitCode: Number(Attributes['exitCode'] ?? 0),
      isRestarting,
    });
  }
}

/** Some containers' logs, of their past and, when followed, of what starts meanwhile. */
export async function showLogs(
  client: Client,
  project: string,
  options: {
    containers: readonly Container[];
    services: ReadonlySet<string>;
    query: LogQuery;
    warn: (text: string) => void;
  },
  sink: LogSink,
  signal: AbortSignal,
): Promise<void> {
  const show = async (id: string, source: string, query: LogQuery): Promise<void> => {
    try {
      await showLog(client, { id, source }, sink, query, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ApiFault)) throw error;
      options.warn(`Can't retrieve logs for "${source}": ${error.message}`);
    }
  };
  const shown = options.containers.map((each) => show(each.Id, shortNameOf(each), options.query));
  if (!options.query.follow) {
    await Promise.all(shown);
    return;
  }
  const later: Promise<void>[] = [];
  await Promise.all([
    ...shown,
    monitor(
      client,
      project,
      options.services,
      async (happening) => {
        if (happening.kind === 'exited')
          sink.status(happening.source, exitText(happening.exitCode, happening.isRestarting));
        if (happening.kind !== 'started') return;
        const found = await orUndefined(client.containers.inspect(happening.id));
        // All of the new run: `--tail` is of what was there before.
        const query = { ...options.query, tail: undefined, since: sinceStart(found) };
        later.push(show(happening.id, happening.source, query));
      },
      signal,
    ),
  ]);
  await Promise.all(later);
}

/** When a container was started, as `since` of a log has it: engines take seconds there, not dates. */
export function sinceStart(container: ContainerInspect | undefined): string | undefined {
  const nanos = parseRfc3339(container?.State.StartedAt ?? '');
  if (nanos === undefined) return undefined;
  return `${nanos / 1_000_000_000n}.${String(nanos % 1_000_000_000n).padStart(9, '0')}`;
}

export function exitText(code: number, isRestarting: boolean): string {
  return `exited with code ${code}${isRestarting ? ' (restarting)' : ''}`;
}
