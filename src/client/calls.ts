/** Any call of the endpoint table by its key, typed: `call('containerList', { query: { all: true } })`. */
import type { Caller, CallOptions } from './caller.ts';
import type { AnswerKind, CallKey, CallOptionsOf, CallTypes } from './call-types.ts';
import type { Hijacked } from './transport.ts';

/** What comes back at once is a promise; what streams is asked for when it is iterated, and let go when the loop ends. */
export type CallResult<K extends CallKey> = (typeof answerKinds)[K] extends 'lines'
  ? AsyncGenerator<CallTypes[K]['answer'], void>
  : (typeof answerKinds)[K] extends 'bytes'
    ? AsyncGenerator<Uint8Array, void>
    : Promise<CallTypes[K]['answer']>;

export type Call = <K extends CallKey>(
  key: K,
  ...options: object extends CallOptionsOf<K> ? [options?: CallOptionsOf<K>] : [options: CallOptionsOf<K>]
) => CallResult<K>;

export function callsOf(caller: Caller): Call {
  const read: Record<AnswerKind, (key: CallKey, options: CallOptions) => unknown> = {
    json: (key, options) => caller.json(key, options),
    none: (key, options) => caller.done(key, options),
    text: (key, options) => caller.text(key, options),
    headers: (key, options) => caller.call(key, options).then(({ headers }) => headers),
    lines: (key, options) => caller.lines(key, options),
    bytes: (key, options) => bytes(caller, key, options),
    stream: (key, options): Promise<Hijacked> => caller.hijack(key, options),
  };
  return (key, ...[given]) => {
    const { body, query, ...rest } = (given ?? {}) as CallOptions & { body?: unknown };
    const options: CallOptions = {
      ...rest,
      ...(query === undefined ? {} : { query }),
      ...(body === undefined ? {} : { json: body }),
      ...(rest.stream === undefined ? {} : { headers: { 'Content-Type': 'application/x-tar', ...rest.headers } }),
    };
    return read[answerKinds[key]](key, options) as CallResult<typeof key>;
  };
}

async function* bytes(caller: Caller, key: CallKey, options: CallOptions): AsyncGenerator<Uint8Array, void> {
  yield* (await caller.call(key, options)).body;
}

const answerKinds = {
  ping: 'text',
  pingHead: 'headers',
  version: 'json',
  info: 'json',
  events: 'lines',
  diskUsage: 'json',
  auth: 'json',
  metrics: 'text',
  metricsHead: 'headers',
  space: 'json',
  verify: 'lines',
  verifyRepair: 'lines',
  containerList: 'json',
  containerCreate: 'json',
  containerPrune: 'json',
  containerInspect: 'json',
  containerStart: 'none',
  containerStop: 'none',
  containerRestart: 'none',
  containerKill: 'none',
  containerPause: 'none',
  containerUnpause: 'none',
  containerWait: 'json',
  containerAttach: 'stream',
  containerResize: 'none',
  containerLogs: 'bytes',
  containerStats: 'lines',
  containerTop: 'json',
  containerChanges: 'json',
  containerExport: 'bytes',
  containerRename: 'none',
  containerUpdate: 'json',
  containerRemove: 'none',
  archiveStat: 'headers',
  archiveGet: 'bytes',
  archivePut: 'none',
  checkpointList: 'json',
  checkpointCreate: 'none',
  checkpointRemove: 'none',
  commit: 'json',
  execCreate: 'json',
  execStart: 'stream',
  execResize: 'none',
  execInspect: 'json',
  imageList: 'json',
  imageSearch: 'json',
  imageSaveMany: 'bytes',
  imageSave: 'bytes',
  imageInspect: 'json',
  imageHistory: 'json',
  imageCreate: 'lines',
  imageLoad: 'lines',
  imagePrune: 'json',
  imagePush: 'lines',
  imageTag: 'none',
  imageRemove: 'json',
  imageDiff: 'lines',
  baseImages: 'json',
  baseImagesMake: 'lines',
  imageLayers: 'json',
  distribution: 'json',
  build: 'lines',
  buildPrune: 'json',
  buildCancel: 'none',
  buildFailed: 'json',
  buildDebugImage: 'json',
  networkList: 'json',
  networkListSlash: 'json',
  networkCreate: 'json',
  networkPrune: 'json',
  networkInspect: 'json',
  networkConnect: 'none',
  networkDisconnect: 'none',
  networkRemove: 'none',
  volumeList: 'json',
  volumeCreate: 'json',
  volumePrune: 'json',
  volumeRename: 'none',
  volumeTrash: 'json',
  volumeRestore: 'none',
  volumeInspect: 'json',
  volumeUpdate: 'none',
  volumeRemove: 'none',
  pluginList: 'json',
} as const satisfies Record<CallKey, AnswerKind>;
