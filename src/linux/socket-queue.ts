/** What a peer has not taken yet. */
import { libc } from './libc.ts';

/** SIOCOUTQ, unix(7) and tcp(7). */
const sendQueue = 0x5411;

/**
 * Whether the other end of a connected unix socket has read all that was sent (the kernel counts memory, not bytes). Undefined where
 * the kernel does not say.
 */
export function isTaken(descriptor: number): boolean | undefined {
  const call = libc('int ioctl(int descriptor, unsigned long request, void *argument)');
  const queued = Buffer.alloc(4);
  return call(descriptor, sendQueue, queued) < 0 ? undefined : queued.readInt32LE(0) === 0;
}
