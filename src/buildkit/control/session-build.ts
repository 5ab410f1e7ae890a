/**
 * `POST /build?version=2`: how clients that have BuildKit built in (docker 18.09 to 22) ask for a build over their session (moby,
 * builder/builder-next and client/build_cancel). Progress are StatusResponse messages in lines of JSON.
 */
import type { BuildResult } from '../../api/index.ts';
import { Fault, messageOf, randomId } from '../../std/index.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import type { Recorder } from '../history/history.ts';
import { statusResponse } from '../message/control.ts';
import { encode } from '../protobuf/codec.ts';
import type { Surroundings } from './control.ts';
import { buildFault } from './failure.ts';
import { frontendRequest, type FrontendRequest } from './frontend-request.ts';
import { lenderOf } from './run-frontend.ts';
import { statusMessage, vertexNames } from './status.ts';

/** A line of the answer. */
export type BuildLine =
  | { id: 'moby.buildkit.trace'; aux: string }
  | { id: 'moby.image.id'; aux: { ID: string } }
  | { errorDetail: { message: string }; error: string };

/** Aborting cancels the build. A failed build is the last line. @throws Fault before the first line when the query or the session is bad */
export async function* sessionBuild(
  { builds, sessions, history }: Pick<Surroundings, 'builds' | 'sessions' | 'history'>,
  query: URLSearchParams,
  signal: AbortSignal,
): AsyncGenerator<BuildLine, void, void> {
  const asked = queryRequest(query);
  const session = await sessions.get(query.get('session') ?? '', signal);
  const gone = new AbortController();
  void session.closed.then(() => gone.abort(new Fault('unavailable', 'the build session closed')));
  const nameOf = vertexNames(asked.id);
  const run = builds.run(frontendRequest(asked, lenderOf(session, new Map())), AbortSignal.any([signal, gone.signal]));
  // Awaited below, when its progress is told.
  run.result.catch(() => {});
  const recorder = history.begin({
    ref: asked.id,
    frontend: 'dockerfile.v0',
    attributes: Object.fromEntries(asked.options),
    exporters: asked.exporters.map(({ type, attributes }) => ({ type, attributes: Object.fromEntries(attributes) })),
  });
  let ending: Parameters<Recorder['end']>[0] = { error: new GrpcFault(grpcCode.canceled, 'context canceled') };
  let result: BuildResult;
  try {
    for await (const event of run.events) {
      const message = statusMessage(event, nameOf);
      if (message === undefined) continue;
      recorder.add(message);
      yield { id: 'moby.buildkit.trace', aux: encode(statusResponse, message).toString('base64') };
    }
    try {
      result = await run.result;
      ending = { response: new Map(result.image === undefined ? [] : [['containerimage.digest', result.image]]) };
    } catch (error) {
      const fault = buildFault(error, nameOf);
      if (!signal.aborted && !gone.signal.aborted) ending = { error: fault };
      yield { errorDetail: { message: messageOf(fault) }, error: messageOf(fault) };
      return;
    }
  } finally {
    await recorder.end(ending);
  }
  if (result.image !== undefined) yield { id: 'moby.image.id', aux: { ID: result.image } };
}

/** The query as the options that dockerfile.v0 takes. @throws Fault invalid */
function queryRequest(query: URLSearchParams): FrontendRequest {
  const remote = query.get('remote') ?? '';
  if (remote === 'upload-request') {
    throw new Fault(
      'not-implemented',
      'Cannot build from an uploaded archive over a session: give the context as a directory',
    );
  }
  const options = new Map<string, string>();
  const copy = (option: string, value: string | null): void => {
    if (value !== null && value !== '') options.set(option, value);
  };
  if (remote !== 'client-session') copy('context', remote);
  copy('filename', query.get('dockerfile'));
  copy('target', query.get('target'));
  copy('platform', query.get('platform'));
  if (isTrue(query.get('nocache'))) options.set('no-cache', '');
  if (isTrue(query.get('pull'))) options.set('image-resolve-mode', 'pull');
  for (const [name, value] of jsonMap(query, 'buildargs')) if (value !== null) options.set(`build-arg:${name}`, value);
  for (const [name, value] of jsonMap(query, 'labels')) options.set(`label:${name}`, value ?? '');
  const hosts = query.getAll('extrahosts').map((each) => each.replace(':', '='));
  copy('add-hosts', hosts.join(','));
  const network = query.get('networkmode');
  if (network !== 'default') copy('force-network-mode', network);
  for (const [parameter, option] of limitOptions) copy(option, query.get(parameter));
  copy('ulimit', ulimits(query));
  return {
    id: query.get('buildid') ?? randomId(),
    options,
    exporters: [exporter(query)].filter((each) => each.type !== 'cacheonly'),
    cacheImports: cacheFrom(query),
    cacheExports: [],
    entitlements: [],
  };
}

const limitOptions = [
  ['shmsize', 'shm-size'],
  ['memory', 'memory'],
  ['memswap', 'memswap'],
  ['cpushares', 'cpushares'],
  ['cpuperiod', 'cpuperiod'],
  ['cpuquota', 'cpuquota'],
  ['cpusetcpus', 'cpusetcpus'],
  ['cpusetmems', 'cpusetmems'],
  ['cgroupparent', 'cgroup-parent'],
] as const;

function isTrue(value: string | null): boolean {
  return value === '1' || value === 'true';
}

/** @throws Fault invalid */
function json(query: URLSearchParams, name: string): unknown {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  try {
    return JSON.parse(value);
  } catch (error) {
    throw new Fault('invalid', `invalid query parameter "${name}": want JSON, got ${JSON.stringify(value)}`, {
      cause: error,
    });
  }
}

function jsonMap(query: URLSearchParams, name: string): [string, string | null][] {
  const value = json(query, name);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([key, each]) => [key, typeof each === 'string' ? each : null]);
}

function ulimits(query: URLSearchParams): string {
  const value = json(query, 'ulimits');
  const list = Array.isArray(value) ? (value as { Name?: unknown; Soft?: unknown; Hard?: unknown }[]) : [];
  return list.map(({ Name, Soft, Hard }) => `${String(Name)}=${String(Soft)}:${String(Hard)}`).join(',');
}

function cacheFrom(query: URLSearchParams): FrontendRequest['cacheImports'] {
  const value = json(query, 'cachefrom');
  const references = Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
  return references.map((reference) => ({ type: 'registry', attributes: new Map([['ref', reference]]) }));
}

/** One at most, as in dockerd; none given is the image store. @throws Fault invalid */
function exporter(query: URLSearchParams): FrontendRequest['exporters'][number] {
  const value = json(query, 'outputs');
  const outputs = Array.isArray(value) ? (value as { Type?: string; Attrs?: Record<string, string> }[]) : [];
  if (outputs.length > 1) throw new Fault('invalid', 'multiple outputs not supported');
  const { Type = 'moby', Attrs = {} } = outputs[0] ?? {};
  const attributes = new Map(Object.entries(Attrs));
  const tags = query.getAll('t').filter((tag) => tag !== '');
  if (tags.length > 0) attributes.set('name', tags.join(','));
  return { type: Type, attributes };
}
