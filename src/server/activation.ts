/** Sockets handed over by a service manager (sd_listen_fds(3)): what fd:// listens on. */

const firstFd = 3;

/** File descriptors passed to this process; empty when the variables are absent or meant for another process. */
export function activatedFds(environment: Readonly<Record<string, string | undefined>>, pid: number): number[] {
  const count = Number(environment['LISTEN_FDS'] ?? '0');
  if (environment['LISTEN_PID'] !== String(pid) || !Number.isInteger(count) || count < 1) return [];
  return Array.from({ length: count }, (_, index) => firstFd + index);
}
