/** The default seccomp profile: what Docker's allows, as a table (engine-api.md §1.9). */
import { Fault } from '../std/index.ts';

export interface SeccompArgument {
  index: number;
  value: number;
  valueTwo?: number;
  op: string;
}
export interface SeccompRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: SeccompArgument[];
}
/** OCI runtime-spec linux.seccomp. */
export interface Seccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls: SeccompRule[];
}

const always = `
accept accept4 access adjtimex alarm bind brk cachestat capget capset chdir chmod chown chown32 clock_adjtime clock_adjtime64
clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 close close_range connect
copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait
epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fadvise64_64 fallocate
fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork
fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64
futex_wait futex_waitv futex_wake futimesat getcpu getcwd getdents getdents64 getegid getegid32 geteuid geteuid32 getgid
getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresgid32
getresuid getresuid32 getrlimit get_robust_list getrusage getsid getsockname getsockopt get_thread_area gettid gettimeofday
getuid getuid32 getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel ioctl io_destroy io_getevents
io_pgetevents io_pgetevents_time64 ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule landlock_create_ruleset
landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr llistxattr _llseek lremovexattr lseek lsetxattr
lstat lstat64 madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock mlock2
mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at
nanosleep newfstatat _newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 pselect6_time64 pwrite64
pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages
removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr
sched_getparam sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval
sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl
semget semop semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid
setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32
setresuid setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area set_tid_address setuid
setuid32 setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn socketcall socketpair
splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat utime
utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev process_vm_readv process_vm_writev ptrace`;

const byCapability: Record<string, string> = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN:
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2 unshare',
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
};

const words = (text: string): string[] => text.trim().split(/\s+/);
const allow = (names: string[], args?: SeccompArgument[]): SeccompRule => ({
  names,
  action: 'SCMP_ACT_ALLOW',
  ...(args === undefined ? {} : { args }),
});
const equals = (value: number): SeccompArgument[] => [{ index: 0, value, op: 'SCMP_CMP_EQ' }];

/** Namespace flags of clone(2): with any of them set, an unprivileged clone is refused. */
const NAMESPACE_FLAGS = 0x7e020000;
/** Socket families that reach beyond the container whatever its namespaces. */
const AF_ALG = 38;
const AF_VSOCK = 40;

/** Docker's built-in profile for a container with these capabilities on this architecture. */
export function defaultSeccomp(capabilities: readonly string[], arch: NodeJS.Architecture): Seccomp {
  const admin = capabilities.includes('CAP_SYS_ADMIN');
  const rules: SeccompRule[] = [
    allow(words(always)),
    allow(['socket'], [{ index: 0, value: AF_ALG, op: 'SCMP_CMP_LT' }]),
    allow(['socket'], equals(39)),
    allow(['socket'], [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_GT' }]),
    ...[0, 8, 0x20000, 0x20008, 0xffffffff].map((persona) => allow(['personality'], equals(persona))),
    allow(
      words(
        arch === 'arm64'
          ? 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'
          : 'arch_prctl modify_ldt',
      ),
    ),
  ];
  for (const [capability, names] of Object.entries(byCapability)) {
    if (capabilities.includes(capability)) rules.push(allow(words(names)));
  }
  if (!admin) {
    rules.push(allow(['clone'], [{ index: 0, value: NAMESPACE_FLAGS, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]));
    rules.push({ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 });
  }
  return { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 1, architectures: architectures(arch), syscalls: rules };
}

function architectures(arch: NodeJS.Architecture): string[] {
  return arch === 'arm64'
    ? ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']
    : ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'];
}

interface DockerProfile {
  defaultAction?: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures?: string[] | null }[] | null;
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?:
    | (SeccompRule & {
        name?: string;
        includes?: { caps?: string[]; arches?: string[]; minKernel?: string } | null;
        excludes?: { caps?: string[]; arches?: string[]; minKernel?: string } | null;
      })[]
    | null;
}

/** A profile as clients inline it (`--security-opt seccomp=<JSON>`), its conditions resolved. @throws Fault invalid */
export function customSeccomp(
  text: string,
  capabilities: readonly string[],
  arch: NodeJS.Architecture,
  kernel: string,
): Seccomp {
  let profile: DockerProfile;
  try {
    profile = JSON.parse(text) as DockerProfile;
  } catch (error) {
    throw new Fault('invalid', `Decoding seccomp profile failed: ${(error as Error).message}`, { cause: error });
  }
  if (typeof profile !== 'object' || profile === null || typeof profile.defaultAction !== 'string') {
    throw new Fault('invalid', 'Decoding seccomp profile failed: defaultAction is missing');
  }
  const names = arch === 'arm64' ? ['arm64', 'arm'] : ['amd64', 'x32', 'x86'];
  const native = architectures(arch)[0]!;
  const mapped = profile.archMap?.find((entry) => entry.architecture === native);
  const holds = (
    condition: { caps?: string[]; arches?: string[]; minKernel?: string } | null | undefined,
    any: boolean,
  ): boolean => {
    if (condition === null || condition === undefined) return !any;
    const checks: boolean[] = [];
    if ((condition.caps?.length ?? 0) > 0) {
      const has = (cap: string): boolean => capabilities.includes(cap);
      checks.push(any ? condition.caps!.some(has) : condition.caps!.every(has));
    }
    if ((condition.arches?.length ?? 0) > 0) checks.push(condition.arches!.includes(names[0]!));
    if (condition.minKernel !== undefined && condition.minKernel !== '')
      checks.push(kernelAtLeast(kernel, condition.minKernel));
    if (checks.length === 0) return !any;
    return any ? checks.some(Boolean) : checks.every(Boolean);
  };
  const syscalls = (profile.syscalls ?? [])
    .filter((rule) => holds(rule.includes, false) && !holds(rule.excludes, true))
    .map((rule) => ({
      names: rule.names ?? (rule.name === undefined ? [] : [rule.name]),
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...(Array.isArray(rule.args) && rule.args.length > 0 ? { args: rule.args } : {}),
    }));
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures:
      profile.architectures ??
      (mapped === undefined ? architectures(arch) : [native, ...(mapped.subArchitectures ?? [])]),
    ...(profile.flags === undefined ? {} : { flags: profile.flags }),
    ...(profile.listenerPath === undefined ? {} : { listenerPath: profile.listenerPath }),
    ...(profile.listenerMetadata === undefined ? {} : { listenerMetadata: profile.listenerMetadata }),
    syscalls,
  };
}

function kernelAtLeast(release: string, wanted: string): boolean {
  const parse = (text: string): [number, number] => {
    const [major = '0', minor = '0'] = text.split('.');
    return [Number.parseInt(major, 10), Number.parseInt(minor, 10)];
  };
  const [a, b] = [parse(release), parse(wanted)];
  return a[0] > b[0] || (a[0] === b[0] && a[1] >= b[1]);
}
