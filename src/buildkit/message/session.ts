/** The services of the client's session: auth, secrets, SSH forwarding (buildkit, session/*) and fsutil's packets (tonistiigi/fsutil, types/wire.proto). */
import { bytes, bytesMap, int, long, message, text } from '../protobuf/field.ts';

export const credentialsRequest = { host: text(1) };
export const credentialsResponse = { username: text(1), secret: text(2) };
export const secretRequest = { id: text(1) };
export const secretResponse = { data: bytes(1) };
export const agentRequest = { id: text(1) };

export const packetType = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const;

/** `mode` is Go's os.FileMode, `modified` nanoseconds since 1970. */
export const stat = {
  path: text(1),
  mode: int(2),
  uid: int(3),
  gid: int(4),
  size: int(5),
  modified: long(6),
  linkName: text(7),
  deviceMajor: int(8),
  deviceMinor: int(9),
  xattrs: bytesMap(10),
};
export const packet = { type: int(1), stat: message(2, stat), id: int(3), data: bytes(4) };
