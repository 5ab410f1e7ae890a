/** Control groups: which, with what controllers, and whether swap is counted. */
import { cgroupFacts } from './cgroup-facts.ts';
import { type Check, fail, ok, warn } from './check.ts';

const reboot = 'then reboot';

export const cgroupChecks: readonly Check[] = [
  {
    id: 'cgroup',
    title: 'Control groups',
    run(host) {
      const { version, hybrid } = cgroupFacts(host);
      if (version === undefined) return fail('none are mounted', 'sudo mount -t cgroup2 none /sys/fs/cgroup');
      if (version === 2) return ok('version 2');
      return hybrid
        ? warn(
            'version 1 with version 2 beside it (hybrid)',
            `add systemd.unified_cgroup_hierarchy=1 to the kernel's command line, ${reboot}`,
          )
        : ok('version 1');
    },
  },
  {
    id: 'controllers',
    title: 'Controllers',
    run(host) {
      const { version, controllers } = cgroupFacts(host);
      if (version === undefined) return fail('none', 'sudo mount -t cgroup2 none /sys/fs/cgroup');
      const lacks = (names: readonly string[]): string[] => names.filter((name) => !controllers.includes(name));
      const needed = lacks(['cpu', 'memory', 'pids']);
      if (needed.includes('memory'))
        return fail(
          `missing: ${needed.join(', ')}; limits on them are refused`,
          `add cgroup_enable=memory to the kernel's command line, ${reboot}`,
        );
      if (needed.length > 0)
        return fail(
          `missing: ${needed.join(', ')}; limits on them are refused`,
          'grep cgroup /proc/filesystems; zgrep CGROUP /proc/config.gz',
        );
      const wanted = lacks(['cpuset', version === 2 ? 'io' : 'blkio']);
      return wanted.length > 0
        ? warn(`missing: ${wanted.join(', ')}; limits on them are refused`, 'zgrep CGROUP /proc/config.gz')
        : ok(controllers.join(' '));
    },
  },
  {
    id: 'swap',
    title: 'Swap accounting',
    run(host) {
      const { version, mounts } = cgroupFacts(host);
      const memory = mounts.get('memory');
      // The root group of version 2 has no limits: one below it tells.
      const groups = (host.list('/sys/fs/cgroup') ?? []).map((name) => `/sys/fs/cgroup/${name}`);
      const below = groups.filter((path) => host.stat(`${path}/memory.max`) !== undefined);
      if (version === 2 && below.length === 0) return ok('no group yet that would tell');
      const counted =
        version === 2
          ? below.some((path) => host.stat(`${path}/memory.swap.max`) !== undefined)
          : memory !== undefined && host.stat(`${memory}/memory.memsw.limit_in_bytes`) !== undefined;
      return counted
        ? ok('swap is counted')
        : warn('--memory-swap has no effect', `add swapaccount=1 to the kernel's command line, ${reboot}`);
    },
  },
];
