/** Where a container's control group is. Pure. */
import { join } from 'node:path';
import type { CgroupLayout } from '../linux/index.ts';
import type { Settings } from './context.ts';

/** As the runtime wants it. `parent` ("" or absent: the daemon's) is a path, with systemd a slice; below what was delegated to us, where that is all. */
export function cgroupPath(
  settings: Pick<Settings, 'cgroupParent' | 'systemdCgroup'> & { cgroups: Pick<CgroupLayout, 'delegated'> },
  id: string,
  parent: string | undefined,
): string {
  const above = parent || settings.cgroupParent;
  if (settings.systemdCgroup) return `${above || 'system.slice'}:wherry:${id}`;
  // As an absolute path: `..` ends at the root of the hierarchy.
  return join(parent ? (settings.cgroups.delegated ?? '/') : '/', join('/', above, id));
}
