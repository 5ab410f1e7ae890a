/** Limits of the kernel that many containers run into. */
import { type Check, ok, warn } from './check.ts';
import { readNumber } from './host.ts';

const fewestInstances = 128;
const fewestWatches = 8192;
const fewestFiles = 65_536;
const fewestPids = 32_768;

export const limitChecks: readonly Check[] = [
  {
    id: 'inotify',
    title: 'inotify',
    run(host) {
      const instances = readNumber(host, '/proc/sys/fs/inotify/max_user_instances');
      const watches = readNumber(host, '/proc/sys/fs/inotify/max_user_watches');
      if (instances === undefined || watches === undefined)
        return warn('its limits cannot be read', 'sysctl fs.inotify');
      if (instances < fewestInstances)
        return warn(
          `only ${instances} instances a user: watching programs fail with "too many open files"`,
          'sudo sysctl -w fs.inotify.max_user_instances=1024',
        );
      return watches < fewestWatches
        ? warn(`only ${watches} watches a user`, 'sudo sysctl -w fs.inotify.max_user_watches=524288')
        : ok(`${instances} instances, ${watches} watches`);
    },
  },
  {
    id: 'nofile',
    title: 'Open files',
    run(host) {
      const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(host.read('/proc/self/limits') ?? '')?.[1];
      if (hard === undefined) return warn('the limit cannot be read', 'ulimit -Hn');
      return hard !== 'unlimited' && Number(hard) < fewestFiles
        ? warn(`at most ${hard} a process; the service may open 1048576`, 'sudo wherry system install')
        : ok(`at most ${hard} a process`);
    },
  },
  {
    id: 'pids',
    title: 'Processes',
    run(host) {
      const pids = readNumber(host, '/proc/sys/kernel/pid_max');
      const threads = readNumber(host, '/proc/sys/kernel/threads-max');
      if (pids === undefined || threads === undefined)
        return warn('the limits cannot be read', 'sysctl kernel.pid_max');
      if (pids < fewestPids) return warn(`only ${pids} process ids`, 'sudo sysctl -w kernel.pid_max=4194304');
      return threads < 4096
        ? warn(`only ${threads} threads on the whole machine`, 'sudo sysctl -w kernel.threads-max=65536')
        : ok(`${pids} process ids, ${threads} threads`);
    },
  },
];
