/** Facts about host processes from /proc. */
import { closeSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { errorCode } from '../std/index.ts';
import { check, libc } from './libc.ts';

/** When the process started, in clock ticks since boot: with the pid it names a process for good. Undefined when it is gone or a zombie. */
export function processStart(pid: number): string | undefined {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** Whether `pid` is still the process that started at `start`. */
export function isAlive(pid: number, start: string): boolean {
  return pid > 0 && processStart(pid) === start;
}

// The same on every architecture (pidfd_open(2), pidfd_send_signal(2)).
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;

/**
 * Sends a signal to the process that started at `start`, and to no other that got its pid meanwhile.
 * @returns whether it was there to be signalled
 */
export function signalProcess(pid: number, start: string, signal: number): boolean {
  if (!isAlive(pid, start)) return false;
  const call = (name: string, result: number): number | undefined => {
    try {
      return check(name, result, String(pid));
    } catch (error) {
      if (errorCode(error) === 'ESRCH') return undefined;
      throw error;
    }
  };
  const open = libc('long syscall(long number, int pid, uint flags)');
  const descriptor = call('pidfd_open', open(PIDFD_OPEN, pid, 0));
  if (descriptor === undefined) return false;
  try {
    if (!isAlive(pid, start)) return false;
    const send = libc('long syscall(long number, int descriptor, int signal, void *info, uint flags)');
    return call('pidfd_send_signal', send(PIDFD_SEND_SIGNAL, descriptor, signal, null, 0)) !== undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** Whether a live process, not a zombie, runs with `argument` among its arguments. */
export function runsWith(pid: number, argument: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(argument);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ESRCH') return false;
    throw error;
  }
}

/** The processes that `pid` is the parent of. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ESRCH') return [];
    throw error;
  }
}

/** Whether the process counts pids as we do: it is in no other pid namespace. */
export function countsPidsAsWe(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === readlinkSync('/proc/self/ns/pid');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ESRCH') return false;
    throw error;
  }
}

/** The id of this boot: volatile records of another one are void. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Without control groups: the processes of the pid namespace of `pid`, and of those in it; undefined when that is ours or gone. */
export function processesOfNamespace(pid: number): number[] | undefined {
  const namespace = pidNamespace(pid);
  if (namespace === undefined || namespace === pidNamespace(process.pid)) return undefined;
  const parents = new Map<number, number>();
  for (const each of allPids()) {
    const parent = parentOf(each);
    if (parent !== undefined) parents.set(each, parent);
  }
  const children = Map.groupBy(parents.keys(), (each) => parents.get(each)!);
  const found = new Set([...parents.keys()].filter((each) => pidNamespace(each) === namespace));
  for (const each of found) for (const child of children.get(each) ?? []) found.add(child);
  return [...found];
}

/** The processes whose root is on the file system that is mounted at `folder`; none when nothing is mounted there. */
export function processesOn(folder: string): number[] {
  const mounted = deviceAt(folder);
  if (mounted === undefined || mounted === deviceAt(`${folder}/..`)) return [];
  return allPids().filter((pid) => deviceAt(`/proc/${pid}/root`) === mounted);
}

function deviceAt(path: string): number | undefined {
  try {
    return statSync(path).dev;
  } catch {
    return undefined;
  }
}

function allPids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}
