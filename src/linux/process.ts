/** Facts about host processes from /proc. */
import { readFileSync } from 'node:fs';
import { errorCode } from '../std/index.ts';

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

/** The id of this boot: volatile records of another one are void. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
