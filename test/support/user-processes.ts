/** Processes of users that exist only for a test, found by whom they belong to. */
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** All that live and belong to one of these ids: the user's own, and `count` subordinate ones from `subordinate` on. */
export function processesOfUser(user: {
  uid: number;
  subordinate: number;
  count: number;
}): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .filter((pid) => {
      const owner = ownerOf(pid);
      if (owner === undefined) return false;
      return owner === user.uid || (owner >= user.subordinate && owner < user.subordinate + user.count);
    })
    .map((pid) => ({ pid, command: commandOf(pid) }));
}

/** Undefined for what is gone, or over and not yet reaped. */
function ownerOf(pid: number): number | undefined {
  try {
    if (/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) return undefined;
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return undefined;
  }
}

export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '(gone)';
  }
}
