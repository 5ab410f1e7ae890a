/**
 * Programs started by posix_spawn(3): its cost does not grow with the daemon's memory (Node's spawn forks, which copies page
 * tables and stops the event loop for milliseconds). The caller hands over descriptors, and reaps.
 */
import { closeSync, constants as fileConstants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { constants } from 'node:os';
import { setImmediate as immediate, setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';
import { check, libc, SystemError } from './libc.ts';

export interface SpawnOptions {
  cwd?: string;
  env: Readonly<Record<string, string | undefined>>;
  /** The child's descriptors 0, 1, 2, …; 'null' is /dev/null. They stay the caller's to close. */
  descriptors: readonly (number | 'null')[];
}

const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;
/** Sources below this could be overwritten while the child's descriptors are laid out. */
const SAFE_DESCRIPTOR = 32;
const F_DUPFD_CLOEXEC = 1030;
/** More than glibc's structures and signal set need on any machine. */
const STRUCT_BYTES = 512;

const actionsAdd = 'int posix_spawn_file_actions_adddup2(void *actions, int from, int to)';
const actionsChdir = 'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)';
const spawnPrototype =
  'int posix_spawn(_Out_ int *pid, const char *path, const void *actions, const void *attributes, const char **argv, const char **envp)';

/**
 * Starts `file` in a session of its own with default signals. Returns its pid, which the caller reaps with `exited`.
 * @throws SystemError when it cannot be executed
 */
export function spawnProcess(file: string, args: readonly string[], options: SpawnOptions): number {
  const actions = Buffer.alloc(STRUCT_BYTES);
  const attributes = Buffer.alloc(STRUCT_BYTES);
  const borrowed: number[] = [];
  libc('int posix_spawn_file_actions_init(void *actions)')(actions);
  libc('int posix_spawnattr_init(void *attributes)')(attributes);
  try {
    prepareAttributes(attributes);
    for (const [target, source] of options.descriptors.entries()) {
      const from = source === 'null' ? openSync('/dev/null', fileConstants.O_RDWR) : source;
      if (source === 'null') borrowed.push(from);
      const safe = from >= SAFE_DESCRIPTOR ? from : duplicateAbove(from);
      if (safe !== from) borrowed.push(safe);
      libc(actionsAdd)(actions, safe, target);
    }
    if (options.cwd !== undefined) libc(actionsChdir)(actions, options.cwd);
    const environment = Object.entries(options.env).flatMap(([key, value]) =>
      value === undefined ? [] : [`${key}=${value}`],
    );
    const pid = [0];
    const error = libc(spawnPrototype)(pid, file, actions, attributes, [file, ...args, null], [...environment, null]);
    if (error !== 0) throw new SystemError('posix_spawn', error, file);
    return pid[0]!;
  } finally {
    for (const descriptor of borrowed) closeSync(descriptor);
    libc('int posix_spawn_file_actions_destroy(void *actions)')(actions);
    libc('int posix_spawnattr_destroy(void *attributes)')(attributes);
  }
}

/** Node ignores SIGPIPE and may block signals; a child must not inherit that. */
function prepareAttributes(attributes: Buffer): void {
  const signals = Buffer.alloc(STRUCT_BYTES);
  libc('int posix_spawnattr_setsigmask(void *attributes, const void *signals)')(attributes, signals);
  libc('int sigfillset(void *signals)')(signals);
  libc('int posix_spawnattr_setsigdefault(void *attributes, const void *signals)')(attributes, signals);
  libc('int posix_spawnattr_setflags(void *attributes, short flags)')(attributes, SETSIGDEF | SETSIGMASK | SETSID);
}

function duplicateAbove(descriptor: number): number {
  const call = libc('int fcntl(int descriptor, int command, int argument)');
  return check('fcntl', call(descriptor, F_DUPFD_CLOEXEC, SAFE_DESCRIPTOR), String(descriptor));
}

/**
 * Waits until `pid`, a child of ours, has ended, and reaps it. `alive` is our end of a pipe whose other end only the child holds:
 * its end tells; without it the child is known to end soon. Returns the exit code, or 128 + the signal that ended it, as shells say it.
 */
export async function exited(pid: number, alive?: Socket): Promise<number> {
  if (alive !== undefined) {
    await new Promise<void>((resolve) => {
      alive.once('close', resolve);
      alive.resume();
    });
  }
  // The kernel closes a process's descriptors a moment before its exit status can be had.
  for (let attempt = 0; ; attempt++) {
    const code = reap(pid);
    if (code !== undefined) return code;
    await (attempt < 10 ? immediate() : sleep(Math.min(attempt, 100)));
  }
}

function reap(pid: number): number | undefined {
  const status = Buffer.alloc(4);
  const noHang = 1;
  const result = libc('int waitpid(int pid, void *status, int options)')(pid, status, noHang);
  if (result < 0) throw new SystemError('waitpid', koffi.errno(), String(pid));
  if (result === 0) return undefined;
  const value = status.readInt32LE(0);
  const signal = value & 0x7f;
  return signal === 0 ? (value >> 8) & 0xff : 128 + signal;
}

/** A pipe whose ends close on exec: `[reading, writing]`. */
export function pipePair(): [number, number] {
  const ends = Buffer.alloc(8);
  check('pipe2', libc('int pipe2(void *ends, int flags)')(ends, 0o2000000), '');
  return [ends.readInt32LE(0), ends.readInt32LE(4)];
}

/** So many pipes, or none. @throws SystemError EMFILE, ENFILE */
export function pipePairs(count: number): [number, number][] {
  const pairs: [number, number][] = [];
  try {
    while (pairs.length < count) pairs.push(pipePair());
  } catch (error) {
    for (const end of pairs.flat()) closeSync(end);
    throw error;
  }
  return pairs;
}

/** Our end of a pipe as a stream, which owns the descriptor from now on. */
export function pipeStream(descriptor: number, direction: 'read' | 'write'): Socket {
  const stream = new Socket({ fd: descriptor, readable: direction === 'read', writable: direction === 'write' });
  // A child that is gone shows as the end of its pipes; what is still being written to it is lost with it.
  stream.on('error', () => {});
  return stream;
}

/**
 * A copy of the program in sealed memory, open for as long as this process lives; returns a path that starts it. Runtimes that
 * enter containers copy themselves so at every start, lest a container overwrite them (CVE-2019-5736): given one, they need not.
 */
export function sealProgram(name: string, bytes: Buffer): string {
  const [closeOnExec, allowSealing, executable] = [1, 2, 0x10];
  const create = libc('int memfd_create(const char *name, unsigned int flags)');
  let descriptor = create(name, closeOnExec | allowSealing | executable);
  // Kernels before 6.3 do not know MFD_EXEC, and need it not.
  if (descriptor < 0 && koffi.errno() === constants.errno.EINVAL) descriptor = create(name, closeOnExec | allowSealing);
  check('memfd_create', descriptor, name);
  const write = libc('long write(int descriptor, const void *bytes, size_t size)');
  for (let at = 0; at < bytes.length; ) {
    at += check('write', write(descriptor, bytes.subarray(at), bytes.length - at), name);
  }
  const [addSeals, allSeals] = [1033, 15];
  check('fcntl', libc('int fcntl(int descriptor, int command, int argument)')(descriptor, addSeals, allSeals), name);
  return `/proc/${process.pid}/fd/${descriptor}`;
}
