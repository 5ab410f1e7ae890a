/** The kernel: its version, what of it containers are made of, and limits that are known to be too low. */
import { type Check, fail, type Finding, ok, type Patient, runs, skip, together, warn } from '../check.ts';
import { setSysctl } from '../mend.ts';
import { atLeast, versionIn } from '../version.ts';

export const kernelChecks: readonly Check[] = [
  { id: 'kernel', title: 'Kernel version', run: kernel },
  { id: 'namespaces', title: 'Namespaces and seccomp', run: namespaces },
  { id: 'links', title: 'Bridges and virtual links', run: links },
  { id: 'overlay', title: 'overlayfs where layers are kept', run: overlay },
  { id: 'sysctl', title: 'Kernel settings', run: settings },
  { id: 'limits', title: 'Limits', run: limits },
];

function kernel({ host }: Patient): Finding {
  const release = host.read('/proc/sys/kernel/osrelease')?.trim();
  const version = release === undefined ? undefined : versionIn(release);
  if (release === undefined || version === undefined) return skip('/proc/sys/kernel/osrelease cannot be read');
  if (!atLeast(version, '4.18')) return fail(`${release}; 4.18 is the oldest that works`, 'Install a newer kernel.');
  if (!atLeast(version, '5.11'))
    return warn(
      `${release}; older than 5.11: no overlayfs without root, fewer limits on cgroup v2`,
      'Install a newer kernel.',
    );
  return ok(release);
}

const needed = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];

function namespaces({ host }: Patient): Finding {
  const present = host.list('/proc/self/ns');
  if (present === undefined) return skip('/proc/self/ns cannot be read');
  const missing = needed.filter((name) => !present.includes(name));
  const seccomp = host.read('/proc/sys/kernel/seccomp/actions_avail') !== undefined;
  const mend = 'Install a kernel that has them built in, as those of distributions have.';
  return together([
    missing.length === 0 ? ok(`all ${needed.length} kinds`) : fail(`no namespaces of kind ${missing.join(', ')}`, mend),
    seccomp ? ok('seccomp') : warn('no seccomp: containers run without a filter of system calls', mend),
  ]);
}

/** In a network namespace of its own, so that nothing of the machine's is touched. */
async function links({ host }: Patient): Promise<Finding> {
  const script = 'ip link add d0 type bridge && echo bridge; ip link add d1 type veth peer name d2 && echo veth; true';
  const tried = host.find('ip') === undefined ? undefined : await tryInNamespace({ host }, script);
  if (tried === undefined)
    return skip('not tried: it takes the programs unshare and ip, and the right to make a network namespace');
  const missing = ['bridge', 'veth'].filter((kind) => !tried.split('\n').includes(kind));
  if (missing.length === 0) return ok('bridge and veth can be made');
  return fail(
    `the kernel makes no link of kind ${missing.join(' or ')}`,
    ...missing.map((kind) => `sudo modprobe ${kind}`),
  );
}

/** What a shell says in a new network namespace; undefined where none can be made. */
async function tryInNamespace({ host }: Pick<Patient, 'host'>, script: string): Promise<string | undefined> {
  const ran = await host.run('unshare', [host.uid === 0 ? '-n' : '-rn', 'sh', '-c', script]);
  return ran?.code === 0 ? ran.stdout : undefined;
}

async function overlay({ host, engine }: Patient): Promise<Finding> {
  const folder = host.resolve(engine.dataRoot);
  if (host.uid !== 0) return skip('not tried: needs root');
  const said = await host.tryOverlay(folder, { asUser: false });
  if (said === undefined) return skip('not tried: it takes the program unshare');
  if (said === 'ok') return ok(`mountable in ${folder}`);
  return fail(
    `cannot be mounted in ${folder}: ${said}`,
    'sudo modprobe overlay',
    'Or keep the data elsewhere: "data-root" in /etc/wherry/daemon.json, on ext4, xfs or btrfs.',
  );
}

interface Setting {
  readonly file: string;
  readonly name: string;
  readonly judge: (value: number) => Finding;
}

const kernelSettings: readonly Setting[] = [
  {
    file: '/proc/sys/vm/memfd_noexec',
    name: 'vm.memfd_noexec',
    judge: (value) =>
      value < 2
        ? ok(`vm.memfd_noexec=${value}`)
        : fail('vm.memfd_noexec=2: runtimes cannot run their sealed copies', setSysctl('vm.memfd_noexec', 1)),
  },
  {
    file: '/proc/sys/user/max_user_namespaces',
    name: 'user.max_user_namespaces',
    judge: (value) =>
      value > 0
        ? ok(`user.max_user_namespaces=${value}`)
        : warn(
            'user.max_user_namespaces=0: no user namespaces, in containers neither',
            setSysctl('user.max_user_namespaces', 28_633),
          ),
  },
  {
    file: '/proc/sys/kernel/keys/maxkeys',
    name: 'kernel.keys.maxkeys',
    judge: (value) =>
      value >= 200
        ? ok(`kernel.keys.maxkeys=${value}`)
        : warn(`kernel.keys.maxkeys=${value}: too few for many containers`, setSysctl('kernel.keys.maxkeys', 2000)),
  },
];

function settings({ host }: Patient): Finding {
  return together(readSettings({ host }, kernelSettings));
}

const kernelLimits: readonly Setting[] = [
  atLeastSetting('/proc/sys/fs/inotify/max_user_instances', 'fs.inotify.max_user_instances', 128, 512),
  atLeastSetting('/proc/sys/fs/inotify/max_user_watches', 'fs.inotify.max_user_watches', 8192, 524_288),
  atLeastSetting('/proc/sys/kernel/pid_max', 'kernel.pid_max', 32_768, 4_194_304),
  atLeastSetting('/proc/sys/fs/file-max', 'fs.file-max', 65_536, 1_048_576),
  atLeastSetting('/proc/sys/fs/nr_open', 'fs.nr_open', 1_048_576, 1_048_576),
];

function limits(patient: Patient): Finding {
  const { host } = patient;
  const text = daemonLimits(patient) ?? host.read('/proc/self/limits') ?? '';
  const open = Number(/^Max open files\s+\S+\s+(\d+)/m.exec(text)?.[1]);
  const own =
    open < 65_536
      ? warn(
          `open files: at most ${open} for ${runs(patient) ? 'the daemon' : 'what is started from here'}`,
          'As a service the daemon has its own limit: sudo wherry system install',
        )
      : ok(Number.isNaN(open) ? 'open files: unlimited' : `open files: ${open}`);
  return together([...readSettings({ host }, kernelLimits), own]);
}

/** Of the daemon that runs in the usual place, to whom may see them. */
function daemonLimits(patient: Patient): string | undefined {
  const pid = patient.host.read('/run/wherry/wherryd.pid')?.trim();
  const isUsual = patient.engine.socket === '/run/wherry/wherry.sock' && runs(patient);
  return isUsual && pid !== undefined && /^\d+$/.test(pid) ? patient.host.read(`/proc/${pid}/limits`) : undefined;
}

function atLeastSetting(file: string, name: string, least: number, better: number): Setting {
  return {
    file,
    name,
    judge: (value) =>
      value >= least ? ok(`${name}=${value}`) : warn(`${name}=${value}: less than ${least}`, setSysctl(name, better)),
  };
}

/** A setting that this kernel does not have limits nothing. */
function readSettings({ host }: Pick<Patient, 'host'>, table: readonly Setting[]): Finding[] {
  const found = table.flatMap(({ file, judge }) => {
    const text = host.read(file)?.trim();
    const value = Number(text);
    return text === undefined || text === '' || Number.isNaN(value) ? [] : [judge(value)];
  });
  return found.length > 0 ? found : [skip('the files in /proc/sys cannot be read')];
}
