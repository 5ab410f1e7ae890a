/** containerd.services.content.v1 (containerd, api/services/content/v1), by which a client lends folders of blobs in its session. */
import { bytes, int, message, text } from '../protobuf/field.ts';

export const infoRequest = { digest: text(1) };
export const infoResponse = { info: message(1, { digest: text(1), size: int(2) }) };

export const readRequest = { digest: text(1), offset: int(2), size: int(3) };
export const readResponse = { offset: int(1), data: bytes(2) };

export const writeAction = { stat: 0, write: 1, commit: 2 } as const;

/** `ref` names the write; `total` and `expected` are the blob's size and digest. */
export const writeRequest = {
  action: int(1),
  ref: text(2),
  total: int(3),
  expected: text(4),
  offset: int(5),
  data: bytes(6),
};
export const writeResponse = { action: int(1), offset: int(4), total: int(5), digest: text(6) };

export const contentService = '/containerd.services.content.v1.Content';
/** The metadata that says which of the client's folders is meant. */
export const storeHeader = 'buildkit-attachable-store-id';
