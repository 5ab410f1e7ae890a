/** moby.buildkit.v1.Control: what `docker buildx` calls on `POST /grpc`. */
import { type Builds, type BuildResult, keptBytes } from '../../api/index.ts';
import { formatReference, parseReference } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import { bidirectional, type CallContext, type Method, streaming, unary } from '../grpc/service.ts';
import { bytesMessage, empty } from '../message/common.ts';
import {
  diskUsageResponse,
  infoResponse,
  listWorkersRequest,
  listWorkersResponse,
  pruneRequest,
  solveRequest,
  solveResponse,
  statusRequest,
  statusResponse,
  usageRecord,
  type worker,
} from '../message/control.ts';
import type { Message, MessageInit } from '../protobuf/field.ts';
import { asGrpcFault, GrpcFault, grpcCode } from '../grpc/status.ts';
import type { BuildHistory } from '../history/history.ts';
import type { Sessions } from '../session/sessions.ts';
import { tunnel } from '../session/tunnel.ts';
import { Job } from './job.ts';
import type { Jobs } from './jobs.ts';
import { pastMethods, recorded } from './past.ts';
import { refuseDefinition, runFrontend } from './run-frontend.ts';
import { at } from './status.ts';

export interface Surroundings {
  readonly builds: Builds;
  readonly sessions: Sessions;
  readonly jobs: Jobs;
  readonly history: BuildHistory;
  readonly worker: WorkerFacts;
  /** Of the disk that the cache is on. */
  readonly freeBytes: () => number;
}

/** What clients are told of who builds. */
export interface WorkerFacts {
  id: string;
  /** BuildKit's version whose features we have; buildx decides by it. */
  version: string;
  platforms: readonly { architecture: string; os: string; variant: string }[];
  /** For `--add-host name:host-gateway`. */
  hostGateway: string | undefined;
}

const service = '/moby.buildkit.v1.Control';

export function controlMethods(around: Surroundings): [string, Method][] {
  const { builds, jobs, history } = around;
  return [
    [
      `${service}/ListWorkers`,
      unary(listWorkersRequest, listWorkersResponse, () => ({ record: [workerRecord(around.worker)] })),
    ],
    [`${service}/Info`, unary(empty, infoResponse, () => ({ buildkitVersion: versionOf(around.worker) }))],
    [
      `${service}/Solve`,
      unary(solveRequest, solveResponse, async (request, call) => ({
        exporterResponse: await solve(around, request, call),
      })),
    ],
    [
      `${service}/Status`,
      streaming(statusRequest, statusResponse, async function* ({ ref }, call) {
        // A job tells its own client as it goes; who else asks, or later, is told from what was written down.
        if (!jobs.isFollowable(ref) && history.has(ref)) yield* history.progress(ref, call.signal);
        else yield* (await jobs.get(ref, call.signal)).status();
      }),
    ],
    [
      `${service}/Session`,
      bidirectional(bytesMessage, bytesMessage, (requests, call) =>
        tunnel(
          requests,
          around.sessions.accept((name) => call.metadata(name)),
          call.signal,
        ),
      ),
    ],
    [
      `${service}/DiskUsage`,
      unary(empty, diskUsageResponse, async () => ({ record: (await builds.cache()).map(usage) })),
    ],
    ...pastMethods(history),
    [`${service}/Prune`, streaming(pruneRequest, usageRecord, (request) => prune(around, request))],
  ];
}

/** No label for a snapshotter: with one, buildx would offer outputs and platforms that the classic image store has not. */
export function workerRecord(facts: WorkerFacts): MessageInit<typeof worker> {
  const labels = new Map([
    ['org.mobyproject.buildkit.worker.executor', 'containerd'],
    // By this buildx tells an image store that takes archives, caches and several platforms from one that does not.
    ['org.mobyproject.buildkit.worker.snapshotter', 'overlayfs'],
  ]);
  if (facts.hostGateway !== undefined) {
    labels.set('org.mobyproject.buildkit.worker.moby.host-gateway-ip', facts.hostGateway);
  }
  return { id: facts.id, labels, platforms: [...facts.platforms], buildkitVersion: versionOf(facts) };
}

function versionOf({ version }: WorkerFacts): { package: string; version: string; revision: string } {
  return { package: 'github.com/moby/buildkit', version, revision: '' };
}

/** Runs the frontend it names, or, naming none, waits for what the client makes through the bridge. @throws Fault */
async function solve(
  around: Surroundings,
  request: Message<typeof solveRequest>,
  call: CallContext,
): Promise<Map<string, string>> {
  refuseDefinition(request.definition);
  const session = await around.sessions.get(request.session, call.signal);
  const gone = new AbortController();
  void session.closed.then(() => gone.abort(new Fault('unavailable', 'the build session closed')));
  const job = new Job(request, session, AbortSignal.any([call.signal, gone.signal]));
  around.jobs.add(job);
  const recorder = recorded(around.history, request);
  job.record = (message) => recorder?.add(message);
  try {
    const response = await outcome(around, job);
    await job.told();
    await recorder?.end({ response });
    return response;
  } catch (error) {
    await job.told();
    await recorder?.end({ error: job.signal.aborted ? cancelled : asGrpcFault(error) });
    throw error;
  } finally {
    around.jobs.remove(job);
    for (const build of job.held) around.builds.release(build);
  }
}

const cancelled = new GrpcFault(grpcCode.canceled, 'context canceled');

async function outcome(around: Surroundings, job: Job): Promise<Map<string, string>> {
  const { request } = job;
  if (request.frontend !== '') {
    const { frontend, frontendAttributes: options, frontendInputs: inputs } = request;
    const asked = { frontend, options, inputs, cacheImports: [] };
    const { ref } = await runFrontend(around, job, asked);
    return ref?.id === undefined ? new Map() : exporterResponse(job, job.built(ref.id));
  }
  const { ref, fault } = await job.returned();
  if (fault !== undefined) throw fault;
  return ref === undefined ? new Map() : exporterResponse(job, job.built(ref));
}

function exporterResponse(
  { request }: Job,
  { image, manifest, descriptor, cacheManifest }: BuildResult,
): Map<string, string> {
  const response = new Map<string, string>();
  if (image !== undefined) response.set('containerimage.config.digest', image);
  // The classic image store knows an image by its configuration; clients print this as the image's id.
  if (image !== undefined) response.set('containerimage.digest', manifest ?? image);
  if (descriptor !== undefined)
    response.set('containerimage.descriptor', Buffer.from(JSON.stringify(descriptor)).toString('base64'));
  const name = (request.exporters[0]?.attributes ?? request.exporterAttributes).get('name');
  if (name !== undefined && name !== '') response.set('image.name', fullNames(name));
  // For the client to note in its folder what of it is the cache.
  if (cacheManifest !== undefined) response.set('cache.manifest', JSON.stringify(cacheManifest));
  return response;
}

/** Fully qualified, without a tag where none was given. */
function fullNames(names: string): string {
  return names
    .split(',')
    .map((name) => formatReference(parseReference(name)))
    .join(',');
}

type CacheRecord = Awaited<ReturnType<Builds['cache']>>[number];

function usage(record: CacheRecord): MessageInit<typeof usageRecord> {
  const { id, inUse, size, usageCount, description, shared, type, parents } = record;
  return {
    id,
    inUse,
    size,
    usageCount,
    description,
    shared,
    recordType: type,
    parents,
    mutable: type === 'exec.cachemount' || type === 'source.local',
    createdAt: at(record.createdAt),
    lastUsedAt: at(record.lastUsedAt),
  };
}

/** Tells each record that went. */
async function* prune(
  { builds, freeBytes }: Pick<Surroundings, 'builds' | 'freeBytes'>,
  { all, keepDuration, filter, ...space }: Message<typeof pruneRequest>,
): AsyncGenerator<MessageInit<typeof usageRecord>, void, void> {
  const before = new Map((await builds.cache()).map((record) => [record.id, record]));
  const used = [...before.values()].reduce((sum, { size }) => sum + size, 0);
  const { reservedSpace: reserved, maxUsedSpace: maxUsed, minFreeSpace: minFree } = space;
  const { deleted } = await builds.prune({
    all,
    keepBytes: keptBytes({ reserved, maxUsed, minFree }, { used, free: freeBytes() }),
    filters: pruneFilters(filter, keepDuration),
  });
  for (const id of deleted) {
    const record = before.get(id);
    if (record !== undefined) yield usage(record);
  }
}

/** containerd's filters ("type==regular", "id~=…") as keys and values; nanoseconds to keep as Docker's `until`. */
function pruneFilters(filters: readonly string[], keepDuration: number): Map<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const each of filters.flatMap((text) => text.split(',')).filter(Boolean)) {
    const match = /^([a-z.]+)(?:==|~=)(.*)$/.exec(each);
    if (match === null) throw new Fault('invalid', `Cannot prune build cache: unknown filter ${JSON.stringify(each)}`);
    found.set(match[1]!, (found.get(match[1]!) ?? new Set()).add(match[2]!));
  }
  if (keepDuration > 0) found.set('until', new Set([`${Math.floor(keepDuration / 1e9)}s`]));
  return found;
}
