/**
 * Who a container of a test belongs to: a process, named so that any other can tell whether it still lives. A pid alone is not enough: it is
 * given to others, and means nothing on another machine or in another container.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface Owner {
  machine: string;
  /** One life of the machine's kernel. */
  boot: string;
  /** Its namespace of pids. */
  namespace: string;
  pid: number;
  /** When it started, in ticks since the boot. */
  started: string;
}

export function currentOwner(): Owner {
  return { ...place(), pid: process.pid, started: startOf(process.pid) ?? '' };
}

export function ownerText({ machine, boot, namespace, pid, started }: Owner): string {
  return [machine, boot, namespace, pid, started].join('/');
}

/** undefined for what is none. */
export function parseOwner(text: string | undefined): Owner | undefined {
  const [machine, boot, namespace, pid, started, ...more] = text?.split('/') ?? [];
  if (machine === undefined || boot === undefined || namespace === undefined || started === undefined) return undefined;
  if (more.length > 0 || !/^\d+$/.test(pid ?? '')) return undefined;
  return { machine, boot, namespace, pid: Number(pid), started };
}

/** Of whom nothing can be known, and whose things go once they are old. */
export type Life = 'alive' | 'dead' | 'unknown';

export function lifeOf(owner: Owner, here = place(), start: typeof startOf = startOf): Life {
  if (owner.machine !== here.machine) return 'unknown';
  if (owner.boot !== here.boot) return 'dead';
  if (owner.namespace !== here.namespace) return 'unknown';
  return start(owner.pid) === owner.started ? 'alive' : 'dead';
}

function place(): Pick<Owner, 'machine' | 'boot' | 'namespace'> {
  return {
    machine: (read('/etc/machine-id') ?? hostname()).trim().replaceAll('/', '-'),
    boot: (read('/proc/sys/kernel/random/boot_id') ?? '').trim(),
    namespace: /\d+/.exec(link('/proc/self/ns/pid') ?? '')?.[0] ?? '',
  };
}

/** undefined when there is no such process, or only what is left of one. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined) return process.platform === 'linux' || !isThere(pid) ? undefined : '';
  // The program's name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** For systems without /proc. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.trim() === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
