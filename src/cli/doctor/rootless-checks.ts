/** What a user needs to have an engine without root. */
import { type Check, ok, warn } from './check.ts';
import { type Host, readNumber } from './host.ts';

const fewestIds = 65_536;

export const rootlessChecks: readonly Check[] = [
  {
    id: 'rootless',
    title: 'Without root',
    run(host) {
      const lacks = obstacles(host);
      if (lacks.length === 0) return ok(host.uid === 0 ? 'users could have engines of their own' : 'ready');
      const text = lacks.map(({ what }) => what).join(', ');
      // Nobody asked for it where root looks.
      return host.uid === 0
        ? ok(`not needed by root; for users: ${text}`)
        : warn(`not ready: ${text}`, lacks.map(({ mend }) => mend).join('; '));
    },
  },
];

interface Obstacle {
  what: string;
  mend: string;
}

function obstacles(host: Host): Obstacle[] {
  const found: Obstacle[] = [];
  const user = host.uid === 0 ? undefined : host.user;
  const add = (isMissing: boolean, what: string, mend: string): void => {
    if (isMissing) found.push({ what, mend });
  };
  for (const file of ['/etc/subuid', '/etc/subgid']) {
    const option = file === '/etc/subuid' ? '--add-subuids' : '--add-subgids';
    add(
      user !== undefined && ids(host, file, user) < fewestIds,
      `no ${fewestIds} ids in ${file}`,
      `sudo usermod ${option} 100000-165535 ${user ?? ''}`,
    );
  }
  const missing = (...names: string[]): boolean => names.every((name) => host.find(name) === undefined);
  add(missing('newuidmap') || missing('newgidmap'), 'no newuidmap', 'sudo apt-get install uidmap');
  add(missing('pasta', 'slirp4netns'), 'neither pasta nor slirp4netns', 'sudo apt-get install passt');
  const [major = 0, minor = 0] = (host.read('/proc/sys/kernel/osrelease') ?? '').split('.').map(Number);
  // From 5.11 on users may mount overlayfs themselves.
  add(
    (major < 5 || (major === 5 && minor < 11)) && missing('fuse-overlayfs'),
    'no fuse-overlayfs on a kernel before 5.11',
    'sudo apt-get install fuse-overlayfs',
  );
  add(
    readNumber(host, '/proc/sys/kernel/unprivileged_userns_clone') === 0,
    'users may not make user namespaces',
    'sudo sysctl -w kernel.unprivileged_userns_clone=1',
  );
  add(
    readNumber(host, '/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === 1,
    'AppArmor keeps users from making user namespaces',
    'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  );
  return found;
}

/** How many ids a file of subordinate ids gives a user, by name or number. */
function ids(host: Host, file: string, user: string): number {
  return (host.read(file) ?? '')
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([owner]) => owner === user || owner === String(host.uid))
    .reduce((sum, [, , count]) => sum + Number(count ?? 0), 0);
}
