/**
 * Starts a created container without spawning `runtime start`: its init waits on `exec.fifo` in the runtime's state folder
 * (runc's init writes there and waits for a reader, crun's reads and waits for a writer). Removing the fifo is what both
 * runtimes do on start, and what makes them report "running".
 */
import { closeSync, constants, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { errorCode, Fault } from '../std/index.ts';

/** @throws Fault conflict when the process is gone or was started before */
export async function releaseExecFifo(path: string, kind: 'runc' | 'crun', alive: () => boolean): Promise<void> {
  const byte = Buffer.alloc(1);
  let fd: number | undefined;
  try {
    for (let attempt = 0; ; attempt++) {
      // A reader stays open: runc's init gets SIGPIPE when its reader goes away between open and write.
      fd ??= tryOpen(path, (kind === 'crun' ? constants.O_WRONLY : constants.O_RDONLY) | constants.O_NONBLOCK);
      if (fd !== undefined && (kind === 'crun' ? writeSync(fd, byte) === 1 : tryRead(fd, byte))) break;
      if (!alive()) {
        // runc's init does not wait for its byte to be read: it may have run, and ended, since we looked.
        if (kind === 'runc' && fd !== undefined && tryRead(fd, byte)) break;
        throw new Fault('conflict', 'the container process ended before it was started');
      }
      await (attempt < 50 ? setImmediate() : sleep(2));
    }
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  try {
    unlinkSync(path);
  } catch (error) {
    // The container has ended already, and its state is cleaned up.
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function tryRead(fd: number, byte: Buffer): boolean {
  try {
    return readSync(fd, byte) === 1;
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return false;
    throw error;
  }
}

function tryOpen(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENXIO') return undefined;
    if (code === 'ENOENT') throw new Fault('conflict', 'the container was already started', { cause: error });
    throw error;
  }
}
