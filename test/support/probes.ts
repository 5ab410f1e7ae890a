/**
 * What the known escapes of the field begin with, as small deeds from inside a container. Each is answered `denied` or `allowed`; two
 * engines answer the same table, row by row. An image for them: busybox, and the host's perl for system calls by number.
 */
import { copyFileSync, mkdirSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Docker, execute } from './docker.ts';
import { busyboxImage } from './images.ts';

export const probeImage = 'probe:1';

/** Puts the image into an engine. @throws Error with the reason, where there is no perl on the host */
export async function loadProbeImage(docker: Docker, scratch: string): Promise<void> {
  await docker.ok('load', '-q', '-i', await busyboxImage());
  const listed = await execute('ldd', ['/usr/bin/perl']);
  if (listed.code !== 0) throw new Error('no perl on this host');
  const libraries = [...listed.stdout.matchAll(/(\/\S+)/g)].map((match) => match[1]!);
  const root = join(scratch, 'perl');
  for (const file of ['/usr/bin/perl', ...libraries]) {
    // The loader's name is written into the program: under it, whatever the folder is a link to.
    const target = join(root, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(file), target);
  }
  const id = await docker.ok('create', 'busybox');
  for (const top of ['usr', 'lib', 'lib64']) {
    const copied = await docker.run(['cp', join(root, top), `${id}:/`]);
    if (copied.code !== 0 && !copied.stderr.includes('no such file')) throw new Error(copied.stderr);
  }
  await docker.ok('commit', id, probeImage);
  await docker.ok('rm', id);
  rmSync(root, { recursive: true });
  if ((await docker.run(['run', '--rm', probeImage, 'perl', '-e', '1'])).code !== 0)
    throw new Error('perl does not run in a container');
}

interface Probe {
  readonly name: string;
  /** A shell line that succeeds when the deed was let through. */
  readonly line: string;
}

/** System calls that Docker's profile refuses to a container without more capabilities, x86-64 and arm64 numbers, with harmless arguments. */
const calls: Readonly<Record<string, readonly [x64: number, arm64: number, ...args: (number | string)[]]>> = {
  acct: [163, 89, 0],
  add_key: [248, 217, '"user"', '"x"', '"y"', 1, -3],
  bpf: [321, 280, 0, 0, 0],
  clock_adjtime: [305, 266, 0, 0],
  clock_settime: [227, 112, 0, 0],
  'clone, new user namespace': [56, 220, 0x10000000 | 17, 0, 0, 0, 0],
  clone3: [435, 435, 0, 0],
  delete_module: [176, 106, '"none"', 0],
  fanotify_init: [300, 262, 0, 0],
  finit_module: [313, 273, -1, '""', 0],
  fsconfig: [431, 431, -1, 0, 0, 0, 0],
  fsmount: [432, 432, -1, 0, 0],
  fsopen: [430, 430, '"tmpfs"', 0],
  fspick: [433, 433, -1, '""', 0],
  get_mempolicy: [239, 236, 0, 0, 0, 0, 0],
  init_module: [175, 105, 0, 0, '""'],
  io_uring_setup: [425, 425, 1, 0],
  io_uring_enter: [426, 426, -1, 0, 0, 0, 0],
  io_uring_register: [427, 427, -1, 0, 0, 0],
  kcmp: [312, 272, 1, 1, 0, 0, 0],
  kexec_file_load: [320, 294, -1, -1, 0, 0, 0],
  kexec_load: [246, 104, 0, 0, 0, 0],
  keyctl: [250, 219, 0, -3, 0],
  lookup_dcookie: [212, 18, 0, 0, 0],
  mbind: [237, 235, 0, 0, 0, 0, 0, 0],
  mount: [165, 40, 0, '"/tmp"', 0, 0, 0],
  mount_setattr: [442, 442, -1, '""', 0, 0, 0],
  move_mount: [429, 429, -1, '""', -1, '""', 0],
  move_pages: [279, 239, 0, 0, 0, 0, 0, 0],
  name_to_handle_at: [303, 264, -100, '"/"', 0, 0, 0],
  nfsservctl: [180, 42, 0, 0, 0],
  open_by_handle_at: [304, 265, -1, 0, 0],
  open_tree: [428, 428, -1, '""', 0],
  perf_event_open: [298, 241, 0, 0, -1, -1, 0],
  pidfd_getfd: [438, 438, -1, 0, 0],
  pivot_root: [155, 41, '"/tmp"', '"/tmp"'],
  process_madvise: [440, 440, -1, 0, 0, 0, 0],
  process_vm_readv: [310, 270, 1, 0, 0, 0, 0, 0],
  process_vm_writev: [311, 271, 1, 0, 0, 0, 0, 0],
  ptrace: [101, 117, 0, 0, 0, 0],
  quotactl: [179, 60, 0, 0, 0, 0],
  reboot: [169, 142, 0, 0, 0, 0],
  request_key: [249, 218, '"user"', '"x"', 0, 0],
  set_mempolicy: [238, 237, 0, 0, 0],
  setns: [308, 268, -1, 0],
  settimeofday: [164, 170, 0, 0],
  'socket, AF_VSOCK': [41, 198, 40, 1, 0],
  'socket, AF_ALG': [41, 198, 38, 5, 0],
  'socket, AF_PACKET': [41, 198, 17, 3, 0],
  swapoff: [168, 225, '"/none"'],
  swapon: [167, 224, '"/none"', 0],
  syslog: [103, 116, 3, 0, 0],
  umount2: [166, 39, '"/none"', 0],
  'unshare, files and namespaces': [272, 97, 0x20000],
  'unshare, user namespace': [272, 97, 0x10000000],
  userfaultfd: [323, 282, 1],
  vhangup: [153, 58],
};

/** Only on x86-64: calls of the past, and numbers of its other interfaces. */
const old: Readonly<Record<string, readonly [number, ...(number | string)[]]>> = {
  'clock_settime, x32': [0x40000000 + 227, 0, 0],
  'getpid, x32': [0x40000000 + 39],
  ioperm: [173, 0, 0, 0],
  iopl: [172, 3],
  modify_ldt: [154, 0, 0, 0],
  'personality, any': [135, 0x0400000],
  sysfs: [139, 3],
  uselib: [134, '"/none"'],
  ustat: [136, 0, 0],
  vm86: [0x40000000 + 166],
};

/** Let through means: whatever the kernel then said, it was not the filter's EPERM or ENOSYS. */
function callProbe(name: string, number: number, args: readonly (number | string)[]): Probe {
  const list = [number, ...args].join(', ');
  const line = `perl -e '$! = 0; $r = syscall(${list}); exit(($r < 0 && ($! == 1 || $! == 38)) ? 1 : 0)'`;
  return { name: `call ${name}`, line };
}

function callProbes(): Probe[] {
  const arm = process.arch === 'arm64';
  return [
    ...Object.entries(calls).map(([name, [x64, arm64, ...args]]) => callProbe(name, arm ? arm64 : x64, args)),
    ...(arm ? [] : Object.entries(old).map(([name, [number, ...args]]) => callProbe(name, number, args))),
  ];
}

const writes = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/panic',
  '/proc/sys/kernel/shmmax',
  '/proc/sys/vm/overcommit_memory',
  '/proc/sys/vm/panic_on_oom',
  '/proc/sys/fs/binfmt_misc/register',
  '/proc/sys/fs/file-max',
  '/proc/sys/net/ipv4/ip_forward',
  '/proc/sys/net/core/somaxconn',
  '/proc/sysrq-trigger',
  '/proc/irq/0/smp_affinity',
  '/proc/bus/pci/devices',
  '/proc/self/oom_score_adj',
  '/proc/1/oom_score_adj',
  '/proc/self/uid_map',
  '/proc/self/attr/current',
  '/sys/kernel/uevent_helper',
  '/sys/kernel/mm/transparent_hugepage/enabled',
  '/sys/module/kernel/parameters/panic',
  '/sys/power/state',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes',
  '/sys/fs/cgroup/memory/release_agent',
  '/sys/fs/cgroup/devices/devices.allow',
  '/sys/fs/cgroup/pids/pids.max',
  '/sys/fs/cgroup/cgroup.procs',
  '/sys/class/net/eth0/mtu',
];

const reads = [
  '/proc/kcore',
  '/proc/keys',
  '/proc/key-users',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/interrupts',
  '/proc/kallsyms',
  '/proc/kmsg',
  '/proc/kpagecount',
  '/proc/kpageflags',
  '/proc/iomem',
  '/proc/slabinfo',
  '/proc/vmallocinfo',
  '/proc/1/environ',
  '/proc/acpi/wakeup',
  '/proc/scsi/scsi',
  '/sys/firmware/dmi/tables/DMI',
  '/sys/firmware/memmap/0/start',
  '/sys/devices/virtual/powercap/uevent',
  '/sys/kernel/debug/sleep_time',
  '/sys/kernel/security/lsm',
  '/sys/kernel/tracing/trace',
];

const bytes = (path: string): string => `[ -n "$(head -c 64 ${path} 2>/dev/null | tr -d '\\000' | head -c 1)" ]`;

const deeds: Readonly<Record<string, string>> = {
  'mount tmpfs': 'mount -t tmpfs x /mnt || { mkdir -p /m && mount -t tmpfs x /m; }',
  'mount a fresh proc': 'mkdir -p /m && mount -t proc x /m',
  'mount a fresh sysfs': 'mkdir -p /m && mount -t sysfs x /m',
  'mount a cgroup tree': 'mkdir -p /m && mount -t cgroup -o memory x /m',
  'mount an overlay': 'mkdir -p /a /b /c /m && mount -t overlay -o lowerdir=/a,upperdir=/b,workdir=/c x /m',
  'bind mount': 'mkdir -p /m && mount -o bind /etc /m',
  'remount /proc/sys writable': 'mount -o remount,rw /proc/sys || mount -o remount,bind,rw /proc/sys',
  'remount /sys writable': 'mount -o remount,rw /sys',
  'unmask /proc/kcore': 'umount /proc/kcore',
  'unmask /sys/firmware': 'umount /sys/firmware',
  'unmount /etc/hosts': 'umount /etc/hosts',
  'make a mount shared': 'mount --make-rshared /',
  'make a disk node and read it':
    'mknod /d b 254 0; mknod /d2 b 7 0; mknod /d3 b 8 0; head -c 1 /d || head -c 1 /d2 || head -c 1 /d3',
  'make /dev/mem and read it': 'mknod /mem c 1 1 && head -c 1 /mem',
  'make /dev/kmsg and read it': 'mknod /k c 1 11 && head -c 1 /k',
  'make /dev/port and read it': 'mknod /port c 1 4 && head -c 1 /port',
  'make /dev/fuse and open it': 'mknod /f c 10 229 && : <>/f',
  'make /dev/net/tun and open it': 'mknod /t c 10 200 && : <>/t',
  'make /dev/loop-control and open it': 'mknod /l c 10 237 && : <>/l',
  'a device that is there: /dev/kmsg': '[ -e /dev/kmsg ]',
  'a device that is there: /dev/fuse': '[ -e /dev/fuse ]',
  'a device that is there: a disk': 'ls /dev | grep -E "^(sd|vd|nvme|loop|dm-)"',
  'unshare: mounts': 'unshare -m true',
  'unshare: network': 'unshare -n true',
  'unshare: user': 'unshare -U true',
  'unshare: user, then mount': "unshare -U -r -m sh -c 'mount -t tmpfs x /tmp'",
  'unshare: pid': 'unshare -p -f true',
  'enter the namespaces of pid 1': 'nsenter -t 1 -m true',
  'set the host name': 'hostname probe',
  'make a link': 'ip link add dummy0 type dummy',
  'set the MTU of eth0': 'ip link set eth0 mtu 1000',
  'add an address': 'ip addr add 198.51.100.1/32 dev lo',
  'change the default route': 'ip route replace default dev lo',
  'raise a hard limit': "ulimit -H -n 1048577 && sh -c 'ulimit -H -n' | grep -q 1048577",
  'raise the nice value': 'nice -n -10 true 2>&1 | { ! grep -q .; }',
  'lower oom_score_adj': 'echo -500 >/proc/self/oom_score_adj',
  'write a module': 'insmod /etc/passwd',
  chroot: 'chroot / true',
  'raw socket': "perl -e 'socket(S, 2, 3, 1) or exit 1'",
  'low port': 'perl -e \'socket(S, 2, 1, 6) or exit 1; bind(S, pack("S n a4 x8", 2, 81, "\\0\\0\\0\\0")) or exit 1\'',
  'change an owner': 'touch /o && chown 12345 /o',
  'become another user': "perl -e '$> = 1000; exit($> == 1000 ? 0 : 1)'",
  'set immutable': 'touch /i && chattr +i /i',
  'write the root': 'touch /written',
  'write /dev': 'touch /dev/written',
  'write /dev/shm': 'touch /dev/shm/written',
  'execute in /dev/shm': 'cp /bin/busybox /dev/shm/x && /dev/shm/x true',
  'see other processes': '[ "$(ls -d /proc/[0-9]* | wc -l)" -gt 40 ]',
  'signal the host': 'kill -0 2',
  'more than the usual descriptors': '[ "$(ls /proc/1/fd | wc -l)" -gt 4 ]',
  'a descriptor of a host folder': 'ls -l /proc/1/fd /proc/self/fd | grep -E -- "-> /(var|run|tmp|sys|root)"',
  'the runtime socket or state in mounts': 'grep -E "sock|runc|crun" /proc/self/mountinfo',
};

const probes: readonly Probe[] = [
  ...writes.map((path) => ({
    name: `write ${path}`,
    line: `[ -e ${path} ] && old=$(cat ${path} 2>/dev/null | head -1) && (echo "\${old:-0}" >${path})`,
  })),
  ...reads.map((path) => ({ name: `read ${path}`, line: bytes(path) })),
  ...Object.entries(deeds).map(([name, line]) => ({ name, line })),
  ...callProbes(),
];

/** How a container may be started; each goes through the whole table. */
export const postures: Readonly<Record<string, readonly string[]>> = {
  'as usual': [],
  'as a user': ['--user', '1000:1000'],
  '--cap-drop ALL': ['--cap-drop', 'ALL'],
  '--read-only': ['--read-only'],
  'no-new-privileges': ['--security-opt', 'no-new-privileges'],
  '--cap-add SYS_ADMIN': ['--cap-add', 'SYS_ADMIN'],
  '--cap-add NET_ADMIN': ['--cap-add', 'NET_ADMIN'],
  '--ipc host': ['--ipc', 'host'],
  'seccomp=unconfined': ['--security-opt', 'seccomp=unconfined'],
};

/** All answers of an engine, by name. What would change the machine under --privileged is not asked there. */
export async function askProbes(docker: Docker, flags: readonly string[]): Promise<Map<string, 'allowed' | 'denied'>> {
  // One container for all of them, each in a process of its own with a time of its own.
  const script = probes.map(({ line }, index) => {
    const quoted = line.replaceAll("'", String.raw`'\''`);
    return `timeout 5 sh -c '${quoted}' >/dev/null 2>&1 </dev/null; echo "${index} $?"`;
  });
  const ran = await docker.run(['run', '--rm', '-i', ...flags, probeImage, 'sh'], {
    input: `${script.join('\n')}\n`,
    timeoutMs: 120_000,
  });
  const answers = new Map<string, 'allowed' | 'denied'>();
  for (const [, index, code] of ran.stdout.matchAll(/^(\d+) (\d+)$/gm)) {
    answers.set(probes[Number(index)]!.name, code === '0' ? 'allowed' : 'denied');
  }
  if (answers.size !== probes.length) {
    throw new Error(`only ${answers.size} of ${probes.length} answers: ${ran.stderr.slice(-500)}`);
  }
  return answers;
}
