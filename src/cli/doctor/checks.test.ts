/** Every outcome of every check, on machines that differ from a good one in what the row says. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { State } from './check.ts';
import { checks } from './checks.ts';
import { examine } from './examine.ts';
import { type Difference, dockerAnswers, mountinfo, patientWith, socket, wherryAnswers } from './fixture.ts';

/** What is different; how it must come out; what must be said, and advised. */
type Case = readonly [difference: Difference, state: State, found: RegExp, mend?: RegExp];

const down = { sockets: { [socket]: { kind: 'absent' } } } as const;
const user = { host: { uid: 1000 } } as const;
const route = (device: string, destination: string, mask: string): string =>
  `${device}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;
const routes = (...lines: string[]): Difference => ({ files: { '/proc/net/route': `Iface\n${lines.join('')}` } });
const own = route('wherry0', '00001EAC', '00FCFFFF');
const ruleset = (...items: object[]): Record<string, { stdout: string }> => ({
  '-j list ruleset': { stdout: JSON.stringify({ nftables: items }) },
});
const dropping = { chain: { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' } };
const v1 = (...controllers: string[]): string =>
  controllers.map((name) => `cgroup /sys/fs/cgroup/${name} cgroup rw,${name} 0 0\n`).join('');
const allV1 = v1('memory', 'cpu', 'cpuset', 'pids', 'blkio');
const hybrid = `${allV1}cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n`;
const noV2 = { '/sys/fs/cgroup/cgroup.controllers': undefined };
const legacy = (rules: string): Difference => ({
  files: { '/proc/net/ip_tables_names': 'nat\nfilter\n' },
  programs: { 'iptables-legacy': { '-S': { stdout: rules } } },
});
const onDisk = (type: string, more: Difference = {}): Difference => ({
  ...more,
  files: { '/proc/self/mountinfo': mountinfo(type), ...more.files },
});
const verified = (text: string | undefined): Difference => ({ files: { '/var/lib/wherry/last-verify.json': text } });

const cases: Record<string, readonly Case[]> = {
  kernel: [
    [{}, 'ok', /^6\.1\.0-28-amd64$/],
    [{ files: { '/proc/sys/kernel/osrelease': '5.4.0' } }, 'warn', /older than 5\.11/, /newer kernel/],
    [{ files: { '/proc/sys/kernel/osrelease': '3.10.0-1160.el7' } }, 'fail', /oldest that works/, /newer kernel/],
    [{ files: { '/proc/sys/kernel/osrelease': undefined } }, 'skip', /cannot be read/],
    [{ files: { '/proc/sys/kernel/osrelease': 'odd' } }, 'skip', /cannot be read/],
  ],
  namespaces: [
    [{}, 'ok', /all 7 kinds; seccomp/],
    [
      { lists: { '/proc/self/ns': ['mnt', 'pid'] } },
      'fail',
      /no namespaces of kind cgroup, ipc, net, user, uts/,
      /kernel/,
    ],
    [{ lists: { '/proc/self/ns': undefined } }, 'skip', /cannot be read/],
    [{ files: { '/proc/sys/kernel/seccomp/actions_avail': undefined } }, 'warn', /no seccomp/, /kernel/],
  ],
  links: [
    [{}, 'ok', /bridge and veth/],
    [{ programs: { unshare: { '': { stdout: 'bridge\n' } } } }, 'fail', /no link of kind veth$/, /modprobe veth/],
    [{ programs: { unshare: { '': { stdout: '' } } } }, 'fail', /bridge or veth/, /modprobe bridge/],
    [{ programs: { unshare: { '': { code: 1 } } } }, 'skip', /not tried/],
    [{ programs: { unshare: undefined } }, 'skip', /not tried/],
    [{ programs: { ip: undefined } }, 'skip', /not tried/],
  ],
  overlay: [
    [{}, 'ok', /mountable in \/var\/lib\/wherry/],
    [{ overlay: 'mount: wrong fs type' }, 'fail', /wrong fs type/, /modprobe overlay[\s\S]*data-root/],
    [{ overlay: undefined }, 'skip', /not tried/],
    [user, 'skip', /needs root/],
  ],
  sysctl: [
    [{}, 'ok', /vm\.memfd_noexec=0/],
    [{ files: { '/proc/sys/vm/memfd_noexec': '2' } }, 'fail', /sealed copies/, /vm\.memfd_noexec=1/],
    [
      { files: { '/proc/sys/user/max_user_namespaces': '0' } },
      'warn',
      /no user namespaces/,
      /max_user_namespaces=28633/,
    ],
    [{ files: { '/proc/sys/kernel/keys/maxkeys': '10' } }, 'warn', /too few/, /maxkeys=2000/],
    [{ files: { '/proc/sys/vm/memfd_noexec': undefined } }, 'ok', /^user\.max/],
    [
      {
        files: {
          '/proc/sys/vm/memfd_noexec': undefined,
          '/proc/sys/user/max_user_namespaces': undefined,
          '/proc/sys/kernel/keys/maxkeys': undefined,
        },
      },
      'skip',
      /cannot be read/,
    ],
  ],
  limits: [
    [{}, 'ok', /open files: 1048576/],
    [
      { files: { '/proc/sys/fs/inotify/max_user_instances': '8' } },
      'warn',
      /instances=8: less than 128/,
      /instances=512/,
    ],
    [{ files: { '/proc/sys/kernel/pid_max': '4096' } }, 'warn', /pid_max=4096/, /pid_max=4194304/],
    [
      { files: { '/proc/self/limits': 'Max open files  1024  4096  files\n' } },
      'warn',
      /at most 4096/,
      /system install/,
    ],
    [{ files: { '/proc/self/limits': undefined } }, 'ok', /unlimited/],
    [
      { files: { '/proc/812/limits': 'Max open files  1024  2048  files\n' } },
      'warn',
      /at most 2048 for the daemon/,
      /system install/,
    ],
    [{ ...down, files: { '/proc/812/limits': 'Max open files  1024  2048  files\n' } }, 'ok', /open files: 1048576/],
  ],
  cgroups: [
    [{}, 'ok', /^v2; controllers/],
    [{ files: { ...noV2, '/proc/self/mounts': allV1 } }, 'ok', /^v1; controllers/],
    [{ files: { ...noV2, '/proc/self/mounts': hybrid } }, 'ok', /hybrid/],
    [{ files: { ...noV2, '/proc/self/mounts': '' } }, 'fail', /no control groups/, /mount -t cgroup2/],
    [
      { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io pids' } },
      'warn',
      /memory cannot be limited/,
      /cgroup_enable=memory/,
    ],
    [
      { files: { '/sys/fs/cgroup/cgroup.controllers': 'memory' } },
      'warn',
      /no limits of cpu, cpuset, pids, io/,
      /kernel/,
    ],
    [user, 'ok', /delegated to jo/],
    [
      {
        ...user,
        files: { '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/cgroup.controllers': 'memory pids' },
      },
      'warn',
      /cpu not delegated to jo/,
      /Delegate=/,
    ],
  ],
  swap: [
    [{}, 'ok', /can be limited/],
    [{ files: { ...noV2, '/proc/self/mounts': allV1 } }, 'warn', /not accounted/, /swapaccount=1/],
    [
      {
        files: { ...noV2, '/proc/self/mounts': allV1 },
        stats: { '/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes': {} },
      },
      'ok',
      /can be limited/,
    ],
    [{ files: { ...noV2, '/proc/self/mounts': allV1, '/proc/swaps': 'Filename\n' } }, 'ok', /there is no swap/],
    [{ files: { ...noV2, '/proc/self/mounts': v1('cpu') } }, 'skip', /no memory controller/],
  ],
  runtime: [
    [{}, 'ok', /^crun 1\.8\.1, runc 1\.1\.5$/],
    [{ programs: { crun: undefined, runc: undefined } }, 'fail', /neither/, /apt-get install crun/],
    [{ programs: { runc: undefined } }, 'ok', /^crun 1\.8\.1$/],
    [
      { programs: { crun: { '': { code: 127, stderr: 'libyajl.so.2: not found\n' } } } },
      'warn',
      /crun does not run: libyajl/,
      /install crun runc/,
    ],
    [
      { programs: { crun: { '': { code: 1 } }, runc: { '': { stdout: 'runc version 0.1.1' } } } },
      'fail',
      /does not run: no answer; runc 0\.1\.1 is older/,
      /install crun/,
    ],
    [
      { ...user, files: { '/proc/self/mounts': hybrid }, programs: { runc: undefined } },
      'warn',
      /refuses hybrid/,
      /install runc/,
    ],
    [{ files: { '/proc/self/mounts': hybrid }, programs: { runc: undefined } }, 'ok', /crun/],
  ],
  conmon: [
    [{}, 'ok', /conmon 2\.1\.6/],
    [{ programs: { conmon: undefined } }, 'fail', /not installed/, /install conmon/],
    [
      { programs: { conmon: { '': { code: 1, stderr: 'broken' } } } },
      'fail',
      /does not run: broken/,
      /reinstall conmon/,
    ],
    [{ programs: { conmon: { '': { stdout: 'conmon version 2.0.1' } } } }, 'warn', /older than/, /install conmon/],
    [
      {
        engine: { settings: { conmon: '/opt/conmon' } },
        programs: { '/opt/conmon': { '': { stdout: 'conmon version 2.2.0' } } },
      },
      'ok',
      /2\.2\.0/,
    ],
  ],
  gpu: [
    [{}, 'skip', /no NVIDIA or AMD GPU/],
    [
      { stats: { '/dev/nvidiactl': {} } },
      'warn',
      /^NVIDIA: nothing/,
      /nvidia-container-toolkit[^]*nvidia-ctk cdi generate/,
    ],
    [
      { stats: { '/dev/nvidiactl': {} }, programs: { 'nvidia-container-runtime-hook': {} } },
      'ok',
      /^NVIDIA: run --gpus all$/,
    ],
    [
      {
        stats: { '/dev/kfd': {}, '/dev/nvidiactl': {} },
        programs: { 'amd-ctk': {} },
        lists: { '/etc/cdi': ['nvidia.yaml', 'README'] },
        files: { '/etc/cdi/nvidia.yaml': 'kind: nvidia.com/gpu\n' },
      },
      'warn',
      /^AMD: nothing/,
      /^sudo amd-ctk cdi generate/,
    ],
    [
      {
        stats: { '/dev/kfd': {} },
        lists: { '/var/run/cdi': ['amd.json'] },
        files: { '/var/run/cdi/amd.json': '{"kind":"amd.com/gpu"}' },
      },
      'ok',
      /^AMD: run/,
    ],
  ],
  nftables: [
    [{}, 'ok', /usable/],
    [user, 'ok', /only root can tell/],
    [{ programs: { nft: undefined } }, 'fail', /not installed/, /install nftables/],
    [
      { programs: { nft: { 'list tables': { code: 1, stderr: 'Operation not supported\n' } } } },
      'fail',
      /not supported/,
      /modprobe/,
    ],
  ],
  forwarding: [
    [{}, 'ok', /=1/],
    [{ files: { '/proc/sys/net/ipv4/ip_forward': '0' } }, 'fail', /nothing beyond/, /net\.ipv4\.ip_forward=1/],
    [{ ...down, files: { '/proc/sys/net/ipv4/ip_forward': '0' } }, 'ok', /switches it on/],
    [{ files: { '/proc/sys/net/ipv4/ip_forward': undefined } }, 'skip', /cannot be read/],
  ],
  firewall: [
    [{}, 'ok', /nobody else/],
    [user, 'skip', /only shown to root/],
    [{ programs: { nft: ruleset(dropping) } }, 'warn', /ip filter FORWARD drops/, /restart wherry/],
    [
      { programs: { nft: ruleset(dropping, { rule: { family: 'ip', table: 'filter', comment: 'wherry' } }) } },
      'ok',
      /accepts are in it/,
    ],
    [{ ...down, programs: { nft: ruleset(dropping) } }, 'ok', /when it starts/],
    [{ programs: { nft: ruleset({ chain: { ...dropping.chain, table: 'wherry' } }) } }, 'ok', /nobody else/],
    [{ programs: { nft: { '-j list ruleset': { stdout: 'not json' } } } }, 'ok', /nobody else/],
    [{ programs: { nft: undefined } }, 'ok', /nobody else/],
    [
      { programs: { nft: ruleset(dropping) }, files: { '/proc/sys/net/bridge/bridge-nf-call-iptables': '1' } },
      'warn',
      /br_netfilter/,
      /bridge-nf-call-iptables=0/,
    ],
    [
      legacy('-P INPUT ACCEPT\n-P FORWARD DROP\n'),
      'fail',
      /iptables-legacy is DROP/,
      /-I FORWARD -i wherry0 -j ACCEPT/,
    ],
    [legacy('-P FORWARD DROP\n-N DOCKER-USER\n'), 'fail', /DROP/, /-I DOCKER-USER -i wherry0/],
    [
      legacy('-P FORWARD DROP\n-A FORWARD -i wherry0 -j ACCEPT\n-A FORWARD -o wherry0 -j ACCEPT\n'),
      'ok',
      /but not for the bridge/,
    ],
    [legacy('-P FORWARD ACCEPT\n'), 'ok', /nobody else/],
    [
      { programs: { 'firewall-cmd': { '--state': { stdout: 'running\n' } } } },
      'warn',
      /none of its zones/,
      /change-interface=wherry0/,
    ],
    [
      {
        programs: {
          'firewall-cmd': {
            '--state': { stdout: 'running\n' },
            '--get-zone-of-interface=wherry0': { stdout: 'public\n' },
          },
        },
      },
      'warn',
      /in zone public/,
      /--zone=trusted/,
    ],
    [
      {
        programs: {
          'firewall-cmd': {
            '--state': { stdout: 'running\n' },
            '--get-zone-of-interface=wherry0': { stdout: 'trusted\n' },
          },
        },
      },
      'ok',
      /in zone trusted/,
    ],
    [{ programs: { 'firewall-cmd': { '--state': { code: 252, stdout: 'not running\n' } } } }, 'ok', /nobody else/],
    [{ files: { '/etc/ufw/ufw.conf': 'ENABLED=no\n' } }, 'ok', /nobody else/],
    [
      {
        files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' },
        programs: { ufw: { status: { stdout: 'Status: active\n' } } },
      },
      'ok',
      /ufw is active/,
    ],
    [{ files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' }, ...user }, 'ok', /ufw is active/],
    [
      { files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n', '/etc/default/ufw': 'DEFAULT_FORWARD_POLICY="ACCEPT"\n' } },
      'ok',
      /ufw forwards/,
    ],
  ],
  addresses: [
    [{}, 'ok', /^1 network, .*172\.30\.0\.0\/16/],
    [routes(), 'ok', /no network yet/],
    [
      routes(own, route('tun0', '00001EAC', '00FFFFFF')),
      'fail',
      /172\.30\.0\.0\/22 of wherry0 overlaps.*tun0/,
      /"bip"/,
    ],
    [routes(own, route('tun0', '000010AC', '0000F0FF')), 'warn', /172\.16\.0\.0\/12 of tun0: containers hide/, /"bip"/],
    [routes(own, route('wherry0-aabbcc', '00041EAC', '00FCFFFF')), 'ok', /^2 networks/],
    [routes(route('tun0', '00001EAC', '0000FEFF')), 'ok', /from 10\.210\.0\.0\/16/],
    [
      {
        ...routes(route('tun0', '00000A0A', '0000FFFF')),
        engine: { settings: { 'default-address-pools': [{ base: '10.10.0.0/16', size: 24 }] } },
      },
      'fail',
      /all address pools/,
      /default-address-pools/,
    ],
    [{ engine: { settings: { 'default-address-pools': [null, 3, { base: '10.11.0.0/16' }] } } }, 'ok', /from 10\.11/],
    [{ files: { '/proc/net/route': undefined } }, 'skip', /cannot be read/],
    [routes('garbage\n', 'x\ty\tz\n'), 'ok', /no network yet/],
  ],
  dns: [
    [{}, 'ok', /192\.168\.1\.1/],
    [
      { files: { '/etc/resolv.conf': 'nameserver 127.0.0.1\nnameserver ::1\n' } },
      'warn',
      /only 127\.0\.0\.1, ::1/,
      /"dns"/,
    ],
    [
      {
        files: {
          '/etc/resolv.conf': 'nameserver 127.0.0.53\n',
          '/run/systemd/resolve/resolv.conf': 'nameserver 10.0.0.2\n',
        },
      },
      'ok',
      /behind systemd-resolved/,
    ],
    [{ files: { '/etc/resolv.conf': undefined } }, 'warn', /names no server/, /"dns"/],
    [
      { files: { '/etc/resolv.conf': '' }, engine: { settings: { dns: ['9.9.9.9'] } } },
      'ok',
      /daemon\.json: 9\.9\.9\.9/,
    ],
  ],
  clock: [
    [{}, 'ok', /synchronized/],
    [{ programs: { timedatectl: { '': { stdout: 'no\n' } } } }, 'warn', /nobody keeps/, /set-ntp/],
    [{ programs: { timedatectl: undefined } }, 'ok', /cannot be told/],
    [{ host: { now: 0 } }, 'fail', /1970-01-01/, /set-ntp/],
  ],
  filesystem: [
    [{}, 'ok', /ext4 at \//],
    [onDisk('overlay'), 'fail', /no other can be made/, /data-root/],
    [onDisk('nfs4'), 'fail', /another machine/, /data-root/],
    [onDisk('ecryptfs'), 'fail', /overlayfs refuses/, /data-root/],
    [onDisk('tmpfs'), 'warn', /next boot/, /data-root/],
    [onDisk('zfs'), 'warn', /2\.2/, /data-root/],
    [onDisk('fuse.sshfs'), 'warn', /user space/, /data-root/],
    [onDisk('btrfs'), 'ok', /btrfs/],
    [
      onDisk('xfs', { programs: { xfs_info: { '': { stdout: 'naming =version 2 ascii-ci=0, ftype=0' } } } }),
      'fail',
      /ftype=0/,
      /mkfs\.xfs -n ftype=1 \/dev\/vda1/,
    ],
    [onDisk('xfs', { programs: { xfs_info: { '': { stdout: 'ftype=1' } } } }), 'ok', /xfs/],
    [onDisk('xfs'), 'ok', /xfs/],
    [{ files: { '/proc/self/mountinfo': mountinfo('ext4', 'ro') } }, 'fail', /read-only/, /remount,rw/],
    [
      { files: { '/proc/self/mountinfo': `${mountinfo('overlay')}${mountinfo('ext4', 'rw', '/var/lib/wherry')}` } },
      'ok',
      /ext4 at \/var\/lib\/wherry/,
    ],
    [
      { files: { '/proc/self/mountinfo': `${mountinfo('ext4')}${mountinfo('nfs', 'rw', '/var/lib/wher')}` } },
      'ok',
      /ext4 at \/$/,
    ],
    [
      {
        links: { '/var/lib/wherry': '/mnt/net' },
        files: { '/proc/self/mountinfo': `${mountinfo('ext4')}${mountinfo('cifs', 'rw', '/mnt')}` },
      },
      'fail',
      /cifs/,
      /data-root/,
    ],
    [{ files: { '/proc/self/mountinfo': undefined } }, 'skip', /cannot be read/],
  ],
  space: [
    [{}, 'ok', /are free; 90% of inodes/],
    [{ space: { available: 3e9 } }, 'warn', /3GB of 100GB are free/, /system prune/],
    [{ space: { available: 1e8 } }, 'fail', /too little for images/, /system df/],
    [{ space: { freeInodes: 20_000 } }, 'warn', /20000 of 1000000 inodes/, /system prune/],
    [{ space: { freeInodes: 100 } }, 'fail', /too few/, /system prune/],
    [{ space: { inodes: 0, freeInodes: 0 } }, 'ok', /are free$/],
    [{ space: undefined }, 'skip', /cannot be looked at/],
  ],
  reflink: [
    [{}, 'ok', /does not share blocks/],
    [onDisk('btrfs'), 'ok', /shares blocks/],
    [onDisk('xfs', { programs: { xfs_info: { '': { stdout: 'reflink=1' } } } }), 'ok', /shares blocks/],
    [onDisk('xfs'), 'ok', /does not share/],
  ],
  engine: [
    [{}, 'ok', /Wherry answers/],
    [{ sockets: { [socket]: dockerAnswers } }, 'warn', /Docker 28\.5\.2 answers/, /wherry -H/],
    [down, 'warn', /does not run/, /system start/],
    [{ ...down, engine: { isDefault: false } }, 'warn', /does not run/, /DOCKER_HOST/],
    [{ sockets: { [socket]: { kind: 'refused' } } }, 'fail', /nobody listens/, /rm \/run\/wherry/],
    [{ ...user, sockets: { [socket]: { kind: 'denied' } } }, 'warn', /not for jo/, /usermod -aG docker jo/],
    [{ sockets: { [socket]: { kind: 'silent' } } }, 'fail', /nobody answers/, /system logs/],
    [{ engine: { socket: undefined, url: 'tcp://box:2376' } }, 'skip', /tcp:\/\/box:2376/],
  ],
  socket: [
    [{}, 'ok', /mode 0660, group docker/],
    [
      { stats: { [socket]: { kind: 'socket', mode: 0o666 } } },
      'fail',
      /every user of this machine is root/,
      /chmod 0660/,
    ],
    [{ stats: { [socket]: { kind: 'file' } } }, 'fail', /not a socket/, /rm/],
    [{ stats: { [socket]: { kind: 'socket', mode: 0o660, uid: 1000 } } }, 'warn', /belongs to user 1000/, /chown root/],
    [{ stats: { [socket]: { kind: 'socket', mode: 0o660, gid: 4242 } } }, 'ok', /group 4242/],
    [{ stats: { [socket]: undefined } }, 'skip', /no socket/],
    [{ engine: { socket: undefined } }, 'skip', /no socket/],
  ],
  'docker-socket': [
    [{}, 'ok', /absent; clients need: export DOCKER_HOST=unix:\/\/\/run\/wherry/],
    [{ sockets: { '/var/run/docker.sock': dockerAnswers } }, 'ok', /Docker 28\.5\.2 answers there; for Wherry/],
    [
      { sockets: { '/var/run/docker.sock': wherryAnswers }, links: { '/var/run/docker.sock': socket } },
      'ok',
      /no DOCKER_HOST/,
    ],
    [
      { sockets: { '/var/run/docker.sock': { kind: 'refused' } } },
      'warn',
      /left behind/,
      /rm \/var\/run\/docker\.sock/,
    ],
    [{ sockets: { '/var/run/docker.sock': { kind: 'denied' } } }, 'ok', /not for root/],
    [{ sockets: { '/var/run/docker.sock': { kind: 'silent' } } }, 'warn', /nobody answers/, /restart docker/],
  ],
  pidfile: [
    [{}, 'ok', /process 812/],
    [{ ...down, files: { '/proc/812/cmdline': undefined } }, 'warn', /left behind/, /rm \/run\/wherry\/wherryd\.pid/],
    [{ ...down, files: { '/proc/812/cmdline': 'sleep\0' } }, 'warn', /left behind/, /rm/],
    [{ ...down, files: { '/run/wherry/wherryd.pid': '' } }, 'warn', /left behind/, /rm/],
    [
      { files: { '/run/wherry/wherryd.pid': '1\n', '/proc/1/cmdline': 'init\0' } },
      'warn',
      /names 1, which is not/,
      /restart wherry/,
    ],
    [{ files: { '/run/wherry/wherryd.pid': undefined } }, 'warn', /a second one/, /restart wherry/],
    [{ ...down, files: { '/run/wherry/wherryd.pid': undefined } }, 'ok', /none/],
    [{ engine: { socket: '/tmp/other.sock' } }, 'skip', /usual place/],
  ],
  service: [
    [{}, 'ok', /active, starts with the machine/],
    [
      { programs: { systemctl: { '': { stdout: 'ActiveState=failed\nUnitFileState=enabled\n' } } } },
      'fail',
      /has failed/,
      /journalctl[\s\S]*reset-failed/,
    ],
    [
      { programs: { systemctl: { '': { stdout: 'ActiveState=inactive\nUnitFileState=disabled\n' } } } },
      'ok',
      /with its first client/,
    ],
    [
      { files: { '/etc/systemd/system/wherry.service': '[Service]\nold\n' } },
      'warn',
      /not those of this version/,
      /system install/,
    ],
    [
      { files: { '/etc/systemd/system/wherry.socket': undefined } },
      'warn',
      /not those of this version/,
      /system install/,
    ],
    [
      { files: { '/etc/systemd/system/wherry.service': undefined, '/etc/systemd/system/wherry.socket': undefined } },
      'warn',
      /not installed/,
      /system install/,
    ],
    [{ stats: { '/run/systemd/system': undefined } }, 'skip', /systemd does not run/],
    [{ programs: { systemctl: undefined } }, 'ok', /unknown/],
  ],
  'side-by-side': [
    [{}, 'ok', /none runs/],
    [{ files: { '/proc/812/comm': 'dockerd\n' } }, 'ok', /dockerd runs beside/],
    [{ files: { '/proc/812/comm': 'podman\n' } }, 'ok', /podman runs beside/],
    [{ lists: { '/proc': undefined } }, 'ok', /none runs/],
    [
      { sockets: { '/var/run/docker.sock': { ...dockerAnswers, ports: ['8080/tcp', '1/udp'] } } },
      'warn',
      /both publish 8080\/tcp/,
      /-p HOSTPORT/,
    ],
    [
      { sockets: { '/var/run/docker.sock': { ...dockerAnswers, bridge: 'wherry0' } } },
      'warn',
      /same bridge/,
      /"bridge"/,
    ],
    [
      { sockets: { '/var/run/docker.sock': { ...dockerAnswers, dataRoot: '/var/lib/wherry' } } },
      'warn',
      /same data root/,
      /data-root/,
    ],
  ],
  client: [
    [{}, 'ok', /unix:\/\/\/run\/wherry/],
    [{ host: { env: { DOCKER_HOST: 'unix:///x' } } }, 'ok', /DOCKER_HOST=unix:\/\/\/x/],
    [
      { host: { env: { DOCKER_HOST: 'unix:///x' } }, engine: { answer: dockerAnswers } },
      'warn',
      /not Wherry/,
      /unset DOCKER_HOST/,
    ],
    [
      { engine: { context: 'box', url: 'ssh://box', answer: { kind: 'absent' } } },
      'warn',
      /context "box"/,
      /context use default/,
    ],
    [{ engine: { context: 'here' } }, 'ok', /context "here"/],
  ],
  'rootless-ids': [
    [{}, 'skip', /ordinary users/],
    [user, 'ok', /jo has 65536/],
    [
      { ...user, files: { '/etc/subuid': '', '/etc/subgid': undefined } },
      'warn',
      /subuid and \/etc\/subgid/,
      /usermod --add-subuids/,
    ],
    [{ ...user, files: { '/etc/subuid': '1000:1:65536\n' } }, 'ok', /jo has/],
    [
      { ...user, files: { '/etc/subuid': 'jo:1:1000\nother:1:65536\n' } },
      'warn',
      /too few ids in \/etc\/subuid$/,
      /usermod/,
    ],
  ],
  'rootless-programs': [
    [{}, 'skip', /ordinary users/],
    [user, 'ok', /all there/],
    [{ ...user, programs: { pasta: undefined } }, 'warn', /pasta or slirp4netns/, /install passt/],
    [{ ...user, programs: { pasta: undefined, slirp4netns: {} } }, 'ok', /all there/],
    [
      { ...user, programs: { pasta: { '--version': { stdout: 'pasta unknown version\n' } } } },
      'warn',
      /deliver data twice/,
      /newer passt/,
    ],
    [{ ...user, programs: { newgidmap: undefined } }, 'warn', /newuidmap/, /install uidmap/],
    [{ ...user, files: { '/proc/sys/kernel/osrelease': '5.4.0' } }, 'warn', /fuse-overlayfs/, /install fuse-overlayfs/],
  ],
  'rootless-namespaces': [
    [{}, 'skip', /ordinary users/],
    [user, 'ok', /can be mounted/],
    [{ ...user, overlay: 'permission denied' }, 'warn', /permission denied/, /fuse-overlayfs/],
    [{ ...user, overlay: undefined }, 'skip', /not tried/],
    [{ ...user, files: { '/proc/sys/kernel/unprivileged_userns_clone': '0' } }, 'warn', /only root/, /userns_clone=1/],
    [
      { ...user, files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' } },
      'warn',
      /AppArmor/,
      /restrict_unprivileged_userns=0/,
    ],
    [{ ...user, files: { '/proc/sys/user/max_user_namespaces': '0' } }, 'warn', /=0/, /max_user_namespaces=28633/],
  ],
  apparmor: [
    [{}, 'ok', /off/],
    [
      { files: { '/sys/module/apparmor/parameters/enabled': 'Y\n' } },
      'warn',
      /apparmor_parser is missing/,
      /install apparmor/,
    ],
    [
      { files: { '/sys/module/apparmor/parameters/enabled': 'Y\n' }, programs: { apparmor_parser: {} } },
      'ok',
      /only root can tell/,
    ],
    ...(
      [
        ['wherry-default (enforce)\n', {}, 'ok', /is loaded/],
        ['other (enforce)\n', {}, 'warn', /not loaded/, /restart wherry/],
        ['other (enforce)\n', down, 'ok', /when it starts/],
      ] as const
    ).map(
      ([profiles, more, state, found, mend]): Case => [
        {
          ...more,
          files: {
            '/sys/module/apparmor/parameters/enabled': 'Y\n',
            '/sys/kernel/security/apparmor/profiles': profiles,
          },
          programs: { apparmor_parser: {} },
        },
        state,
        found,
        mend,
      ],
    ),
  ],
  selinux: [
    [{}, 'ok', /off/],
    [{ files: { '/sys/fs/selinux/enforce': '0' } }, 'ok', /permissive/],
    [{ files: { '/sys/fs/selinux/enforce': '1' } }, 'warn', /enforcing/, /container_file_t/],
    [{ stats: { '/sys/fs/selinux': {} } }, 'skip', /cannot be read/],
  ],
  verify: [
    [{}, 'ok', /7 days ago/],
    [verified('{"at":"2026-11-27T00:00:00Z","problems":0}'), 'ok', /^today/],
    [verified('{"at":"2026-09-01T00:00:00Z","problems":0}'), 'warn', /87 days ago/, /system verify$/],
    [verified('{"at":"2026-11-26T00:00:00Z","problems":2}'), 'fail', /yesterday, with 2 problems/, /--repair/],
    [verified(undefined), 'warn', /never, in 100 days/, /system verify/],
    [verified('{'), 'warn', /never/, /system verify/],
    [{ ...verified(undefined), stats: { '/var/lib/wherry/engine-id': {} } }, 'ok', /is new/],
    [{ stats: { '/var/lib/wherry/engine-id': undefined } }, 'skip', /no store/],
    [{ ...user, stats: { '/var/lib/wherry/engine-id': undefined } }, 'skip', /ordinary users/],
  ],
};

describe('checks', () => {
  test('each has cases', () => {
    assert.deepEqual(
      checks.map(({ id }) => id),
      Object.keys(cases),
    );
  });
  for (const [id, rows] of Object.entries(cases)) {
    test(id, async () => {
      const check = checks.filter((each) => each.id === id);
      for (const [index, [difference, state, found, mend]] of rows.entries()) {
        const [result] = await examine(check, patientWith(difference));
        const place = `case ${index}: ${JSON.stringify(result)}`;
        assert.equal(result!.state, state, place);
        assert.match(result!.found, found, place);
        if (mend === undefined) assert.deepEqual(result!.mend, [], place);
        else assert.match(result!.mend.join('\n'), mend, place);
      }
    });
  }
  test('on a machine with nothing at all, none throws and each says something', async () => {
    const nothing = patientWith();
    const bare = {
      ...nothing,
      host: {
        ...nothing.host,
        read: () => undefined,
        list: () => undefined,
        stat: () => undefined,
        space: () => undefined,
        find: () => undefined,
        run: async () => undefined,
        tryOverlay: async () => undefined,
        engineAt: async () => ({ kind: 'absent' as const }),
      },
    };
    for (const uid of [0, 1000]) {
      const results = await examine(checks, { ...bare, host: { ...bare.host, uid } });
      for (const { id, found } of results) {
        assert.doesNotMatch(found, /the check itself failed|undefined|NaN/, id);
        assert.notEqual(found, '', id);
      }
    }
  });
});
