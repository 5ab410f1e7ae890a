/** Of LLB, what a definition that names one source needs (buildkit, solver/pb/ops.proto). */
import { blobs, flag, int, message, messageMap, messages, text } from '../protobuf/field.ts';

export const op = {
  inputs: messages(1, { digest: text(1), index: int(2) }),
  source: message(3, { identifier: text(1) }),
};

/** The operations, each encoded; the last one names the result. Clients take a definition without metadata for none. */
export const definition = { def: blobs(1), metadata: messageMap(2, { ignoreCache: flag(1) }) };
