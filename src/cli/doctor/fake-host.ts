/** For tests: a machine on which everything is as it should be, and what is said otherwise. */
import type { Answer, Ended, FileSystemFacts, Host, PathFacts } from './host.ts';

export interface Differences
  extends Partial<Omit<Host, 'read' | 'list' | 'stat' | 'space' | 'find' | 'run' | 'ask' | 'processes'>> {
  files?: Readonly<Record<string, string | undefined>>;
  folders?: Readonly<Record<string, readonly string[] | undefined>>;
  paths?: Readonly<Record<string, PathFacts>>;
  fileSystem?: Partial<FileSystemFacts> | 'unknown';
  /** What programs print, by name; undefined: not installed. A number is how they fail. */
  programs?: Readonly<Record<string, string | number | undefined>>;
  processes?: readonly string[];
  answers?: Readonly<Record<string, Answer>>;
}

export const fakeSocket = '/run/wherry/wherry.sock';

const files: Record<string, string | undefined> = {
  '/proc/sys/kernel/osrelease': '6.1.0-18-amd64\n',
  '/proc/filesystems': 'nodev\tsysfs\nnodev\toverlay\n\text4\n',
  '/proc/self/status': 'Name:\tnode\nSeccomp:\t0\n',
  '/proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/etc/resolv.conf': 'nameserver 192.0.2.53\n',
  '/proc/sys/fs/inotify/max_user_instances': '1024\n',
  '/proc/sys/fs/inotify/max_user_watches': '524288\n',
  '/proc/self/limits':
    'Limit  Soft  Hard  Units\nMax open files            1024                 1048576              files     \n',
  '/proc/sys/kernel/pid_max': '4194304\n',
  '/proc/sys/kernel/threads-max': '126000\n',
  '/etc/subuid': 'root:1:1\nann:100000:65536\n',
  '/etc/subgid': 'ann:100000:65536\n',
};

const folders: Record<string, readonly string[] | undefined> = {
  '/proc/self/ns': ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'],
  '/sys/module/bridge': [],
  '/sys/module/veth': [],
  '/sys/fs/cgroup': ['system.slice'],
};

const paths: Record<string, PathFacts> = Object.fromEntries(
  ['memory.max', 'memory.swap.max'].map((name) => [
    `/sys/fs/cgroup/system.slice/${name}`,
    { kind: 'file', mode: 0o644, uid: 0, gid: 0 },
  ]),
);

const programs: Record<string, string | number | undefined> = {
  crun: 'crun version 1.8.1\n',
  runc: 'runc version 1.1.5\n',
  conmon: 'conmon version 2.1.6\n',
  nft: '',
  newuidmap: '',
  newgidmap: '',
  pasta: '',
  timedatectl: 'yes\n',
};

export function fakeHost(differences: Differences = {}): Host {
  const all = <T>(standard: Record<string, T>, others: Readonly<Record<string, T>> = {}): Record<string, T> => ({
    ...standard,
    ...others,
  });
  const text = all(files, differences.files);
  const listed = all(folders, differences.folders);
  const facts = all(paths, differences.paths);
  const installed = all(programs, differences.programs);
  const nameOf = (program: string): string => program.split('/').pop()!;
  const answers: Readonly<Record<string, Answer>> = differences.answers ?? {
    [fakeSocket]: { state: 'answers', platform: 'Wherry 0.1.0', version: '28.5.2', dataRoot: '/var/lib/wherry' },
  };
  const run = (program: string): Ended | undefined => {
    const said = installed[nameOf(program)];
    if (said === undefined) return undefined;
    return typeof said === 'number'
      ? { code: said, stdout: '', stderr: 'it failed\n' }
      : { code: 0, stdout: said, stderr: '' };
  };
  return {
    env: differences.env ?? {},
    uid: differences.uid ?? 1000,
    user: differences.user ?? 'ann',
    now: differences.now ?? Date.UTC(2026, 10, 27),
    endpoint: differences.endpoint ?? { url: `unix://${fakeSocket}`, because: undefined },
    socket: differences.socket ?? fakeSocket,
    pidfile: differences.pidfile ?? '/run/wherry/wherryd.pid',
    dataRoot: differences.dataRoot ?? '/var/lib/wherry',
    processes: () => differences.processes ?? ['init', 'sshd'],
    read: (path) => text[path],
    list: (path) => listed[path],
    stat: (path) => facts[path],
    space: () =>
      differences.fileSystem === 'unknown'
        ? undefined
        : { type: 0xef53, size: 100e9, available: 60e9, inodes: 6e6, freeInodes: 5e6, ...differences.fileSystem },
    find: (program) => (installed[nameOf(program)] === undefined ? undefined : `/usr/bin/${nameOf(program)}`),
    run: async (program) => run(program),
    ask: async (socket) => answers[socket] ?? { state: 'absent' },
  };
}

/** A machine about which nothing can be told. */
export function unknownHost(): Host {
  return {
    ...fakeHost({ answers: {}, fileSystem: 'unknown' }),
    read: () => undefined,
    list: () => undefined,
    stat: () => undefined,
    find: () => undefined,
    run: async () => undefined,
  };
}
