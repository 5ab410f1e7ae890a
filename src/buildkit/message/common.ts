/** Messages that several services share: google.protobuf, google.rpc, and buildkit's solver/pb/ops.proto as far as they go over the wire here. */
import { bytes, int, long, message, messages, text, texts } from '../protobuf/field.ts';

export const empty = {};

/** google/protobuf/timestamp.proto */
export const timestamp = { seconds: long(1), nanos: int(2) };

/** google/rpc/status.proto; details are google.protobuf.Any. */
export const rpcStatus = {
  code: int(1),
  message: text(2),
  details: messages(3, { typeUrl: text(1), value: bytes(2) }),
};

export const bytesMessage = { data: bytes(1) };

export const platform = {
  architecture: text(1),
  os: text(2),
  variant: text(3),
  osVersion: text(4),
  osFeatures: texts(5),
};

const position = { line: int(1), character: int(2) };
export const range = { start: message(1, position), end: message(2, position) };
export const sourceInfo = { filename: text(1), data: bytes(2), language: text(4) };

/** api/types/worker.proto */
export const buildkitVersion = { package: text(1), version: text(2), revision: text(3) };

/** grpc/health/v1/health.proto */
export const healthRequest = { service: text(1) };
export const healthResponse = { status: int(1) };
