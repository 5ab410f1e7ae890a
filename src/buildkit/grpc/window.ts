/** HTTP/2 flow control for gRPC over a local socket: the 64 KiB that the standard starts with would make a context wait at every turn. */
export const streamWindowBytes = 4 << 20;
export const connectionWindowBytes = 16 << 20;
/** Bounds of what a peer may open and ask to be remembered. */
export const settings = {
  initialWindowSize: streamWindowBytes,
  maxConcurrentStreams: 256,
  maxHeaderListSize: 1 << 20,
  enablePush: false,
} as const;
