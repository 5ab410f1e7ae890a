import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withServer } from '../../../test/support/server.ts';
import { daemonProgram, servicePath, socketUnitPath } from '../daemon/paths.ts';
import { serviceUnit, socketUnit } from '../daemon/units.ts';
import { wherry } from '../fixture.ts';
import { type Result, runChecks, type State } from './check.ts';
import { checks } from './checks.ts';
import { type Differences, fakeHost, fakeSocket, unknownHost } from './fake-host.ts';
import { overlap, parseRange, type Range, readRoutes } from './ranges.ts';
import { jsonReport, reportText } from './report.ts';

const v1 = [
  'cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0',
  'cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0',
  'cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0',
  'cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0',
  'cgroup /sys/fs/cgroup/blkio cgroup rw,blkio 0 0',
  'cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0',
  '',
].join('\n');
const hybrid = `${v1}cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n`;
const mounts = (text: string): Differences => ({ files: { '/proc/self/mounts': text } });
const routes = (...lines: string[]): string => ['Iface Destination ...', ...lines, ''].join('\n');
const route = (device: string, destination: string, mask: string): string =>
  `${device}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0`;
const socketFacts = (mode: number, uid = 0) =>
  ({ paths: { [fakeSocket]: { kind: 'socket', mode, uid, gid: 998 } } }) satisfies Differences;
const answering = (state: 'absent' | 'refused' | 'denied' | 'silent'): Differences => ({
  answers: { [fakeSocket]: { state } },
});
const dropping = (table: string): string =>
  `table ${table} {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n`;

/** Check, what it must come to, what it must say (with its mending), and how the machine differs from a good one. */
const outcomes: readonly [id: string, state: State, says: RegExp, differences: Differences][] = [
  ['kernel', 'ok', /^Linux 6\.1\.0-18-amd64$/, {}],
  ['kernel', 'ok', /5\.6\.0/, { files: { '/proc/sys/kernel/osrelease': '5.6.0\n' } }],
  ['kernel', 'fail', /4\.19\.0 is too old/, { files: { '/proc/sys/kernel/osrelease': '4.19.0\n' } }],
  ['kernel', 'warn', /cannot be read/, { files: { '/proc/sys/kernel/osrelease': 'strange' } }],
  ['overlay', 'ok', /in the kernel/, {}],
  ['overlay', 'ok', /a module/, { files: { '/proc/filesystems': '\text4\n' }, programs: { modinfo: 'name: overlay' } }],
  ['overlay', 'fail', /no overlayfs.*modprobe overlay/, { files: { '/proc/filesystems': '\text4\n' } }],
  ['overlay', 'fail', /no overlayfs/, { files: { '/proc/filesystems': '\text4\n' }, programs: { modinfo: 1 } }],
  ['namespaces', 'ok', /all/, {}],
  ['namespaces', 'fail', /lacks: net/, { folders: { '/proc/self/ns': ['mnt', 'pid', 'ipc', 'uts', 'user'] } }],
  ['namespaces', 'fail', /max_net_namespaces is 0/, { files: { '/proc/sys/user/max_net_namespaces': '0\n' } }],
  ['namespaces', 'warn', /no user namespaces/, { files: { '/proc/sys/user/max_user_namespaces': '0\n' } }],
  ['seccomp', 'fail', /cannot filter/, { files: { '/proc/self/status': 'Name:\tnode\n' } }],
  ['lsm', 'ok', /neither/, {}],
  ['lsm', 'ok', /permissive/, { files: { '/sys/fs/selinux/enforce': '0' } }],
  ['lsm', 'warn', /SELinux enforces/, { files: { '/sys/fs/selinux/enforce': '1' } }],
  ['lsm', 'warn', /no apparmor_parser/, { files: { '/sys/module/apparmor/parameters/enabled': 'Y\n' } }],
  [
    'lsm',
    'ok',
    /AppArmor, with/,
    { files: { '/sys/module/apparmor/parameters/enabled': 'Y\n' }, programs: { apparmor_parser: '' } },
  ],
  ['clock', 'ok', /^2026-11-27$/, {}],
  ['clock', 'ok', /^2026-11-27$/, { programs: { timedatectl: 1 } }],
  ['clock', 'warn', /not kept right/, { programs: { timedatectl: 'no\n' } }],
  ['clock', 'fail', /1970-01-01: certificates/, { now: 0 }],
  ['cgroup', 'ok', /^version 2$/, {}],
  ['cgroup', 'ok', /^version 1$/, mounts(v1)],
  ['cgroup', 'warn', /hybrid.*unified_cgroup_hierarchy/, mounts(hybrid)],
  ['cgroup', 'fail', /none are mounted/, mounts('')],
  ['controllers', 'ok', /cpuset cpu io memory pids/, {}],
  ['controllers', 'ok', /cpu cpuacct memory/, mounts(v1)],
  [
    'controllers',
    'fail',
    /missing: memory.*cgroup_enable=memory/,
    { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu pids' } },
  ],
  ['controllers', 'fail', /missing: pids/, { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory' } }],
  ['controllers', 'warn', /missing: cpuset, io/, { files: { '/sys/fs/cgroup/cgroup.controllers': 'cpu memory pids' } }],
  ['controllers', 'fail', /none/, mounts('')],
  ['swap', 'ok', /counted/, {}],
  ['swap', 'ok', /no group yet/, { folders: { '/sys/fs/cgroup': [] } }],
  [
    'swap',
    'warn',
    /no effect.*swapaccount=1/,
    {
      folders: { '/sys/fs/cgroup': ['a'] },
      paths: { '/sys/fs/cgroup/a/memory.max': { kind: 'file', mode: 0o644, uid: 0, gid: 0 } },
    },
  ],
  ['swap', 'warn', /no effect/, mounts(v1)],
  ['runtime', 'ok', /crun 1\.8\.1, runc 1\.1\.5/, {}],
  ['runtime', 'ok', /^runc 1\.1\.5$/, { programs: { crun: undefined } }],
  ['runtime', 'fail', /neither.*apt-get install crun/, { programs: { crun: undefined, runc: undefined } }],
  ['runtime', 'fail', /does not start/, { programs: { crun: 127, runc: undefined } }],
  ['runtime', 'warn', /crun that does not start/, { programs: { crun: 127 } }],
  ['runtime', 'warn', /refuses hybrid/, { ...mounts(hybrid), programs: { runc: undefined } }],
  ['runtime', 'ok', /crun/, { ...mounts(hybrid), programs: { runc: undefined }, uid: 0 }],
  ['conmon', 'ok', /conmon 2\.1\.6/, {}],
  ['conmon', 'fail', /too old/, { programs: { conmon: 'conmon version 1.0.1' } }],
  ['conmon', 'fail', /does not start/, { programs: { conmon: 127 } }],
  ['conmon', 'fail', /not installed.*apt-get install conmon/, { programs: { conmon: undefined } }],
  ['nft', 'ok', /can be made/, {}],
  ['nft', 'ok', /only root can tell/, { programs: { nft: 1 } }],
  ['nft', 'fail', /it failed/, { programs: { nft: 1 }, uid: 0 }],
  ['nft', 'fail', /not installed/, { programs: { nft: undefined } }],
  ['bridge', 'ok', /are there/, {}],
  ['bridge', 'ok', /are there/, { folders: { '/sys/module/veth': undefined }, programs: { grep: '' } }],
  ['bridge', 'warn', /lack veth/, { folders: { '/sys/module/veth': undefined }, programs: { grep: 1 } }],
  ['forwarding', 'ok', /^on$/, {}],
  ['forwarding', 'ok', /^off; the daemon/, { files: { '/proc/sys/net/ipv4/ip_forward': '0' } }],
  [
    'forwarding',
    'warn',
    /sysctl\.conf switches it off/,
    { files: { '/etc/sysctl.conf': 'net.ipv4.ip_forward = 0\n' } },
  ],
  [
    'forwarding',
    'ok',
    /^on$/,
    {
      folders: { '/etc/sysctl.d': ['10-router.conf', 'README'] },
      files: { '/etc/sysctl.d/10-router.conf': 'net.ipv4.ip_forward=1\n' },
    },
  ],
  ['br-netfilter', 'ok', /not filtered/, {}],
  ['br-netfilter', 'warn', /may drop it/, { files: { '/proc/sys/net/bridge/bridge-nf-call-iptables': '1' } }],
  ['firewall', 'ok', /nothing drops/, {}],
  ['firewall', 'ok', /only root/, { programs: { nft: 1 } }],
  ['firewall', 'ok', /table ip filter drops.*adds accepts/, { programs: { nft: dropping('ip filter') } }],
  ['firewall', 'ok', /nothing drops/, { programs: { nft: dropping('inet wherry_12ab') } }],
  [
    'firewall',
    'warn',
    /firewalld, table inet fw/,
    { programs: { 'firewall-cmd': 'running', nft: dropping('inet fw') } },
  ],
  ['firewall', 'warn', /^ufw:/, { files: { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' } }],
  [
    'firewall',
    'warn',
    /iptables-legacy drops/,
    { files: { '/proc/net/ip_tables_names': 'filter\n' }, programs: { 'iptables-legacy': '-P FORWARD DROP\n' } },
  ],
  [
    'firewall',
    'ok',
    /nothing drops/,
    {
      files: { '/proc/net/ip_tables_names': 'filter\n' },
      programs: { 'iptables-legacy': '-P FORWARD DROP\n-A FORWARD -i wherry+ -j ACCEPT\n' },
    },
  ],
  ['addresses', 'ok', /4, free/, {}],
  ['addresses', 'ok', /4, free/, { files: { '/proc/net/route': routes(route('eth0', '00000000', '00000000')) } }],
  [
    'addresses',
    'ok',
    /overlap 172\.30\.0\.0\/16 \(tun0 and 1 more\)/,
    {
      files: {
        '/proc/net/route': routes(route('tun0', '00051EAC', '00FFFFFF'), route('tun1', '00061EAC', '00FFFFFF')),
      },
    },
  ],
  [
    'addresses',
    'ok',
    /4, free/,
    {
      files: { '/proc/net/route': routes(route('wherry0', '00001EAC', '00FCFFFF')) },
      folders: { '/sys/class/net/wherry0/bridge': [] },
    },
  ],
  [
    'addresses',
    'warn',
    /cover 172\.30\.0\.0\/16 \(tun0\), 172\.31\.0\.0\/16 \(tun0\)/,
    { files: { '/proc/net/route': routes(route('tun0', '000010AC', '0000F0FF')) } },
  ],
  [
    'addresses',
    'fail',
    /cover all: 10\.0\.0\.0\/24/,
    {
      files: {
        '/proc/net/route': routes(route('tun0', '0000000A', '000000FF')),
        '/etc/wherry/daemon.json': '{"default-address-pools": [{"base": "10.0.0.0/24", "size": 26}]}',
      },
    },
  ],
  ['resolvers', 'ok', /192\.0\.2\.53/, {}],
  ['resolvers', 'warn', /names none/, { files: { '/etc/resolv.conf': '# nothing\n' } }],
  ['resolvers', 'warn', /cannot reach/, { files: { '/etc/resolv.conf': 'nameserver 127.0.0.53\n' } }],
  [
    'resolvers',
    'ok',
    /9\.9\.9\.9 \(behind 127/,
    {
      files: {
        '/etc/resolv.conf': 'nameserver 127.0.0.53\n',
        '/run/systemd/resolve/resolv.conf': 'nameserver 9.9.9.9\n',
      },
    },
  ],
  ['inotify', 'ok', /1024 instances/, {}],
  ['inotify', 'warn', /only 16 instances/, { files: { '/proc/sys/fs/inotify/max_user_instances': '16' } }],
  ['inotify', 'warn', /only 100 watches/, { files: { '/proc/sys/fs/inotify/max_user_watches': '100' } }],
  ['nofile', 'ok', /1048576/, {}],
  ['nofile', 'ok', /unlimited/, { files: { '/proc/self/limits': 'Max open files  1024  unlimited  files\n' } }],
  ['nofile', 'warn', /at most 4096/, { files: { '/proc/self/limits': 'Max open files  1024  4096  files\n' } }],
  ['pids', 'ok', /4194304/, {}],
  ['pids', 'warn', /only 4096 process/, { files: { '/proc/sys/kernel/pid_max': '4096' } }],
  ['pids', 'warn', /only 1000 threads/, { files: { '/proc/sys/kernel/threads-max': '1000' } }],
  ['data-root', 'ok', /on ext4/, {}],
  ['data-root', 'ok', /type 0xabcd/, { fileSystem: { type: 0xabcd } }],
  ['data-root', 'fail', /overlayfs cannot stand on itself/, { fileSystem: { type: 0x794c7630 } }],
  ['data-root', 'fail', /nfs/, { fileSystem: { type: 0x6969 } }],
  ['data-root', 'fail', /cifs/, { fileSystem: { type: 0xff534d42 } }],
  ['data-root', 'fail', /fuse/, { fileSystem: { type: 0x65735546 } }],
  ['data-root', 'fail', /ecryptfs/, { fileSystem: { type: 0xf15f } }],
  ['data-root', 'warn', /tmpfs/, { fileSystem: { type: 0x01021994 } }],
  ['data-root', 'ok', /on xfs/, { fileSystem: { type: 0x58465342 }, programs: { xfs_info: 'naming ftype=1' } }],
  ['data-root', 'ok', /on xfs/, { fileSystem: { type: 0x58465342 } }],
  [
    'data-root',
    'fail',
    /without ftype/,
    { fileSystem: { type: 0x58465342 }, programs: { xfs_info: 'naming ftype=0' } },
  ],
  ['space', 'ok', /60GB of 100GB/, {}],
  ['space', 'warn', /not much/, { fileSystem: { available: 4e9 } }],
  ['space', 'fail', /will fail.*system prune/, { fileSystem: { available: 4e8 } }],
  ['inodes', 'ok', /5000000 of/, {}],
  ['inodes', 'ok', /as needed/, { fileSystem: { inodes: 0, freeInodes: 0 } }],
  ['inodes', 'warn', /not much/, { fileSystem: { freeInodes: 100_000 } }],
  ['inodes', 'fail', /no image/, { fileSystem: { freeInodes: 10 } }],
  ['socket', 'ok', /Wherry 0\.1\.0 answers/, {}],
  ['socket', 'warn', /does not run → sudo wherry system start$/, answering('absent')],
  ['socket', 'warn', /does not run → wherry system start$/, { ...answering('absent'), uid: 0 }],
  ['socket', 'warn', /left over/, answering('refused')],
  ['socket', 'fail', /two seconds/, answering('silent')],
  ['socket', 'fail', /ann may not use .* → use sudo/, answering('denied')],
  [
    'socket',
    'fail',
    /usermod -aG docker ann/,
    { ...answering('denied'), ...socketFacts(0o660), files: { '/etc/group': 'root:x:0:\ndocker:x:998:\n' } },
  ],
  [
    'socket',
    'warn',
    /Podman answers/,
    { answers: { [fakeSocket]: { state: 'answers', platform: 'Podman', version: '5', dataRoot: undefined } } },
  ],
  ['socket-mode', 'ok', /none yet/, {}],
  ['socket-mode', 'ok', /mode 660/, socketFacts(0o660)],
  ['socket-mode', 'fail', /every user.*chmod 660/, socketFacts(0o666)],
  ['socket-mode', 'warn', /belongs to user 5/, socketFacts(0o660, 5)],
  [
    'socket-mode',
    'fail',
    /is not a socket/,
    { paths: { [fakeSocket]: { kind: 'file', mode: 0o600, uid: 0, gid: 0 } } },
  ],
  ['pidfile', 'ok', /none/, {}],
  [
    'pidfile',
    'ok',
    /process 7/,
    { files: { '/run/wherry/wherryd.pid': '7\n', '/proc/7/cmdline': 'node\0dist/wherryd.js\0' } },
  ],
  ['pidfile', 'warn', /which is gone/, { files: { '/run/wherry/wherryd.pid': '7\n' } }],
  ['pidfile', 'warn', /another program/, { files: { '/run/wherry/wherryd.pid': '7\n', '/proc/7/cmdline': 'sshd\0' } }],
  ['service', 'ok', /not installed/, {}],
  ['service', 'warn', /not what this version writes/, { files: { [servicePath]: '[Unit]\n' } }],
  [
    'service',
    'ok',
    /wherry\.service/,
    { files: { [servicePath]: serviceUnit(daemonProgram()), [socketUnitPath]: socketUnit(fakeSocket, 'root') } },
  ],
  ['docker-socket', 'ok', /not there/, {}],
  [
    'docker-socket',
    'ok',
    /Docker Engine answers/,
    {
      answers: {
        '/var/run/docker.sock': { state: 'answers', platform: 'Docker Engine', version: '28', dataRoot: undefined },
      },
    },
  ],
  ['docker-socket', 'ok', /not for ann/, { answers: { '/var/run/docker.sock': { state: 'denied' } } }],
  ['docker-socket', 'warn', /nobody answers/, { answers: { '/var/run/docker.sock': { state: 'refused' } } }],
  ['neighbours', 'ok', /none/, {}],
  ['neighbours', 'ok', /dockerd beside/, { processes: ['dockerd', 'sh'] }],
  ['endpoint', 'ok', /wherry\.sock$/, {}],
  ['endpoint', 'ok', /\(WHERRY_HOST\)/, { endpoint: { url: `unix://${fakeSocket}`, because: 'WHERRY_HOST' } }],
  [
    'endpoint',
    'warn',
    /DOCKER_HOST says so.*unset DOCKER_HOST/,
    { endpoint: { url: 'tcp://192.0.2.1:2376', because: 'DOCKER_HOST' }, env: { DOCKER_HOST: 'tcp://192.0.2.1:2376' } },
  ],
  ['endpoint', 'warn', /context use default/, { endpoint: { url: 'ssh://far', because: 'context far' } }],
  ['rootless', 'ok', /^ready$/, {}],
  ['rootless', 'ok', /users could have/, { uid: 0, user: 'root' }],
  ['rootless', 'ok', /not needed by root/, { uid: 0, user: 'root', programs: { pasta: undefined } }],
  ['rootless', 'warn', /no newuidmap.*install uidmap/, { programs: { newuidmap: undefined } }],
  ['rootless', 'warn', /neither pasta nor/, { programs: { pasta: undefined } }],
  ['rootless', 'ok', /^ready$/, { programs: { pasta: undefined, slirp4netns: '' } }],
  ['rootless', 'warn', /65536 ids in \/etc\/subuid/, { files: { '/etc/subuid': 'ann:100000:10\n' } }],
  ['rootless', 'ok', /^ready$/, { files: { '/etc/subgid': '1000:100000:65536\n' } }],
  ['rootless', 'warn', /no fuse-overlayfs/, { files: { '/proc/sys/kernel/osrelease': '5.10.0\n' } }],
  ['rootless', 'warn', /users may not/, { files: { '/proc/sys/kernel/unprivileged_userns_clone': '0' } }],
  ['rootless', 'warn', /AppArmor/, { files: { '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' } }],
];

describe('checks', () => {
  for (const [id, state, says, differences] of outcomes) {
    test(`${id}: ${state}, ${says.source}`, async () => {
      const [result] = await runChecks(
        checks.filter((check) => check.id === id),
        fakeHost(differences),
      );
      assert.ok(result !== undefined);
      const text = result.mend === undefined ? result.found : `${result.found} → ${result.mend}`;
      assert.equal(result.state, state, text);
      assert.match(text, says);
    });
  }

  test('a good machine has no problem, and every problem has a way out', async () => {
    assert.deepEqual(
      (await runChecks(checks, fakeHost())).filter(({ state }) => state !== 'ok'),
      [],
    );
    const ids = checks.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual([...new Set(outcomes.map(([id]) => id))].sort(), [...ids].sort(), 'every check is tested');
  });

  test('nothing can be read, no program is there: no check breaks', async () => {
    const results = await runChecks(checks, unknownHost());
    for (const { id, state, mend, found } of results) {
      assert.ok(state === 'ok' || mend !== undefined, id);
      assert.doesNotMatch(found, /cannot be told: /, id);
    }
  });

  test('a check that throws is a warning', async () => {
    const broken = { id: 'x', title: 'X', run: () => Promise.reject(new Error('no such luck')) };
    assert.deepEqual(await runChecks([broken], fakeHost()), [
      { id: 'x', title: 'X', state: 'warn', found: 'cannot be told: no such luck', mend: 'wherry system doctor x' },
    ]);
  });
});

test('ranges and routes', () => {
  const range = (text: string): Range => {
    const parsed = parseRange(text);
    assert.ok(parsed !== undefined);
    return parsed;
  };
  assert.deepEqual(parseRange('10.0.0.7/30'), { first: 167772164, last: 167772167 });
  for (const wrong of ['10.0.0.0', '10.0.0.256/8', '10.0.0.0/33', 'fd00::/8'])
    assert.equal(parseRange(wrong), undefined);
  const [found] = readRoutes(routes(route('eth0', '0001A8C0', '00FFFFFF'), 'cut short'));
  assert.deepEqual(found, { device: 'eth0', range: range('192.168.1.0/24') });
  assert.ok(overlap(found.range, range('192.168.0.0/16')));
  assert.ok(!overlap(found.range, range('192.168.2.0/24')));
});

describe('the report', () => {
  const results: Result[] = [
    { id: 'a', title: 'One', state: 'ok', found: 'good' },
    { id: 'long', title: 'Two', state: 'warn', found: 'words that do not fit into it', mend: 'type this' },
    { id: 'c', title: 'Three', state: 'fail', found: 'bad', mend: 'and that' },
  ];
  test('aligned, its sum last', () => {
    assert.equal(
      reportText(results, { columns: undefined, colour: false }),
      [
        'ok    a     One    good',
        'warn  long  Two    words that do not fit into it',
        '                   → type this',
        'fail  c     Three  bad',
        '                   → and that',
        '1 ok, 1 warning, 1 failure',
        '',
      ].join('\n'),
    );
  });
  test('fits the terminal, in colour', () => {
    const text = reportText(results, { columns: 40, colour: true });
    assert.ok(text.includes('\u001B[33mwarn\u001B[0m  long  Two    words that do not fit\n'));
    assert.ok(text.includes('\n                   into it\n                   → type this\n'));
  });
  test('a command stays whole, and begins further left where it does not fit', () => {
    const mend = 'sudo sysctl -w fs.inotify.max_user_instances=1024';
    assert.ok(
      reportText([{ id: 'a', title: 'One', state: 'warn', found: 'few', mend }], {
        columns: 60,
        colour: false,
      }).includes(`few\n      → ${mend}\n`),
    );
  });
  test('what was found cannot move the cursor', () => {
    const found = 'a\u001B[2Jb\nc';
    assert.ok(
      reportText([{ id: 'a', title: 'One', state: 'ok', found }], { columns: 80, colour: true }).includes(
        'a\\x1b[2Jb\\nc\n',
      ),
    );
  });
  test('as JSON', () => {
    const { Checks } = JSON.parse(jsonReport(results)) as { Checks: unknown[] };
    assert.deepEqual(Checks[0], { Id: 'a', Title: 'One', State: 'ok', Found: 'good' });
    assert.deepEqual(Checks[2], { Id: 'c', Title: 'Three', State: 'fail', Found: 'bad', Mend: 'and that' });
  });
});

test('the command: some checks, formats, wrong names', async () => {
  await withServer({}, async (place) => {
    const { code, out } = await wherry(place, ['system', 'doctor', 'pids', 'kernel', '--format', 'json']);
    const { Checks } = JSON.parse(out) as { Checks: { Id: string; State: string }[] };
    assert.deepEqual(
      Checks.map(({ Id }) => Id),
      ['kernel', 'pids'],
    );
    assert.equal(code, Checks.some(({ State }) => State === 'fail') ? 1 : 0);
    const unknown = await wherry(place, ['system', 'doctor', 'nonsense']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.err, /no such check: nonsense\. There are: kernel, /);
    assert.match((await wherry(place, ['system', 'doctor', '--format', 'xml'])).err, /the only format is json/);
    assert.match((await wherry(place, ['system', 'doctor', 'endpoint'])).out, /DOCKER_HOST/);
    assert.match((await wherry(place, ['system', 'doctor'])).out, /\n\d+ ok, \d+ warnings?, \d+ failures?\n$/);
  });
});
