/** Every endpoint's handler; one that is missing does not compile. */
import type { EndpointKey } from '../../api/index.ts';
import type { Call } from '../call.ts';
import type { Reply } from '../http/reply.ts';
import * as archive from './archive.ts';
import * as build from './build.ts';
import * as container from './container.ts';
import * as stream from './container-stream.ts';
import * as exec from './exec.ts';
import * as image from './image.ts';
import * as network from './network.ts';
import * as system from './system.ts';
import * as volume from './volume.ts';

export type Handler = (call: Call) => Promise<Reply>;

export const handlers: Readonly<Record<EndpointKey, Handler>> = {
  ping: system.ping,
  pingHead: system.pingHead,
  version: system.version,
  info: system.info,
  events: system.events,
  diskUsage: system.diskUsage,
  auth: system.auth,
  space: system.space,
  verify: system.verify,
  verifyRepair: system.verifyRepair,
  metrics: system.metrics,
  metricsHead: system.metrics,

  containerList: container.list,
  containerCreate: container.create,
  containerPrune: container.prune,
  containerInspect: container.inspect,
  containerStart: container.start,
  containerStop: container.stop,
  containerRestart: container.restart,
  containerKill: container.kill,
  containerPause: container.pause,
  containerUnpause: container.unpause,
  containerWait: stream.wait,
  containerAttach: stream.attach,
  containerAttachSocket: stream.attachSocket,
  containerResize: container.resize,
  containerLogs: stream.logs,
  containerStats: stream.stats,
  containerTop: container.top,
  containerChanges: container.changes,
  containerExport: stream.exportTar,
  containerRename: container.rename,
  containerUpdate: container.update,
  containerRemove: container.remove,
  archiveStat: archive.stat,
  archiveGet: archive.get,
  archivePut: archive.put,
  checkpointList: system.checkpoint,
  checkpointCreate: system.checkpoint,
  checkpointRemove: system.checkpoint,
  commit: container.commit,

  execCreate: exec.create,
  execStart: exec.start,
  execResize: exec.resize,
  execInspect: exec.inspect,

  imageList: image.list,
  imageSearch: image.search,
  imageSaveMany: image.saveMany,
  imageSave: image.save,
  imageInspect: image.inspect,
  imageHistory: image.history,
  imageCreate: image.create,
  imageLoad: image.load,
  imagePrune: image.prune,
  imagePush: image.push,
  imageTag: image.tag,
  imageRemove: image.remove,
  imageDiff: image.diff,
  baseImages: image.baseImages,
  baseImagesMake: image.makeBaseImages,
  imageLayers: image.layers,
  distribution: image.distribution,

  build: build.build,
  buildPrune: build.prune,
  buildCancel: build.cancel,
  session: build.session,
  grpc: build.grpc,
  buildFailed: build.failed,
  buildDebugImage: build.debugImage,

  networkList: network.list,
  networkListSlash: network.list,
  networkCreate: network.create,
  networkPrune: network.prune,
  networkInspect: network.inspect,
  networkConnect: network.connect,
  networkDisconnect: network.disconnect,
  networkRemove: network.remove,

  volumeList: volume.list,
  volumeCreate: volume.create,
  volumePrune: volume.prune,
  volumeRename: volume.rename,
  volumeTrash: volume.trash,
  volumeRestore: volume.restore,
  volumeInspect: volume.inspect,
  volumeUpdate: async () => system.notSwarmManager(),
  volumeRemove: volume.remove,

  pluginList: system.pluginList,
};
