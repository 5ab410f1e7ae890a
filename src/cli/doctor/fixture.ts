/** For tests: a machine on which all is well, and what is different about one. */
import type { EngineFacts, Patient } from './check.ts';
import type { Answer, FileFacts, Host, ProgramOutcome, Space } from './host.ts';

export interface Difference {
  /** undefined: not there. */
  files?: Record<string, string | undefined>;
  lists?: Record<string, readonly string[] | undefined>;
  stats?: Record<string, Partial<FileFacts> | undefined>;
  /** Where a program is, and what it says to its arguments (joined by spaces, "" for any); undefined: not there. */
  programs?: Record<string, Record<string, Partial<ProgramOutcome>> | undefined>;
  sockets?: Record<string, Answer>;
  links?: Record<string, string>;
  space?: Partial<Space> | undefined;
  overlay?: string | undefined;
  host?: Partial<Pick<Host, 'uid' | 'user' | 'home' | 'env' | 'now'>>;
  engine?: Partial<EngineFacts>;
}

type EngineAnswer = Extract<Answer, { kind: 'engine' }>;

export const wherryAnswers: EngineAnswer = {
  kind: 'engine',
  product: 'Wherry',
  version: '28.5.2',
  dataRoot: '/var/lib/wherry',
  bridge: 'wherry0',
  ports: ['8080/tcp'],
};
export const dockerAnswers: EngineAnswer = {
  ...wherryAnswers,
  product: 'Docker',
  dataRoot: '/var/lib/docker',
  bridge: 'docker0',
  ports: [],
};
export const socket = '/run/wherry/wherry.sock';

const now = Date.UTC(2026, 10, 27);
const mountinfo = (type: string, options = 'rw', target = '/'): string =>
  `22 1 254:1 / ${target} ${options},relatime shared:1 - ${type} /dev/vda1 ${options}\n`;

const files: Record<string, string | undefined> = {
  '/proc/sys/kernel/osrelease': '6.1.0-28-amd64\n',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process\n',
  '/proc/sys/vm/memfd_noexec': '0\n',
  '/proc/sys/user/max_user_namespaces': '31000\n',
  '/proc/sys/kernel/keys/maxkeys': '200\n',
  '/proc/sys/fs/inotify/max_user_instances': '128\n',
  '/proc/sys/fs/inotify/max_user_watches': '65536\n',
  '/proc/sys/kernel/pid_max': '4194304\n',
  '/proc/sys/fs/file-max': '9223372036854775807\n',
  '/proc/sys/fs/nr_open': '1048576\n',
  '/proc/self/limits': 'Max open files            1048576              1048576              files\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory hugetlb pids\n',
  '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers': 'cpu memory pids\n',
  '/proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n',
  '/proc/self/mountinfo': mountinfo('ext4'),
  '/proc/swaps': 'Filename Type Size Used Priority\n/dev/vda2 partition 1 0 -2\n',
  '/proc/sys/net/ipv4/ip_forward': '1\n',
  '/proc/net/route':
    'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\neth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\neth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\nwherry0\t00001EAC\t00000000\t0001\t0\t0\t0\t00FCFFFF\t0\t0\t0\n',
  '/etc/resolv.conf': 'nameserver 192.168.1.1\n',
  '/etc/group': 'root:x:0:\ndocker:x:998:\n',
  '/etc/subuid': 'jo:100000:65536\n',
  '/etc/subgid': 'jo:100000:65536\n',
  '/run/wherry/wherryd.pid': '812\n',
  '/proc/812/cmdline': '/opt/wherry/bin/node\0/opt/wherry/dist/wherryd.js\0',
  '/proc/812/comm': 'node\n',
  '/etc/systemd/system/wherry.service': '[Service]\n',
  '/etc/systemd/system/wherry.socket': '[Socket]\nSocketGroup=docker\n',
  '/var/lib/wherry/last-verify.json': '{"at":"2026-11-20T00:00:00Z","quick":false,"problems":0}',
};

const programs: NonNullable<Difference['programs']> = {
  unshare: { '': { stdout: 'bridge\nveth\n' } },
  ip: {},
  crun: { '--version': { stdout: 'crun version 1.8.1\ncommit: 0\n' } },
  runc: { '--version': { stdout: 'runc version 1.1.5+ds1\n' } },
  conmon: { '--version': { stdout: 'conmon version 2.1.6\n' } },
  nft: { 'list tables': {}, '-j list ruleset': { stdout: '{"nftables":[]}' } },
  timedatectl: { '': { stdout: 'yes\n' } },
  systemctl: { '': { stdout: 'ActiveState=active\nUnitFileState=enabled\n' } },
  newuidmap: {},
  newgidmap: {},
  pasta: { '--version': { stdout: 'pasta 0.0~git20250503.587980c-2\n' } },
};

export function patientWith(difference: Difference = {}): Patient {
  const allFiles = { ...files, ...difference.files };
  const allPrograms = { ...programs, ...difference.programs };
  const sockets: Record<string, Answer> = {
    [socket]: wherryAnswers,
    '/var/run/docker.sock': { kind: 'absent' },
    ...difference.sockets,
  };
  const stats: NonNullable<Difference['stats']> = {
    [socket]: { kind: 'socket', mode: 0o660, gid: 998 },
    '/run/systemd/system': { kind: 'directory' },
    '/var/lib/wherry/engine-id': { modifiedMs: now - 100 * 86_400_000 },
    ...difference.stats,
  };
  const file = { kind: 'file', mode: 0o644, uid: 0, gid: 0, modifiedMs: now } as const;
  const host: Host = {
    uid: 0,
    user: difference.host?.uid === undefined ? 'root' : 'jo',
    home: '/root',
    env: {},
    now,
    ...difference.host,
    read: (path) => allFiles[path],
    list: (path) =>
      ({
        '/proc/self/ns': ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'],
        '/proc': ['1', '812', 'self'],
        ...difference.lists,
      })[path],
    stat: (path) => {
      if (path in stats) return stats[path] === undefined ? undefined : { ...file, ...stats[path] };
      return allFiles[path] === undefined ? undefined : file;
    },
    resolve: (path) => difference.links?.[path] ?? path,
    space: () =>
      'space' in difference && difference.space === undefined
        ? undefined
        : { total: 100e9, available: 50e9, inodes: 1e6, freeInodes: 9e5, ...difference.space },
    find: (program) => (program.startsWith('/') || allPrograms[program] !== undefined ? program : undefined),
    run: async (program, args) => {
      const said = allPrograms[program];
      const outcome = said?.[args.join(' ')] ?? said?.[''];
      return outcome === undefined ? undefined : { code: 0, stdout: '', stderr: '', ...outcome };
    },
    tryOverlay: async () => ('overlay' in difference ? difference.overlay : 'ok'),
    engineAt: async (path) => sockets[path] ?? { kind: 'absent' },
  };
  return {
    host,
    engine: {
      socket,
      url: `unix://${socket}`,
      isDefault: true,
      context: undefined,
      answer: sockets[socket]!,
      dataRoot: '/var/lib/wherry',
      bridge: 'wherry0',
      settings: {},
      units: new Map([
        ['/etc/systemd/system/wherry.service', '[Service]\n'],
        ['/etc/systemd/system/wherry.socket', '[Socket]\nSocketGroup=root\n'],
      ]),
      ...difference.engine,
    },
  };
}

export { mountinfo };
