/**
 * Hybrid cgroups: crun refuses to run while a v2 hierarchy is mounted beside the v1 ones. The daemon then runs itself in a mount
 * namespace of its own in which only that hierarchy is taken away; all other mounts propagate as before.
 */
import { check, cgroupLayout, libc, mount, mountFlags, privileges, unmount } from '../linux/index.ts';
import { furnishUserNamespace } from './user-namespace.ts';

const CLONE_NEWNS = 0x20000;
const MARK = 'WHERRY_MOUNT_NAMESPACE';

/** Replaces this process by itself in the new namespace when the host needs it; returns when nothing is to be done. */
export function enterMountNamespace(): void {
  if (process.env[MARK] !== undefined || process.getuid?.() !== 0) return;
  if (privileges().inUserNamespace) {
    furnishUserNamespace();
    return;
  }
  const layout = cgroupLayout();
  if (layout.version !== 1 || !layout.hybrid) return;
  check('unshare', libc('int unshare(int flags)')(CLONE_NEWNS), 'mount namespace');
  mount({ source: 'none', target: '/sys/fs/cgroup', flags: mountFlags.private | mountFlags.rec });
  unmount('/sys/fs/cgroup/unified');
  keepActivatedSockets();
  const environment = { ...process.env, [MARK]: '1' };
  process.execve!(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], environment);
}

/** Node marks what it inherits as closed on exec: the sockets of a service manager (sd_listen_fds(3)) must go along. */
function keepActivatedSockets(): void {
  const count = Number(process.env['LISTEN_FDS'] ?? '0');
  const setFlags = 2;
  for (let fd = 3; fd < 3 + count; fd++) libc('int fcntl(int fd, int command, int argument)')(fd, setFlags, 0);
}
