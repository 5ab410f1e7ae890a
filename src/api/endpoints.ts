/**
 * The Engine API as a table: one row per endpoint. The server mounts it (a handler per key, checked by the compiler).
 * In a path `{x}` is greedy, as in Docker's own router: it takes slashes, so image names need no escaping.
 */

/** What an endpoint needs: 'read' changes nothing (a read-only socket serves it), 'write' does. */
export type Access = 'read' | 'write';

export interface Endpoint {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly access: Access;
  /** First API version that has it, as a minor number; absent for the oldest spoken. */
  readonly since?: number;
}

export const endpoints = {
  ping: { method: 'GET', path: '/_ping', access: 'read' },
  pingHead: { method: 'HEAD', path: '/_ping', access: 'read' },
  version: { method: 'GET', path: '/version', access: 'read' },
  info: { method: 'GET', path: '/info', access: 'read' },
  events: { method: 'GET', path: '/events', access: 'read' },
  diskUsage: { method: 'GET', path: '/system/df', access: 'read', since: 25 },
  auth: { method: 'POST', path: '/auth', access: 'write' },
  /** Wherry's own: what takes the disk, and whether what is there is what should be; the second one mends. */
  space: { method: 'GET', path: '/wherry/df', access: 'read' },
  verify: { method: 'GET', path: '/wherry/verify', access: 'read' },
  verifyRepair: { method: 'POST', path: '/wherry/verify', access: 'write' },
  /** Numbers for Prometheus; where `metrics-addr` is set, they are served there alone. */
  metrics: { method: 'GET', path: '/metrics', access: 'read' },
  metricsHead: { method: 'HEAD', path: '/metrics', access: 'read' },

  containerList: { method: 'GET', path: '/containers/json', access: 'read' },
  containerCreate: { method: 'POST', path: '/containers/create', access: 'write' },
  containerPrune: { method: 'POST', path: '/containers/prune', access: 'write', since: 25 },
  containerInspect: { method: 'GET', path: '/containers/{name}/json', access: 'read' },
  containerStart: { method: 'POST', path: '/containers/{name}/start', access: 'write' },
  containerStop: { method: 'POST', path: '/containers/{name}/stop', access: 'write' },
  containerRestart: { method: 'POST', path: '/containers/{name}/restart', access: 'write' },
  containerKill: { method: 'POST', path: '/containers/{name}/kill', access: 'write' },
  containerPause: { method: 'POST', path: '/containers/{name}/pause', access: 'write' },
  containerUnpause: { method: 'POST', path: '/containers/{name}/unpause', access: 'write' },
  containerWait: { method: 'POST', path: '/containers/{name}/wait', access: 'read' },
  containerAttach: { method: 'POST', path: '/containers/{name}/attach', access: 'write' },
  containerAttachSocket: { method: 'GET', path: '/containers/{name}/attach/ws', access: 'write' },
  containerResize: { method: 'POST', path: '/containers/{name}/resize', access: 'write' },
  containerLogs: { method: 'GET', path: '/containers/{name}/logs', access: 'read' },
  containerStats: { method: 'GET', path: '/containers/{name}/stats', access: 'read' },
  containerTop: { method: 'GET', path: '/containers/{name}/top', access: 'read' },
  containerChanges: { method: 'GET', path: '/containers/{name}/changes', access: 'read' },
  containerExport: { method: 'GET', path: '/containers/{name}/export', access: 'read' },
  containerRename: { method: 'POST', path: '/containers/{name}/rename', access: 'write' },
  containerUpdate: { method: 'POST', path: '/containers/{name}/update', access: 'write' },
  containerRemove: { method: 'DELETE', path: '/containers/{name}', access: 'write' },
  archiveStat: { method: 'HEAD', path: '/containers/{name}/archive', access: 'read' },
  archiveGet: { method: 'GET', path: '/containers/{name}/archive', access: 'read' },
  archivePut: { method: 'PUT', path: '/containers/{name}/archive', access: 'write' },
  checkpointList: { method: 'GET', path: '/containers/{name}/checkpoints', access: 'read', since: 25 },
  checkpointCreate: { method: 'POST', path: '/containers/{name}/checkpoints', access: 'write', since: 25 },
  checkpointRemove: {
    method: 'DELETE',
    path: '/containers/{name}/checkpoints/{checkpoint}',
    access: 'write',
    since: 25,
  },
  commit: { method: 'POST', path: '/commit', access: 'write' },

  execCreate: { method: 'POST', path: '/containers/{name}/exec', access: 'write' },
  execStart: { method: 'POST', path: '/exec/{name}/start', access: 'write' },
  execResize: { method: 'POST', path: '/exec/{name}/resize', access: 'write' },
  execInspect: { method: 'GET', path: '/exec/{name}/json', access: 'read' },

  imageList: { method: 'GET', path: '/images/json', access: 'read' },
  imageSearch: { method: 'GET', path: '/images/search', access: 'read' },
  imageSaveMany: { method: 'GET', path: '/images/get', access: 'read' },
  imageSave: { method: 'GET', path: '/images/{name}/get', access: 'read' },
  imageInspect: { method: 'GET', path: '/images/{name}/json', access: 'read' },
  imageHistory: { method: 'GET', path: '/images/{name}/history', access: 'read' },
  imageCreate: { method: 'POST', path: '/images/create', access: 'write' },
  imageLoad: { method: 'POST', path: '/images/load', access: 'write' },
  imagePrune: { method: 'POST', path: '/images/prune', access: 'write', since: 25 },
  imagePush: { method: 'POST', path: '/images/{name}/push', access: 'write' },
  imageTag: { method: 'POST', path: '/images/{name}/tag', access: 'write' },
  imageRemove: { method: 'DELETE', path: '/images/{name}', access: 'write' },
  /** Wherry's own: what differs between two images; where each layer came from and what it takes. */
  imageDiff: { method: 'GET', path: '/wherry/image-diff', access: 'read' },
  /** Wherry's own: what can be made here without a registry, and making it. */
  baseImages: { method: 'GET', path: '/wherry/base-images', access: 'read' },
  baseImagesMake: { method: 'POST', path: '/wherry/base-images', access: 'write' },
  imageLayers: { method: 'GET', path: '/wherry/images/{name}/layers', access: 'read' },
  distribution: { method: 'GET', path: '/distribution/{name}/json', access: 'read', since: 30 },

  build: { method: 'POST', path: '/build', access: 'write' },
  buildPrune: { method: 'POST', path: '/build/prune', access: 'write', since: 31 },
  buildCancel: { method: 'POST', path: '/build/cancel', access: 'write', since: 39 },
  session: { method: 'POST', path: '/session', access: 'write', since: 39 },
  grpc: { method: 'POST', path: '/grpc', access: 'write', since: 39 },
  /** Wherry's own: the last builds that failed at a step, and an image of what the step stood on. */
  buildFailed: { method: 'GET', path: '/wherry/builds/failed', access: 'read' },
  buildDebugImage: { method: 'POST', path: '/wherry/builds/debug-image', access: 'write' },

  networkList: { method: 'GET', path: '/networks', access: 'read' },
  networkListSlash: { method: 'GET', path: '/networks/', access: 'read' },
  networkCreate: { method: 'POST', path: '/networks/create', access: 'write' },
  networkPrune: { method: 'POST', path: '/networks/prune', access: 'write', since: 25 },
  networkInspect: { method: 'GET', path: '/networks/{name}', access: 'read' },
  networkConnect: { method: 'POST', path: '/networks/{name}/connect', access: 'write' },
  networkDisconnect: { method: 'POST', path: '/networks/{name}/disconnect', access: 'write' },
  networkRemove: { method: 'DELETE', path: '/networks/{name}', access: 'write' },

  volumeList: { method: 'GET', path: '/volumes', access: 'read' },
  volumeCreate: { method: 'POST', path: '/volumes/create', access: 'write' },
  volumePrune: { method: 'POST', path: '/volumes/prune', access: 'write', since: 25 },
  /** Wherry's own: no other engine has it. */
  volumeRename: { method: 'POST', path: '/volumes/{name}/rename', access: 'write' },
  /** Wherry's own: what removed volumes can still be brought back, and bringing one back. */
  volumeTrash: { method: 'GET', path: '/wherry/volume-trash', access: 'read' },
  volumeRestore: { method: 'POST', path: '/volumes/{name}/restore', access: 'write' },
  volumeInspect: { method: 'GET', path: '/volumes/{name}', access: 'read' },
  volumeUpdate: { method: 'PUT', path: '/volumes/{name}', access: 'write', since: 42 },
  volumeRemove: { method: 'DELETE', path: '/volumes/{name}', access: 'write' },

  pluginList: { method: 'GET', path: '/plugins', access: 'read', since: 25 },
} as const satisfies Record<string, Endpoint>;

export type EndpointKey = keyof typeof endpoints;

/** First path segments of the swarm API: every method and path below them answers "not a swarm manager". */
export const swarmRoots: readonly string[] = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs'];
