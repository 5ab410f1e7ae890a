/** What containers need of the kernel: its age, overlayfs, namespaces, seccomp, who else confines, the clock. */
import { type Check, fail, ok, warn } from './check.ts';
import { type Host, readNumber } from './host.ts';

/** openat2(2), without which no path inside a container can be resolved safely, came with 5.6. */
const oldestKernel = [5, 6] as const;
/** Before this was written no clock can have been right. */
const oldestTime = Date.UTC(2025, 0, 1);

export const kernelChecks: readonly Check[] = [
  {
    id: 'kernel',
    title: 'Kernel',
    run(host) {
      const release = host.read('/proc/sys/kernel/osrelease')?.trim();
      const match = /^(\d+)\.(\d+)/.exec(release ?? '');
      if (release === undefined || match === null)
        return warn('its version cannot be read', 'mount -t proc proc /proc');
      const [major, minor] = [Number(match[1]), Number(match[2])];
      const [wantedMajor, wantedMinor] = oldestKernel;
      return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)
        ? ok(`Linux ${release}`)
        : fail(
            `Linux ${release} is too old: openat2 came with ${wantedMajor}.${wantedMinor}`,
            'install a newer kernel with the package manager, then reboot',
          );
    },
  },
  {
    id: 'overlay',
    title: 'overlayfs',
    async run(host) {
      if (/\boverlay$/m.test(host.read('/proc/filesystems') ?? '')) return ok('in the kernel');
      return (await host.run('modinfo', ['overlay']))?.code === 0
        ? ok('a module, loaded when first needed')
        : fail('the kernel has no overlayfs: images cannot be mounted', 'sudo modprobe overlay');
    },
  },
  {
    id: 'namespaces',
    title: 'Namespaces',
    run(host) {
      const names = host.list('/proc/self/ns');
      if (names === undefined) return warn('cannot be read from /proc/self/ns', 'mount -t proc proc /proc');
      const missing = ['mnt', 'pid', 'net', 'ipc', 'uts'].filter((name) => !names.includes(name));
      if (missing.length > 0)
        return fail(`the kernel lacks: ${missing.join(', ')}`, 'use a kernel with CONFIG_NAMESPACES and its parts');
      for (const name of ['net', 'pid', 'mnt', 'ipc', 'uts']) {
        if (readNumber(host, `/proc/sys/user/max_${name}_namespaces`) === 0)
          return fail(
            `none of kind ${name} may be made: user.max_${name}_namespaces is 0`,
            `sudo sysctl -w user.max_${name}_namespaces=15000`,
          );
      }
      if (!names.includes('user') || readNumber(host, '/proc/sys/user/max_user_namespaces') === 0)
        return warn('no user namespaces: rootless engines cannot run', 'sudo sysctl -w user.max_user_namespaces=15000');
      return ok(`all, users' too`);
    },
  },
  {
    id: 'seccomp',
    title: 'seccomp',
    run(host) {
      const status = host.read('/proc/self/status');
      if (status === undefined) return warn('cannot be read from /proc/self/status', 'mount -t proc proc /proc');
      return /^Seccomp:/m.test(status)
        ? ok('system calls of containers are filtered')
        : fail('the kernel cannot filter system calls', 'use a kernel with CONFIG_SECCOMP_FILTER');
    },
  },
  {
    id: 'lsm',
    title: 'AppArmor, SELinux',
    run: confinement,
  },
  {
    id: 'clock',
    title: 'Clock',
    async run(host) {
      const date = new Date(host.now).toISOString().slice(0, 10);
      if (host.now < oldestTime)
        return fail(`it says ${date}: certificates will be refused`, 'sudo timedatectl set-ntp true');
      const said = await host.run('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']);
      return said?.code === 0 && said.stdout.trim() === 'no'
        ? warn(`${date}, not kept right by anybody`, 'sudo timedatectl set-ntp true')
        : ok(date);
    },
  },
];

function confinement(host: Host): ReturnType<Check['run']> {
  const enforcing = host.read('/sys/fs/selinux/enforce')?.trim();
  if (enforcing === '1')
    return warn(
      'SELinux enforces, and containers get no labels of their own: it may deny them bind mounts',
      'sudo ausearch -m avc -ts recent',
    );
  if (host.read('/sys/module/apparmor/parameters/enabled')?.trim() !== 'Y')
    return ok(enforcing === '0' ? 'SELinux is permissive' : 'neither; capabilities and seccomp confine');
  return host.find('apparmor_parser') === undefined
    ? warn('AppArmor is on, but its profile cannot be loaded: no apparmor_parser', 'sudo apt-get install apparmor')
    : ok('AppArmor, with a profile for containers');
}
