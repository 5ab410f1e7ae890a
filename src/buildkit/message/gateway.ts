/** moby.buildkit.v1.frontend.LLBBridge (buildkit, frontend/gateway/pb/gateway.proto). */
import { bytes, bytesMap, flag, int, message, messageMap, messages, text, textMap } from '../protobuf/field.ts';
import { definition } from './llb.ts';
import { rpcStatus } from './common.ts';
import { worker } from './control.ts';

const reference = { id: text(1), def: message(2, definition) };
export const result = {
  ref: message(3, reference),
  refs: message(4, { refs: messageMap(1, reference) }),
  metadata: bytesMap(10),
};

export const solveRequest = {
  definition: bytes(1),
  frontend: text(2),
  frontendOptions: textMap(3),
  cacheImports: messages(12, { type: text(1), attributes: textMap(2) }),
  frontendInputs: bytesMap(13),
  evaluate: flag(14),
};
export const solveResponse = { result: message(3, result) };
export const evaluateRequest = { ref: text(1) };
export const returnRequest = { result: message(1, result), error: message(2, rpcStatus) };

export const readFileRequest = { ref: text(1), path: text(2), range: message(3, { offset: int(1), length: int(2) }) };
export const readFileResponse = { data: bytes(1) };

const capability = { id: text(1), enabled: flag(2) };
export const pongResponse = {
  frontendCapabilities: messages(1, capability),
  llbCapabilities: messages(2, capability),
  workers: messages(3, worker),
};
