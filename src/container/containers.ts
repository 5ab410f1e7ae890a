/** The container room's door: Docker's verbs over the context, each under its container's lock where order matters. */
import {
  acceptFilters,
  type ContainerCreateBody,
  type Containers,
  type EndpointConfig,
  type Execs,
  type Filters,
  matchesLabels,
  type Problem,
  type PruneReport,
} from '../api/index.ts';
import type { CdiDevices } from '../cdi/index.ts';
import type { ImageStore, ImageUse } from '../image/index.ts';
import { bootId } from '../linux/index.ts';
import { resizeTerminal } from '../monitor/index.ts';
import type { Networking } from '../network/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import {
  Fault,
  faultKind,
  KeyedMutex,
  type Logger,
  messageOf,
  nowNanos,
  parseApiTime,
  parseGoDuration,
  Records,
} from '../std/index.ts';
import type { Volumes } from '../volume/index.ts';
import { exportContainer, readFromContainer, statInContainer, writeToContainer } from './archive.ts';
import { attachContainer } from './attach.ts';
import { checkContainers } from './check.ts';
import { commitContainer } from './commit.ts';
import { connectNetwork, disconnectNetwork } from './connect.ts';
import { bundleDirectory, type Context, type Live, type Settings } from './context.ts';
import { createContainer, imageMountNames } from './create.ts';
import { createExec, findExec, inspectExec, resizeExec, startExec } from './exec.ts';
import { watchExits } from './exit.ts';
import { find, requireRun } from './find.ts';
import { haltContainers } from './halt.ts';
import { inspectContainer } from './inspect.ts';
import { clearUnmade, endRemovals } from './interrupted.ts';
import { listContainers } from './list.ts';
import { containerLogs, rotateLogs } from './logs.ts';
import type { ContainerRecord, RunState } from './record.ts';
import { removeContainer } from './remove.ts';
import { removeLocked } from './remove-locked.ts';
import { loadContainers, resumeContainers } from './restore.ts';
import { containerSizes, containerUsage } from './size.ts';
import { ulimitWarnings } from './rlimits.ts';
import { startContainer } from './start.ts';
import { containerStats, containerTop } from './stats.ts';
import { killContainer, pauseContainer, restartContainer, stopContainer, unpauseContainer } from './stop.ts';
import { renameContainer, updateContainer } from './update.ts';
import { type ContainerUsage, containersUsage } from './usage.ts';
import { waitFor } from './wait.ts';

export interface ContainerRoomOptions {
  settings: Settings;
  log: Logger;
  snapshots: Snapshots;
  images: ImageStore;
  networking: Networking;
  volumes: Volumes;
  devices: CdiDevices;
  volumePath: (name: string) => string;
  runtime: (name: string) => Runtime;
  emit: Context['emit'];
  onProbe: Context['onProbe'];
}

/** The API's container verbs, and what the engine needs to know for rules over two nouns. */
export interface ContainerRoom extends AsyncDisposable {
  containers: Containers;
  execs: Execs;
  connect(networkRef: string, containerRef: string, endpoint: EndpointConfig): Promise<void>;
  disconnect(networkRef: string, containerRef: string, force: boolean): Promise<void>;
  imageUses(imageId: string): ImageUse[];
  volumeUses(name: string): string[];
  counts(): { total: number; running: number; paused: number; stopped: number };
  /** What each uses now; cheap enough to be asked every few seconds. */
  usage(): Promise<ContainerUsage[]>;
  /** What is wrong with containers, their files and what the run root has of them. */
  check(): AsyncIterable<Problem>;
  /** Names of running containers whose file system has the layer. */
  runningOn(chainId: string): string[];
  /** Containers that ran when the daemon came up, with the pid of their first process. */
  running(): ReadonlyMap<string, number>;
  /** Adopts running containers and starts those that should run; call once, after networks and volumes are restored. */
  resume(): Promise<void>;
  /** The machine goes down: starts nothing any more and stops what runs, within about so many seconds. */
  halt(seconds: number): Promise<void>;
}

/** Loads the records; containers that run are known at once, their adoption is `resume`. */
export async function openContainers(options: ContainerRoomOptions): Promise<ContainerRoom> {
  const { settings, log } = options;
  const pending = new Set<Promise<unknown>>();
  let closing = false;
  const broken = (path: string): void => log.error('a container record cannot be read and was set aside', { path });
  const context: Context = {
    ...options,
    records: await Records.open<ContainerRecord>(`${settings.dataRoot}/records`, broken),
    runs: await Records.open<RunState>(`${settings.runRoot}/runs`),
    live: new Map(),
    creating: new Map(),
    deleting: new Set(),
    names: new Map(),
    lock: new KeyedMutex(),
    execs: new Map(),
    bootId: bootId(),
    closing: () => closing,
    background: (task) => {
      const watched = task
        .catch((error: unknown) => log.error('background work failed', { error: messageOf(error) }))
        .finally(() => pending.delete(watched));
      pending.add(watched);
    },
    settled: async () => {
      await Promise.all(pending);
    },
    restartUnhealthy: (live) => {
      context.background(
        context.lock.run(live.record.id, async () => {
          if (live.run !== undefined) await restartContainer(context, live, {});
        }),
      );
    },
  };
  await endRemovals(context);
  const alive = loadContainers(context);
  await clearUnmade(context);
  const locked = <T>(ref: string, task: (live: Live) => Promise<T>): Promise<T> => {
    const live = find(context, ref);
    return context.lock.run(live.record.id, () => {
      if (context.live.get(live.record.id) !== live) throw new Fault('not-found', `No such container: ${ref}`);
      return task(live);
    });
  };

  const containers: Containers = {
    list: (query) => listContainers(context, query),
    create: async (request: {
      name: string | undefined;
      platform: string | undefined;
      body: ContainerCreateBody;
      apiVersion: string;
    }) => {
      const created = await createContainer(context, request);
      return {
        Id: created.Id,
        Warnings: [...created.Warnings, ...ulimitWarnings(request.body.HostConfig?.Ulimits ?? [])],
      };
    },
    inspect: async (ref, { size }) => {
      const live = find(context, ref);
      const shown = inspectContainer(context, live);
      return size ? { ...shown, ...(await containerSizes(context, live)) } : shown;
    },
    start: (ref) => locked(ref, (live) => startOrRemove(context, live)),
    stop: (ref, request) => locked(ref, (live) => stopContainer(context, live, request)),
    restart: (ref, request) => locked(ref, (live) => restartContainer(context, live, request)),
    kill: (ref, signal) => killContainer(context, find(context, ref), signal),
    pause: (ref) => locked(ref, (live) => pauseContainer(context, live)),
    unpause: (ref) => locked(ref, (live) => unpauseContainer(context, live)),
    rename: (ref, name) => locked(ref, (live) => renameContainer(context, live, name)),
    update: (ref, body) => locked(ref, (live) => updateContainer(context, live, body)),
    remove: async (ref, { volumes, force, link }) => {
      if (link)
        throw new Fault(
          'invalid',
          'removing links is not supported: connect containers by a user-defined network instead',
        );
      await removeContainer(context, find(context, ref), { volumes, force });
    },
    prune: (filters) => pruneContainers(context, filters),
    // eslint-disable-next-line typescript/require-await -- the door is asynchronous
    wait: async (ref, condition, signal) => waitFor(context, find(context, ref), condition, signal),
    attach: async (ref, request) => {
      const live = find(context, ref);
      await live.ending;
      return attachContainer(context, live, request);
    },
    resize: async (ref, size) => {
      const live = find(context, ref);
      requireRun(live);
      await resizeTerminal(bundleDirectory(context, live.record.id), size);
    },
    logs: async (ref, request, signal) => containerLogs(context, find(context, ref), request, signal),
    stats: async (ref, request, signal) => containerStats(context, find(context, ref), request, signal),
    top: async (ref, psArgs) => containerTop(context, find(context, ref), psArgs),
    changes: (ref) => context.snapshots.changes(find(context, ref).record.id),
    export: async (ref, signal) => exportContainer(context, find(context, ref), signal),
    statPath: async (ref, path) => statInContainer(context, ref, path),
    getArchive: async (ref, path, signal) => readFromContainer(context, ref, path, signal),
    putArchive: async (ref, path, tar, request) => writeToContainer(context, ref, path, tar, request),
    commit: (request) => locked(request.ref, (live) => commitContainer(context, live, request)),
  };
  const execs: Execs = {
    create: async (ref, body) => ({ Id: createExec(context, find(context, ref), body).id }),
    start: async (id, request) => ({ session: await startExec(context, findExec(context, id), request) }),
    resize: async (id, size) => resizeExec(findExec(context, id), size),
    inspect: async (id) => inspectExec(findExec(context, id)),
    tty: async (id) => findExec(context, id).body.Tty ?? false,
  };
  const loans = new DisposableStack();
  loans.use(watchExits(context));
  loans.use(rotateLogs(context));
  return {
    containers,
    execs,
    connect: (network, ref, endpoint) => locked(ref, (live) => connectNetwork(context, live, network, endpoint)),
    disconnect: (network, ref, force) => locked(ref, (live) => disconnectNetwork(context, live, network, force)),
    imageUses: (imageId) =>
      [...[...context.live.values()].map(({ record }) => record), ...context.creating.values()]
        .filter(
          (record) =>
            record.image === imageId ||
            record.mounts.some((mount) => mount.type === 'image' && mount.source === imageId),
        )
        .map(({ id }) => ({ containerId: id, running: context.live.get(id)?.run !== undefined }))
        .sort((a, b) => Number(b.running) - Number(a.running)),
    volumeUses: (name) =>
      [...context.live.values()]
        .filter(({ record }) => record.mounts.some((mount) => mount.type === 'volume' && mount.source === name))
        .map(({ record }) => record.id),
    counts: () => {
      const all = [...context.live.values()];
      const paused = all.filter((live) => live.run?.paused).length;
      const running = all.filter((live) => live.run !== undefined || live.restart !== undefined).length;
      return { total: all.length, running: running - paused, paused, stopped: all.length - running };
    },
    usage: () => containersUsage(context),
    check: () => checkContainers(context),
    runningOn: (chainId) =>
      [...context.live.values()]
        .filter((live) => live.run !== undefined || live.starting !== undefined)
        .map(({ record }) => record)
        .filter((record) =>
          [record.id, ...imageMountNames(record)].some((id) => context.snapshots.standsOn(id, chainId)),
        )
        .map((record) => record.name),
    running: () => alive,
    resume: () => resumeContainers(context),
    halt: (seconds) => {
      closing = true;
      return haltContainers(context, seconds);
    },
    [Symbol.asyncDispose]: async () => {
      closing = true;
      loans.dispose();
      for (const live of context.live.values()) {
        live.stopHealth?.();
        if (live.restart !== undefined) clearTimeout(live.restart.timer);
      }
      await Promise.race([context.settled(), new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
    },
  };
}

/** A --rm container that does not start is removed at once, as Docker does. */
async function startOrRemove(context: Context, live: Live): Promise<void> {
  try {
    await startContainer(context, live, { automatic: false });
  } catch (error) {
    const kind = faultKind(error);
    if (live.record.hostConfig.AutoRemove && live.run === undefined && kind !== 'conflict' && kind !== 'not-modified') {
      await removeLocked(context, live, { volumes: true });
    }
    throw error;
  }
}

/** Stopped containers older than `until` with the labels asked for. */
async function pruneContainers(context: Context, filters: Filters): Promise<PruneReport> {
  acceptFilters(filters, ['until', 'label', 'label!']);
  const limit = untilLimit(filters);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const live of context.live.values()) {
    const { record } = live;
    if (live.run !== undefined || live.restart !== undefined || live.removing || live.starting !== undefined) continue;
    if (limit !== undefined && BigInt(record.createdNanos) > limit) continue;
    if (!matchesLabels(filters, record.config.Labels)) continue;
    const size = await containerUsage(context, record);
    try {
      await removeContainer(context, live, { volumes: false, force: false });
    } catch (error) {
      context.log.warn('cannot prune a container', { container: record.id, error: messageOf(error) });
      continue;
    }
    deleted.push(record.id);
    reclaimed += size;
  }
  context.emit({ Type: 'container', Action: 'prune', Actor: { ID: '', Attributes: { reclaimed: String(reclaimed) } } });
  return { deleted, reclaimed };
}

/** `until`: a time, or a duration before now. @throws Fault invalid */
export function untilLimit(filters: Filters): bigint | undefined {
  const values = filters.get('until');
  if (values === undefined || values.size === 0) return undefined;
  if (values.size > 1) throw new Fault('invalid', 'more than one until filter specified');
  const [text = ''] = values;
  const duration = parseGoDuration(text);
  if (duration !== undefined && !/^\d+$/.test(text)) return nowNanos() - BigInt(duration);
  const time = parseApiTime(text);
  if (time === undefined) throw new Fault('invalid', `invalid filter 'until=${text}'`);
  return time;
}
