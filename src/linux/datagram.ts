/** A unix datagram socket to send on: /dev/log and the journal take nothing else, and Node has none. */
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import koffi from 'koffi';
import { check, libc, SystemError } from './libc.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;

export interface DatagramSocket extends Disposable {
  /** @returns false when the receiver's queue is full now. @throws SystemError when it is gone or the message too long */
  send(message: Uint8Array): boolean;
}

/** @param path `@name` is of the abstract namespace. @throws SystemError ENOENT, ECONNREFUSED, … */
export function connectDatagram(path: string): DatagramSocket {
  const close = libc('int close(int fd)');
  const fd = check(
    'socket',
    libc('int socket(int domain, int type, int protocol)')(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0),
    path,
  );
  const isAbstract = path.startsWith('@');
  const directory = openSync(isAbstract ? '/' : dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `/proc/self/fd/${directory}/${basename(path)}\0`);
    const address = Buffer.alloc(2 + name.length);
    address.writeUInt16LE(AF_UNIX, 0);
    name.copy(address, 2);
    if (libc('int connect(int fd, const void *address, unsigned int length)')(fd, address, address.length) < 0) {
      const error = new SystemError('connect', koffi.errno(), path);
      close(fd);
      throw error;
    }
  } finally {
    closeSync(directory);
  }
  return {
    send(message) {
      const sent = libc('long send(int fd, const void *data, size_t length, int flags)')(
        fd,
        message,
        message.length,
        MSG_NOSIGNAL | MSG_DONTWAIT,
      );
      if (sent >= 0) return true;
      const error = new SystemError('send', koffi.errno(), path);
      if (error.code === 'EAGAIN' || error.code === 'ENOBUFS') return false;
      throw error;
    },
    [Symbol.dispose]: () => void close(fd),
  };
}
