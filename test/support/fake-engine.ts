/** A small engine in memory, enough for stock clients to talk to the server: containers run FakeProcess commands. */
import type {
  ContainerInspect,
  ContainerStats,
  ContainerSummary,
  EndpointSettings,
  Engine,
  EventMessage,
  ExecInspect,
  Filters,
  ImageDifference,
  ImageInspect,
  ImageManifestSummary,
  NetworkInspect,
  PathStat,
  SpaceReport,
  StdioFrame,
  VerifyMessage,
  Volume,
} from '../../src/api/index.ts';
import { matchesExact, matchesLabels, matchesPattern } from '../../src/api/index.ts';
import { Fault, formatNanos, gauge, nowNanos, randomId, zeroTime } from '../../src/std/index.ts';
import { FakeProcess } from './fake-process.ts';
import { PlayedBuilds } from './played-builds.ts';
import { tarOf } from './tar.ts';

interface FakeContainer {
  info: ContainerInspect;
  process: FakeProcess;
  files: Map<string, Buffer>;
  exit: PromiseWithResolvers<number>;
  removed: PromiseWithResolvers<number>;
}

export interface FakeEngine extends Engine {
  /** Calls by method, in order: what the server asked for. */
  readonly calls: { method: string; args: unknown[] }[];
  readonly containersById: Map<string, FakeContainer>;
  readonly builds: PlayedBuilds;
  emit(event: Omit<EventMessage, 'scope' | 'timeNano'> & { timeNano?: bigint }): void;
  /** Subscriptions, waiters and other things that must be gone when clients are. */
  readonly open: { events: number; waits: number; logs: number; pulls: number };
}

const imageId = `sha256:${'f7c8a1cc'.repeat(8)}`;

export function createFakeEngine(): FakeEngine {
  const containersById = new Map<string, FakeContainer>();
  const execs = new Map<string, { info: ExecInspect; process: FakeProcess }>();
  const networks = new Map<string, NetworkInspect>();
  const volumes = new Map<string, Volume>();
  const calls: { method: string; args: unknown[] }[] = [];
  const past: EventMessage[] = [];
  const listeners = new Set<(event: EventMessage) => void>();
  const open = { events: 0, waits: 0, logs: 0, pulls: 0 };

  const emit: FakeEngine['emit'] = (event) => {
    const message: EventMessage = { scope: 'local', timeNano: nowNanos(), ...event };
    past.push(message);
    for (const listener of listeners) listener(message);
  };
  const emitFor = (action: string, container: FakeContainer, extra: Record<string, string> = {}): void =>
    emit({
      Type: 'container',
      Action: action,
      Actor: {
        ID: container.info.Id,
        Attributes: {
          ...container.info.Config.Labels,
          image: container.info.Config.Image ?? '',
          name: container.info.Name.slice(1),
          ...extra,
        },
      },
    });

  const find = (ref: string): FakeContainer => {
    const name = ref.startsWith('/') ? ref : `/${ref}`;
    const all = [...containersById.values()];
    const found =
      containersById.get(ref) ??
      all.find((each) => each.info.Name === name) ??
      all.find((each) => ref.length > 3 && each.info.Id.startsWith(ref));
    if (found === undefined) throw new Fault('not-found', `No such container: ${ref}`);
    return found;
  };
  const running = (ref: string): FakeContainer => {
    const container = find(ref);
    if (!container.info.State.Running) throw new Fault('conflict', `Container ${container.info.Id} is not running`);
    return container;
  };
  const finish = async (container: FakeContainer, code: number): Promise<void> => {
    container.info.State = {
      ...container.info.State,
      Status: 'exited',
      Running: false,
      Pid: 0,
      ExitCode: code,
      FinishedAt: formatNanos(nowNanos()),
    };
    container.exit.resolve(code);
    container.exit = Promise.withResolvers();
    emitFor('die', container, { exitCode: String(code) });
    if (container.info.HostConfig.AutoRemove) removeNow(container, code);
  };
  const removeNow = (container: FakeContainer, code: number): void => {
    containersById.delete(container.info.Id);
    container.removed.resolve(code);
    emitFor('destroy', container);
  };
  const network = (ref: string): NetworkInspect => {
    const found = networks.get(ref) ?? [...networks.values()].find((each) => each.Name === ref);
    if (found === undefined) throw new Fault('not-found', `network ${ref} not found`);
    return found;
  };
  const volume = (name: string): Volume => {
    const found = volumes.get(name);
    if (found === undefined) throw new Fault('not-found', `get ${name}: no such volume`);
    return found;
  };
  const isKnown = (ref: string): boolean =>
    /^(.*\/)?(library\/)?busybox(:latest)?$/.test(ref) || imageId.startsWith(ref);
  const image = (ref: string): ImageInspect => {
    if (!isKnown(ref)) throw new Fault('not-found', `No such image: ${ref}`);
    return fakeImage();
  };

  const builds = new PlayedBuilds();
  const engine: FakeEngine = {
    builds,
    baseImages: {
      list: async () => [
        {
          name: 'debian:bookworm-slim',
          names: ['debian:bookworm-slim', 'debian:12-slim'],
          base: undefined,
          here: imageId,
          made: undefined,
        },
      ],
      make: async (names) => {
        if (names.includes('nothing')) throw new Fault('not-found', 'Cannot make nothing');
        return (async function* () {
          for (const name of names) yield { id: name, status: 'Made in 1.0s', progressDetail: {} };
        })();
      },
    },
    calls,
    containersById,
    emit,
    open,
    containers: {
      list: async ({ all, limit, filters }) => {
        const wanted = [...containersById.values()]
          .filter((each) => all || each.info.State.Running)
          .filter((each) => matchesLabels(filters, each.info.Config.Labels))
          .filter((each) => matchesPattern(filters, 'name', [each.info.Name, each.info.Name.slice(1)]))
          .filter((each) => matchesExact(filters, 'status', each.info.State.Status))
          .reverse();
        return (limit > 0 ? wanted.slice(0, limit) : wanted).map(({ info }) => summary(info));
      },
      create: async ({ name, body }) => {
        if (!isKnown(body.Image ?? '')) throw new Fault('not-found', `No such image: ${body.Image}`);
        const taken = [...containersById.values()].find((each) => name !== undefined && each.info.Name === `/${name}`);
        if (taken !== undefined) {
          throw new Fault(
            'conflict',
            `Conflict. The container name "/${name}" is already in use by container "${taken.info.Id}". You have to remove (or rename) that container to be able to reuse that name.`,
          );
        }
        const id = randomId();
        const info = fakeInspect(id, name ?? `nice_${id.slice(0, 6)}`, body);
        const container: FakeContainer = {
          info,
          process: new FakeProcess([...(body.Entrypoint ?? []), ...(body.Cmd ?? [])], body.Tty ?? false),
          files: new Map([['/etc/passwd', Buffer.from('root:x:0:0::/root:/bin/sh\n')]]),
          exit: Promise.withResolvers(),
          removed: Promise.withResolvers(),
        };
        containersById.set(id, container);
        emitFor('create', container);
        return { Id: id, Warnings: [] };
      },
      inspect: async (ref) => find(ref).info,
      start: async (ref) => {
        const container = find(ref);
        if (container.info.State.Running) throw new Fault('not-modified', '');
        if (container.info.Path === 'nosuch') {
          if (container.info.HostConfig.AutoRemove) removeNow(container, 127);
          throw new Fault(
            'invalid',
            'failed to create task for container: exec: "nosuch": executable file not found in $PATH: unknown',
          );
        }
        container.info.State = {
          ...container.info.State,
          Status: 'running',
          Running: true,
          Pid: 4242,
          StartedAt: formatNanos(nowNanos()),
        };
        emitFor('start', container);
        container.process.start();
        void container.process.exited.then((code) => finish(container, code));
      },
      stop: async (ref) => {
        const container = find(ref);
        if (!container.info.State.Running) throw new Fault('not-modified', '');
        container.process.end(143);
      },
      restart: async (ref) => emitFor('restart', find(ref)),
      kill: async (ref, signal) => {
        if (signal === 'FOO') throw new Fault('invalid', `cannot kill container: ${ref}: invalid signal: FOO`);
        const container = find(ref);
        if (!container.info.State.Running) {
          throw new Fault('conflict', `cannot kill container: ${ref}: container ${container.info.Id} is not running`);
        }
        container.process.end(137);
      },
      pause: async (ref) => {
        running(ref).info.State.Paused = true;
      },
      unpause: async (ref) => {
        running(ref).info.State.Paused = false;
      },
      rename: async (ref, name) => {
        find(ref).info.Name = `/${name}`;
      },
      update: async (ref) => {
        find(ref);
        return { Warnings: null };
      },
      remove: async (ref, { force }) => {
        const container = find(ref);
        if (container.info.State.Running && !force) {
          throw new Fault(
            'conflict',
            `cannot remove container "${container.info.Name}": container is running: stop the container before removing or force remove`,
          );
        }
        container.process.end(137);
        removeNow(container, container.info.State.ExitCode);
      },
      prune: async () => ({ deleted: [], reclaimed: 0 }),
      wait: async (ref, condition, signal) => {
        const container = find(ref);
        const left = Promise.withResolvers<never>();
        left.promise.catch(() => {});
        open.waits++;
        signal.addEventListener('abort', () => left.reject(signal.reason as Error), { once: true });
        const met =
          condition === 'removed'
            ? container.removed.promise
            : condition === 'not-running' && !container.info.State.Running
              ? Promise.resolve(container.info.State.ExitCode)
              : container.exit.promise;
        const result = Promise.race([met, left.promise])
          .then((StatusCode) => ({ StatusCode, Error: null }))
          .finally(() => open.waits--);
        result.catch(() => {});
        return { result };
      },
      attach: async (ref) => find(ref).process.attach(),
      resize: async (ref) => {
        running(ref);
      },
      logs: async (ref, options, signal) => {
        const container = find(ref);
        return {
          tty: container.info.Config.Tty ?? false,
          frames: fakeLogs(container.process, options.follow && container.info.State.Running, signal, open),
        };
      },
      stats: async (ref, { stream }, signal) => fakeStats(find(ref).info, stream, signal),
      top: async (ref) => {
        running(ref);
        return { Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'], Processes: [] };
      },
      changes: async (ref) => {
        find(ref);
        return [];
      },
      export: async (ref) => {
        find(ref);
        return chunks(tarOf('.dockerenv', Buffer.alloc(0)));
      },
      statPath: async (ref, path) => statOf(find(ref), ref, path),
      getArchive: async (ref, path) => {
        const container = find(ref);
        const stat = statOf(container, ref, path);
        return { stat, tar: chunks(tarOf(stat.name, container.files.get(path) ?? Buffer.alloc(0))) };
      },
      putArchive: async (ref, path, tar) => {
        const container = find(ref);
        const parts: Uint8Array[] = [];
        for await (const chunk of tar) parts.push(chunk);
        container.files.set(`${path}:tar`, Buffer.concat(parts));
      },
      commit: async ({ ref }) => {
        find(ref);
        return { Id: imageId };
      },
    },
    execs: {
      create: async (ref, body) => {
        const container = running(ref);
        const [entrypoint = '', ...rest] = body.Cmd ?? [];
        const id = randomId();
        execs.set(id, {
          process: new FakeProcess(body.Cmd ?? [], body.Tty ?? false),
          info: {
            ID: id,
            Running: false,
            ExitCode: null,
            ProcessConfig: { tty: body.Tty ?? false, entrypoint, arguments: rest, privileged: false },
            OpenStdin: body.AttachStdin ?? false,
            OpenStderr: body.AttachStderr ?? false,
            OpenStdout: body.AttachStdout ?? false,
            CanRemove: false,
            ContainerID: container.info.Id,
            DetachKeys: '',
            Pid: 0,
          },
        });
        return { Id: id };
      },
      start: async (id, { detach }) => {
        const exec = execs.get(id);
        if (exec === undefined) throw new Fault('not-found', `No such exec instance: ${id}`);
        const session = detach ? undefined : exec.process.attach();
        exec.info.Running = true;
        exec.process.start();
        void exec.process.exited.then((code) => {
          exec.info.Running = false;
          exec.info.ExitCode = code;
        });
        return { session };
      },
      resize: async (id) => {
        if (!execs.has(id)) throw new Fault('not-found', `No such exec instance: ${id}`);
      },
      inspect: async (id) => {
        const exec = execs.get(id);
        if (exec === undefined) throw new Fault('not-found', `No such exec instance: ${id}`);
        return exec.info;
      },
      tty: async (id) => execs.get(id)?.info.ProcessConfig.tty ?? false,
    },
    images: {
      list: async ({ manifests }) => [
        {
          Id: imageId,
          ParentId: '',
          RepoTags: manifests ? ['busybox:latest', 'other:name'] : ['busybox:latest'],
          RepoDigests: [],
          Created: 1795462655,
          Size: 1984162,
          SharedSize: -1,
          Labels: null,
          Containers: 3,
          ...(manifests ? { Manifests: [platform('amd64', 'a'), platform('arm64', 'b', 'v8')] } : {}),
        },
        {
          Id: `sha256:${'0'.repeat(64)}`,
          ParentId: '',
          RepoTags: [],
          RepoDigests: [],
          Created: 1795462600,
          Size: 1,
          SharedSize: -1,
          Labels: null,
          Containers: 0,
        },
      ],
      inspect: async (ref) => image(ref),
      history: async (ref) => {
        image(ref);
        return [
          { Id: imageId, Created: 1795463358, CreatedBy: 'CMD ["sh"]', Tags: ['busybox:latest'], Size: 0, Comment: '' },
        ];
      },
      diff: async (from, to) => {
        image(from);
        if (from === to) return chunks<ImageDifference>(compared(from, to), summaryOf(0));
        return chunks<ImageDifference>(compared(from, to), ...fakeDifferences, summaryOf(1));
      },
      layers: async (ref) => {
        image(ref);
        return [
          {
            Digest: `sha256:${'1'.repeat(64)}`,
            DiffId: `sha256:${'2'.repeat(64)}`,
            MediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
            Size: 1984162,
            StoredSize: 1000000,
            Created: '2026-11-23T19:20:36.100399448Z',
            CreatedBy: 'COPY busybox /bin/ # and a very long explanation of what this step is good for',
            From: { Id: imageId, Name: 'busybox:latest' },
            Repositories: ['docker.io/library/busybox'],
            Origin: 'registry',
            SharedWith: ['app:1', 'app:2'],
          },
        ];
      },
      pull: async ({ image: ref }, signal) => {
        if (ref === 'slow') return slowProgress(signal, open);
        if (!isKnown(ref)) throw new Fault('not-found', `manifest for ${ref} not found: manifest unknown`);
        return chunks(
          { status: 'Pulling from library/busybox', id: 'latest' },
          { status: 'Status: Image is up to date for busybox:latest' },
        );
      },
      push: async ({ image: ref }) => failing(ref),
      import: async ({ body }) => {
        for await (const chunk of body) void chunk;
        return chunks({ status: imageId });
      },
      load: async (body) => {
        for await (const chunk of body) void chunk;
        return chunks({ stream: 'Loaded image: busybox:latest\n' });
      },
      save: async () => {
        const archive = tarOf('manifest.json', Buffer.from('[]'));
        return { size: archive.length, tar: chunks(archive) };
      },
      tag: async (ref) => {
        image(ref);
      },
      remove: async (ref) => {
        image(ref);
        return [{ Untagged: 'busybox:latest' }, { Deleted: imageId }];
      },
      prune: async () => ({ deleted: [], reclaimed: 0 }),
      search: async () => [],
      distribution: async (ref) => {
        image(ref);
        return {
          Descriptor: { mediaType: 'application/vnd.oci.image.index.v1+json', digest: imageId, size: 1 },
          Platforms: [],
        };
      },
    },
    networks: {
      list: async (filters) =>
        [...networks.values()].filter(
          (each) => matchesLabels(filters, each.Labels) && matchesPattern(filters, 'name', [each.Name]),
        ),
      inspect: async (ref) => network(ref),
      create: async (body) => {
        if ([...networks.values()].some((each) => each.Name === body.Name)) {
          throw new Fault('conflict', `network with name ${body.Name} already exists`);
        }
        const created = fakeNetwork(body.Name, body.Labels ?? {});
        networks.set(created.Id, created);
        return { Id: created.Id, Warning: '' };
      },
      connect: async (ref, containerRef) => {
        network(ref).Containers[find(containerRef).info.Id] = {
          Name: find(containerRef).info.Name.slice(1),
          EndpointID: randomId(),
          MacAddress: '',
          IPv4Address: '',
          IPv6Address: '',
        };
      },
      disconnect: async (ref, containerRef) => {
        delete network(ref).Containers[find(containerRef).info.Id];
      },
      remove: async (ref) => {
        const found = network(ref);
        if (Object.keys(found.Containers).length > 0) {
          throw new Fault(
            'forbidden',
            `error while removing network: network ${ref} id ${found.Id} has active endpoints`,
          );
        }
        networks.delete(found.Id);
      },
      prune: async () => ({ deleted: [], reclaimed: 0 }),
    },
    volumes: {
      list: async (filters) => ({
        Volumes: [...volumes.values()].filter((each) => matchesLabels(filters, each.Labels)),
        Warnings: null,
      }),
      inspect: async (name) => volume(name),
      create: async (body) => {
        const name = body.Name || randomId();
        const existing = volumes.get(name);
        if (existing !== undefined) return existing;
        const created = fakeVolume(name, body.Labels ?? null);
        volumes.set(name, created);
        return created;
      },
      remove: async (name) => {
        volume(name);
        volumes.delete(name);
      },
      trash: async () => [],
      restore: async (name) => volume(name),
      rename: async (name, to) => {
        const renamed = { ...volume(name), Name: to };
        volumes.delete(name);
        volumes.set(to, renamed);
        return renamed;
      },
      prune: async () => ({ deleted: [], reclaimed: 0 }),
    },
    system: {
      expect: () => {},
      version: async () => ({
        Platform: { Name: 'Wherry' },
        Components: [{ Name: 'Engine', Version: '28.5.2', Details: { ApiVersion: '1.51' } }],
        Version: '28.5.2',
        ApiVersion: '1.51',
        MinAPIVersion: '1.24',
        GitCommit: 'fake',
        GoVersion: 'none',
        Os: 'linux',
        Arch: 'amd64',
        KernelVersion: '6.18',
        BuildTime: '2026-01-01T00:00:00.000000000+00:00',
      }),
      info: async () => ({
        ID: 'fake',
        Containers: containersById.size,
        Name: 'fake',
        ServerVersion: '28.5.2',
      }),
      diskUsage: async () => ({
        LayersSize: 0,
        Images: [],
        Containers: [...containersById.values()].map(({ info }) => summary(info)),
        Volumes: [...volumes.values()].map((each): Volume => ({ ...each, UsageData: { Size: 0, RefCount: 0 } })),
        BuildCache: (await builds.cache()).map((record) => ({
          ID: record.id,
          Parents: [...record.parents],
          Type: record.type,
          Description: record.description,
          InUse: record.inUse,
          Shared: record.shared,
          Size: record.size,
          CreatedAt: record.createdAt,
          LastUsedAt: record.lastUsedAt ?? null,
          UsageCount: record.usageCount,
        })),
        BuilderSize: 0,
      }),
      events: async ({ since, until, filters }, signal) =>
        fakeEvents(past, listeners, { since, until, filters }, signal, open),
      login: async () => ({ Status: 'Login Succeeded', IdentityToken: '' }),
      space: async () => fakeSpace(),
      verify: async (options) => {
        calls.push({ method: 'system.verify', args: [options] });
        return fakeVerification(options.repair);
      },
      metrics: async () => [gauge('wherry_images', 'Images of the engine', 2)],
    },
  };
  networks.set('bridge-id', fakeNetwork('bridge', {}));
  for (const noun of ['containers', 'execs', 'images', 'networks', 'volumes', 'system'] as const) {
    recordCalls(noun, engine[noun] as unknown as Record<string, (...args: unknown[]) => unknown>, calls);
  }
  return engine;
}

function recordCalls(
  noun: string,
  methods: Record<string, (...args: unknown[]) => unknown>,
  calls: { method: string; args: unknown[] }[],
): void {
  for (const [name, method] of Object.entries(methods)) {
    methods[name] = (...args) => {
      calls.push({ method: `${noun}.${name}`, args });
      return method(...args);
    };
  }
}

async function* chunks<T>(...items: T[]): AsyncGenerator<T> {
  yield* items;
}

async function* failing(ref: string): AsyncGenerator<{ status: string }> {
  yield { status: `The push refers to repository [${ref}]` };
  throw new Fault('not-found', `An image does not exist locally with the tag: ${ref}`);
}

async function* slowProgress(signal: AbortSignal, open: FakeEngine['open']): AsyncGenerator<{ status: string }> {
  open.pulls++;
  try {
    yield { status: 'Pulling from library/slow' };
    await aborted(signal);
  } finally {
    open.pulls--;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

async function* fakeLogs(
  process: FakeProcess,
  follow: boolean,
  signal: AbortSignal,
  open: FakeEngine['open'],
): AsyncGenerator<StdioFrame> {
  open.logs++;
  const session = follow ? process.attach() : undefined;
  signal.addEventListener('abort', () => session?.detach(), { once: true });
  try {
    yield* process.log.slice();
    if (session !== undefined) yield* session.output;
  } finally {
    session?.detach();
    open.logs--;
  }
}

async function* fakeEvents(
  past: readonly EventMessage[],
  listeners: Set<(event: EventMessage) => void>,
  options: { since?: bigint | undefined; until?: bigint | undefined; filters: Filters },
  signal: AbortSignal,
  open: FakeEngine['open'],
): AsyncGenerator<EventMessage> {
  const { since, until, filters } = options;
  const queue = since === undefined ? [] : past.filter((event) => event.timeNano >= since);
  let wake = (): void => {};
  const listener = (event: EventMessage): void => {
    queue.push(event);
    wake();
  };
  listeners.add(listener);
  open.events++;
  let over = signal.aborted;
  const stop = (): void => {
    over = true;
    wake();
  };
  signal.addEventListener('abort', stop, { once: true });
  const timer =
    until === undefined ? undefined : setTimeout(stop, Math.max(0, Number((until - nowNanos()) / 1_000_000n)));
  try {
    for (;;) {
      const event = queue.shift();
      if (event !== undefined) {
        const wanted =
          matchesLabels(filters, event.Actor.Attributes) &&
          matchesExact(filters, 'type', event.Type) &&
          matchesExact(filters, 'event', event.Action);
        if (wanted && (until === undefined || event.timeNano <= until)) yield event;
      } else if (over) return;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    clearTimeout(timer);
    listeners.delete(listener);
    open.events--;
  }
}

async function* fakeStats(
  info: ContainerInspect,
  stream: boolean,
  signal: AbortSignal,
): AsyncGenerator<ContainerStats> {
  const cpu = {
    cpu_usage: { total_usage: 1, usage_in_kernelmode: 0, usage_in_usermode: 1 },
    system_cpu_usage: 2,
    online_cpus: 2,
    throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
  };
  const sample: ContainerStats = {
    name: info.Name,
    id: info.Id,
    read: formatNanos(nowNanos()),
    preread: zeroTime,
    pids_stats: { current: 1, limit: 2 ** 64 },
    blkio_stats: {
      io_service_bytes_recursive: null,
      io_serviced_recursive: null,
      io_queue_recursive: null,
      io_service_time_recursive: null,
      io_wait_time_recursive: null,
      io_merged_recursive: null,
      io_time_recursive: null,
      sectors_recursive: null,
    },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpu,
    precpu_stats: cpu,
    memory_stats: { usage: 1000, limit: 2000, stats: {} },
  };
  yield sample;
  if (!stream) return;
  while (!signal.aborted) {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 50)), aborted(signal)]);
    yield sample;
  }
}

function statOf(container: FakeContainer, ref: string, path: string): PathStat {
  const file = container.files.get(path);
  const directory = path === '/' || path === '/root' || path === '/root/';
  if (file === undefined && !directory) {
    throw new Fault('not-found', `Could not find the file ${path} in container ${ref}`);
  }
  return {
    name: path === '/' ? '/' : path.split('/').filter(Boolean).at(-1)!,
    size: file?.length ?? 4096,
    mode: directory ? 2147484141 : 0o644,
    mtime: '2026-11-23T19:38:09Z',
    linkTarget: '',
  };
}

function fakeInspect(
  id: string,
  name: string,
  body: Parameters<Engine['containers']['create']>[0]['body'],
): ContainerInspect {
  const command = [...(body.Entrypoint ?? []), ...(body.Cmd ?? [])];
  const { HostConfig, NetworkingConfig: _, ...config } = body;
  return {
    Id: id,
    Created: formatNanos(nowNanos()),
    Path: command[0] ?? '',
    Args: command.slice(1),
    State: {
      Status: 'created',
      Running: false,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 0,
      ExitCode: 0,
      Error: '',
      StartedAt: zeroTime,
      FinishedAt: zeroTime,
    },
    Image: imageId,
    ResolvConfPath: '',
    HostnamePath: '',
    HostsPath: '',
    LogPath: '',
    Name: `/${name}`,
    RestartCount: 0,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: null,
    HostConfig: { NetworkMode: 'bridge', ...HostConfig },
    GraphDriver: { Data: null, Name: 'overlay2' },
    Mounts: [],
    Config: { Hostname: id.slice(0, 12), Labels: {}, ...config },
    NetworkSettings: {
      Bridge: '',
      SandboxID: '',
      SandboxKey: '',
      Ports: {},
      HairpinMode: false,
      LinkLocalIPv6Address: '',
      LinkLocalIPv6PrefixLen: 0,
      SecondaryIPAddresses: null,
      SecondaryIPv6Addresses: null,
      EndpointID: '',
      Gateway: '',
      GlobalIPv6Address: '',
      GlobalIPv6PrefixLen: 0,
      IPAddress: '',
      IPPrefixLen: 0,
      IPv6Gateway: '',
      MacAddress: '',
      Networks: { bridge: fakeEndpoint(), own: fakeEndpoint() },
    },
  };
}

function fakeEndpoint(): EndpointSettings {
  return {
    NetworkID: '',
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
    Aliases: null,
  };
}

function summary(info: ContainerInspect): ContainerSummary {
  return {
    Id: info.Id,
    Names: [info.Name],
    Image: info.Config.Image ?? '',
    ImageID: info.Image,
    Command: [info.Path, ...info.Args].join(' '),
    Created: Math.trunc(Date.parse(info.Created) / 1000),
    Ports: [],
    Labels: info.Config.Labels ?? {},
    State: info.State.Status,
    Status: info.State.Running ? 'Up 1 second' : 'Exited (0) 1 second ago',
    HostConfig: { NetworkMode: info.HostConfig.NetworkMode ?? '', Annotations: {} },
    NetworkSettings: { Networks: {} },
    Mounts: [],
  };
}

function fakeImage(): ImageInspect {
  return {
    Id: imageId,
    RepoTags: ['busybox:latest'],
    RepoDigests: [],
    Parent: '',
    Comment: '',
    Created: '2026-11-23T19:20:36.100399448Z',
    DockerVersion: '',
    Author: '',
    Config: { Cmd: ['sh'], Labels: null },
    Architecture: 'amd64',
    Os: 'linux',
    Size: 1984162,
    GraphDriver: { Data: null, Name: 'overlay2' },
    RootFS: { Type: 'layers', Layers: [] },
    Metadata: { LastTagTime: zeroTime },
  };
}

function fakeSpace(): SpaceReport {
  const row = (Type: string, TotalCount: number, Active: number, Size: number, Reclaimable: number) => ({
    Type,
    TotalCount,
    Active,
    Size,
    Reclaimable,
  });
  return {
    Root: '/var/lib/fake',
    Rows: [
      row('Images', 2, 1, 3_000_000, 1_000_000),
      row('Containers', 1, 1, 20_000, 0),
      row('Local Volumes', 1, 0, 500_000, 500_000),
      row('Build Cache', 0, 0, 0, 0),
      row('Image Archives', 6, 3, 1_200_000, 400_000),
      row('Container Logs', 1, 1, 8192, 0),
      row('Volume Trash', 1, 0, 4096, 4096),
      row('Partial Downloads', 1, 0, 65_536, 65_536),
      row('Other', 0, 0, 90_000, 0),
    ],
    Total: 4_887_824,
    FileSystem: { Size: 10_000_000_000, Available: 2_500_000_000, Inodes: 1000, FreeInodes: 900 },
    Details: {
      Images: [
        {
          Id: imageId,
          Name: 'busybox:latest',
          Unpacked: 2_000_000,
          Unique: 2_000_000,
          Archives: 800_000,
          Containers: 1,
        },
      ],
      Containers: [{ Id: 'c'.repeat(64), Name: 'web', Image: 'busybox', State: 'running', Files: 20_000, Log: 8192 }],
      Volumes: [{ Name: 'data', Size: 500_000, Containers: 0 }],
      Trash: [{ Name: 'old', RemovedAt: '2026-11-23T19:38:09Z', Size: 4096 }],
      Downloads: [{ Digest: imageId, Size: 65_536, At: '2026-11-23T19:38:09Z', Whole: false }],
    },
  };
}

async function* fakeVerification(repair: boolean): AsyncGenerator<VerifyMessage> {
  yield { Progress: { Step: 'blobs', Done: 5, Total: 10 } };
  const common = { Kind: 'blob', Name: 'f7c8a1ccf7c8', Size: 42 } as const;
  yield {
    Finding: {
      ...common,
      Problem: 'damaged',
      Detail: 'its content is sha256:1234; it is the layer of image busybox:latest',
      Path: '/var/lib/fake/content/blobs/sha256/f7c8',
      Repaired: repair,
      Action: repair ? 'fetched again from docker.io/library/busybox' : 'mend it: wherry system verify --repair',
    },
  };
  yield { Note: 'layer 0123 was not compared: no space left on device' };
  yield {
    Summary: {
      Images: 1,
      Blobs: 3,
      BlobBytes: 2_000_000,
      Layers: 2,
      LayersCompared: 1,
      Containers: 1,
      Volumes: 1,
      Networks: 3,
      Problems: 1,
      Repaired: repair ? 1 : 0,
    },
  };
}

function compared(from: string, to: string): ImageDifference {
  const side = { Id: imageId, Size: 1984162, Layers: 2 };
  return { Kind: 'images', From: { ...side, Name: from }, To: { ...side, Name: to, Layers: 3 }, SharedLayers: 1 };
}

function summaryOf(times: number): ImageDifference {
  return {
    Kind: 'summary',
    Config: 3 * times,
    Packages: 2 * times,
    Added: 3 * times,
    Removed: times,
    Changed: 2 * times,
    AddedSize: 5000 * times,
    RemovedSize: 2000 * times,
  };
}

const state = { Mode: '0644', Uid: 0, Gid: 0 };
const fakeDifferences: readonly ImageDifference[] = [
  { Kind: 'config', Key: 'Cmd', From: '["sh"]', To: '["app"]' },
  { Kind: 'config', Key: 'Env.NEW', From: null, To: 'with \u001b[31mred' },
  { Kind: 'config', Key: 'Labels.old', From: '', To: null },
  { Kind: 'package', Manager: 'dpkg', Name: 'curl', From: '7.88', To: '8.0' },
  { Kind: 'package', Manager: 'dpkg', Name: 'nano', From: '7.2', To: null },
  { Kind: 'file', Path: '/app', Change: 'added', To: { ...state, Type: 'directory', Size: 0 } },
  { Kind: 'file', Path: '/app/a', Change: 'added', To: { ...state, Type: 'file', Size: 3000 } },
  { Kind: 'file', Path: '/app2', Change: 'added', To: { ...state, Type: 'symlink', Size: 0, Target: 'app' } },
  { Kind: 'file', Path: '/gone\n', Change: 'removed', From: { ...state, Type: 'file', Size: 2000 } },
  {
    Kind: 'file',
    Path: '/bin/tool',
    Change: 'changed',
    Fields: ['content', 'mode', 'owner'],
    From: { ...state, Type: 'file', Size: 10 },
    To: { Type: 'file', Mode: '4755', Uid: 1, Gid: 2, Size: 20 },
  },
  {
    Kind: 'file',
    Path: '/etc/conf',
    Change: 'changed',
    Fields: ['content'],
    From: { ...state, Type: 'file', Size: 10 },
    To: { ...state, Type: 'file', Size: 10 },
  },
];

function platform(architecture: string, digit: string, variant?: string): ImageManifestSummary {
  const here = variant === undefined;
  const digest = `sha256:${digit.repeat(64)}`;
  return {
    ID: digest,
    Descriptor: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, size: 500 },
    Available: here,
    Size: here ? { Content: 1000000, Total: 2984162 } : { Content: 0, Total: 0 },
    Kind: 'image',
    ImageData: {
      Platform: { os: 'linux', architecture, ...(here ? {} : { variant }) },
      Containers: [],
      Size: { Unpacked: here ? 1984162 : 0 },
    },
  };
}

function fakeNetwork(name: string, labels: Record<string, string>): NetworkInspect {
  return {
    Name: name,
    Id: randomId(),
    Created: formatNanos(nowNanos()),
    Scope: 'local',
    Driver: 'bridge',
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: {}, Config: [{ Subnet: '10.0.0.0/24', Gateway: '10.0.0.1' }] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: labels,
  };
}

function fakeVolume(name: string, labels: Record<string, string> | null): Volume {
  return {
    CreatedAt: formatNanos(nowNanos()),
    Driver: 'local',
    Labels: labels,
    Mountpoint: `/var/lib/fake/${name}`,
    Name: name,
    Options: null,
    Scope: 'local',
  };
}
