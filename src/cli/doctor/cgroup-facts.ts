/** Which control groups a machine has. */
import type { Host } from './host.ts';

export interface CgroupFacts {
  /** undefined where none are mounted. */
  version: 1 | 2 | undefined;
  /** A v2 hierarchy beside the v1 ones. */
  hybrid: boolean;
  controllers: readonly string[];
  /** v1: where each controller is mounted. */
  mounts: ReadonlyMap<string, string>;
}

const root = '/sys/fs/cgroup';

export function cgroupFacts(host: Host): CgroupFacts {
  const mounts = new Map<string, string>();
  let unified = false;
  let second = false;
  for (const line of (host.read('/proc/self/mounts') ?? '').split('\n')) {
    const [, target, type, options = ''] = line.split(' ');
    if (type === 'cgroup2' && target === root) unified = true;
    else if (type === 'cgroup2') second = true;
    if (type !== 'cgroup' || target === undefined) continue;
    for (const word of options.split(','))
      if (target.split('/').pop()?.split(',').includes(word)) mounts.set(word, target);
  }
  if (unified && mounts.size === 0) {
    const controllers = (host.read(`${root}/cgroup.controllers`) ?? '').trim().split(/\s+/).filter(Boolean);
    return { version: 2, hybrid: false, controllers, mounts };
  }
  const version = mounts.size > 0 ? 1 : second || unified ? 2 : undefined;
  return { version, hybrid: version === 1 && (second || unified), controllers: [...mounts.keys()], mounts };
}
