/** moby.buildkit.v1.Control (buildkit, api/services/control/control.proto). LLB definitions are opaque: nobody here runs them. */
import { blobs, bytes, bytesMap, flag, int, message, messages, text, textMap, texts } from '../protobuf/field.ts';
import { buildkitVersion, platform, range, rpcStatus, sourceInfo, timestamp } from './common.ts';

const cacheEntry = { type: text(1), attributes: textMap(2) };

export const solveRequest = {
  ref: text(1),
  definition: bytes(2),
  exporter: text(3),
  exporterAttributes: textMap(4),
  session: text(5),
  frontend: text(6),
  frontendAttributes: textMap(7),
  cache: message(8, { exports: messages(4, cacheEntry), imports: messages(5, cacheEntry) }),
  entitlements: texts(9),
  frontendInputs: bytesMap(10),
  internal: flag(11),
  exporters: messages(13, { type: text(1), attributes: textMap(2) }),
};
export const solveResponse = { exporterResponse: textMap(1) };

export const statusRequest = { ref: text(1) };
export const vertex = {
  digest: text(1),
  inputs: texts(2),
  name: text(3),
  cached: flag(4),
  started: message(5, timestamp),
  completed: message(6, timestamp),
  error: text(7),
};
export const vertexStatus = {
  id: text(1),
  vertex: text(2),
  name: text(3),
  current: int(4),
  total: int(5),
  timestamp: message(6, timestamp),
  started: message(7, timestamp),
  completed: message(8, timestamp),
};
export const vertexLog = { vertex: text(1), timestamp: message(2, timestamp), stream: int(3), message: bytes(4) };
export const vertexWarning = {
  vertex: text(1),
  level: int(2),
  short: bytes(3),
  detail: blobs(4),
  url: text(5),
  info: message(6, sourceInfo),
  ranges: messages(7, range),
};
export const statusResponse = {
  vertexes: messages(1, vertex),
  statuses: messages(2, vertexStatus),
  logs: messages(3, vertexLog),
  warnings: messages(4, vertexWarning),
};

export const worker = {
  id: text(1),
  labels: textMap(2),
  platforms: messages(3, platform),
  buildkitVersion: message(5, buildkitVersion),
};
export const listWorkersRequest = { filter: texts(1) };
export const listWorkersResponse = { record: messages(1, worker) };
export const infoResponse = { buildkitVersion: message(1, buildkitVersion) };

export const usageRecord = {
  id: text(1),
  mutable: flag(2),
  inUse: flag(3),
  size: int(4),
  createdAt: message(6, timestamp),
  lastUsedAt: message(7, timestamp),
  usageCount: int(8),
  description: text(9),
  recordType: text(10),
  shared: flag(11),
  parents: texts(12),
};
export const diskUsageRequest = { filter: texts(1) };
export const diskUsageResponse = { record: messages(1, usageRecord) };
export const pruneRequest = {
  filter: texts(1),
  all: flag(2),
  keepDuration: int(3),
  reservedSpace: int(4),
  maxUsedSpace: int(5),
  minFreeSpace: int(6),
};

export const historyRequest = {
  activeOnly: flag(1),
  ref: text(2),
  earlyExit: flag(3),
  filter: texts(4),
  limit: int(5),
};
/** Without descriptors of attestations, logs and traces: there are none in a content store. */
export const historyRecord = {
  ref: text(1),
  frontend: text(2),
  frontendAttributes: textMap(3),
  exporters: messages(4, { type: text(1), attributes: textMap(2) }),
  error: message(5, rpcStatus),
  createdAt: message(6, timestamp),
  completedAt: message(7, timestamp),
  exporterResponse: textMap(9),
  generation: int(12),
  pinned: flag(14),
  cachedSteps: int(15),
  totalSteps: int(16),
  completedSteps: int(17),
  warnings: int(19),
};
export const historyEventType = { started: 0, complete: 1, deleted: 2 } as const;
export const historyEvent = { type: int(1), record: message(2, historyRecord) };
export const updateHistoryRequest = { ref: text(1), pinned: flag(2), delete: flag(3), finalize: flag(4) };
