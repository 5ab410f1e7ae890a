/**
 * A SOCK_SEQPACKET unix socket as a Node stream: conmon's attach socket is one, and net.connect() cannot make it. The
 * descriptor is connected through libc and adopted by a libuv pipe handle; every 'data' event is one packet.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import koffi from 'koffi';
import { Fault } from '../std/index.ts';
import { check, libc, SystemError } from './libc.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/** Connects to `path` (of any length: it goes through the directory's descriptor). @throws SystemError ENOENT, ECONNREFUSED, … */
export function connectSeqpacket(path: string): Socket {
  const directory = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  const close = libc('int close(int fd)');
  try {
    const fd = check(
      'socket',
      libc('int socket(int domain, int type, int protocol)')(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
      path,
    );
    const name = Buffer.from(`/proc/self/fd/${directory}/${basename(path)}\0`);
    const address = Buffer.alloc(2 + name.length);
    address.writeUInt16LE(AF_UNIX, 0);
    name.copy(address, 2);
    if (libc('int connect(int fd, const void *address, unsigned int length)')(fd, address, address.length) < 0) {
      const error = new SystemError('connect', koffi.errno(), path);
      close(fd);
      throw error;
    }
    return new Socket({ handle: adopt(fd), allowHalfOpen: true } as ConstructorParameters<typeof Socket>[0]);
  } finally {
    closeSync(directory);
  }
}

interface PipeBinding {
  Pipe: new (type: number) => { open(fd: number): number };
  constants: { SOCKET: number };
}

function adopt(fd: number): object {
  const pipes = (process as unknown as { binding(name: string): PipeBinding }).binding('pipe_wrap');
  const handle = new pipes.Pipe(pipes.constants.SOCKET);
  const status = handle.open(fd);
  if (typeof status === 'number' && status < 0)
    throw new Fault('internal', `Cannot adopt socket ${fd}: libuv error ${status}`);
  return handle;
}
