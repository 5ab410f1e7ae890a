/** Resource limits that this daemon itself may not exceed. */
import { readFileSync } from 'node:fs';
import { privileges } from '../linux/index.ts';

/** Without CAP_SYS_RESOURCE no limit can go above the daemon's own hard one. */
export function rlimitCeilings(): ReadonlyMap<string, number> {
  if (privileges().mayRaiseLimits) return new Map();
  const rows: Record<string, string> = {
    core: 'Max core file size',
    cpu: 'Max cpu time',
    data: 'Max data size',
    fsize: 'Max file size',
    locks: 'Max file locks',
    memlock: 'Max locked memory',
    msgqueue: 'Max msgqueue size',
    nice: 'Max nice priority',
    nofile: 'Max open files',
    nproc: 'Max processes',
    rss: 'Max resident set',
    rtprio: 'Max realtime priority',
    rttime: 'Max realtime timeout',
    sigpending: 'Max pending signals',
    stack: 'Max stack size',
  };
  const text = readFileSync('/proc/self/limits', 'utf8');
  const ceilings = new Map<string, number>();
  for (const [name, title] of Object.entries(rows)) {
    const match = new RegExp(`^${title}\\s+\\S+\\s+(\\d+)`, 'm').exec(text);
    if (match !== null) ceilings.set(name, Number(match[1]));
  }
  return ceilings;
}

/** Ulimits that will be clamped, as warnings for create. */
export function ulimitWarnings(ulimits: readonly { Name: string; Hard: number }[]): string[] {
  const ceilings = rlimitCeilings();
  return ulimits
    .filter(
      ({ Name, Hard }) =>
        (ceilings.get(Name) ?? Number.POSITIVE_INFINITY) < (Hard === -1 ? Number.POSITIVE_INFINITY : Hard),
    )
    .map(
      ({ Name, Hard }) =>
        `ulimit ${Name}=${Hard} is above the hard limit ${ceilings.get(Name)} of this daemon, which may not raise it; ${ceilings.get(Name)} is used`,
    );
}
