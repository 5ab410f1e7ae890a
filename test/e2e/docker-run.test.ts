/** `docker run` and `create`: what the flags do inside the container. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDaemon } from '../support/daemon.ts';

const host = await sharedDaemon();
const { scenario } = host;

/** What a shell script prints in a container run with these flags. */
const inside = (flags: string[], script: string): Promise<string> =>
  host.docker.ok('run', '--rm', ...flags, 'busybox', 'sh', '-c', script);

scenario('stdout, stderr, exit code; arguments stop at the image', async () => {
  const { code, stdout, stderr } = await host.docker.run([
    'run',
    '--rm',
    'busybox',
    'sh',
    '-c',
    'echo out; echo err >&2; exit 7',
    '--rm',
    '-it',
  ]);
  assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: 'out\n', stderr: 'err\n' });
});

scenario('stdin goes in with -i and its end ends the program', async () => {
  const { code, stdout } = await host.docker.run(['run', '--rm', '-i', 'busybox', 'sha256sum'], {
    input: 'wherry\n'.repeat(300_000),
  });
  assert.equal(code, 0);
  assert.match(stdout, /^[0-9a-f]{64} {2}-\n$/);
  assert.equal(await inside([], 'cat; echo no stdin'), 'no stdin');
});

scenario('large output arrives whole and in order', async () => {
  const text = await inside([], 'seq 1 200000');
  assert.equal(text.split('\n').length, 200_000);
  assert.ok(text.endsWith('199999\n200000'));
});

scenario('env, env-file, workdir, user, groups', async () => {
  const file = join(host.daemon.root, 'env');
  writeFileSync(file, '# a comment\nFROM_FILE=x y\nFROM_HOST_NOT\n\n');
  assert.equal(
    await inside(
      ['-e', 'A=1', '--env', 'B=two words', '--env-file', file],
      'echo "$A,$B,$FROM_FILE,$HOME,$HOSTNAME"',
    ).then((line) => line.replace(/[0-9a-f]{12}$/, 'ID')),
    '1,two words,x y,/root,ID',
  );
  assert.equal(await inside(['-w', '/made/for/it'], 'pwd'), '/made/for/it');
  assert.equal(await inside(['-u', 'nobody'], 'id -u; id -g; id -G; echo $HOME'), '65534\n65534\n65534 50\n/home');
  assert.equal(await inside(['-u', '1234:50'], 'id -u; id -G'), '1234\n50');
  assert.equal(
    await inside(['-u', 'www-data:staff', '--group-add', '77', '--group-add', 'nogroup'], 'id -G'),
    '50 77 65534',
  );
  assert.match(
    await host.docker.fails('run', '--rm', '-u', 'who', 'busybox', 'id'),
    /^12[56]: .*unable to find user who: no matching entries in passwd file/s,
  );
});

scenario('hostname, domainname, /etc/hosts, resolv.conf, add-host, dns', async () => {
  assert.equal(await inside(['-h', 'boat', '--domainname', 'sea'], 'hostname; cat /etc/hostname'), 'boat\nboat');
  const hosts = await inside(['-h', 'boat', '--add-host', 'db:10.1.2.3', '--add-host', 'six=::9'], 'cat /etc/hosts');
  assert.match(hosts, /^127\.0\.0\.1\tlocalhost$/m);
  assert.match(hosts, /^10\.1\.2\.3\tdb$/m);
  assert.match(hosts, /^::9\tsix$/m);
  assert.match(hosts, /^[\d.]+\tboat$/m);
  const conf = await inside(
    ['--dns', '192.0.2.53', '--dns-search', 'corp.test', '--dns-option', 'ndots:3'],
    'cat /etc/resolv.conf',
  );
  assert.match(conf, /^nameserver 192\.0\.2\.53$/m);
  assert.match(conf, /^search corp\.test$/m);
  assert.match(conf, /^options ndots:3$/m);
});

scenario('entrypoint, cmd, name, labels, cidfile, pull policy', async () => {
  assert.equal(await host.docker.ok('run', '--rm', '--entrypoint', '/bin/echo', 'busybox', 'a', 'b'), 'a b');
  const cidfile = join(host.daemon.root, 'cid');
  const labels = join(host.daemon.root, 'labels');
  writeFileSync(labels, 'from=file\n');
  const id = await host.docker.ok(
    'create',
    '--name',
    'named.one',
    '--cidfile',
    cidfile,
    '-l',
    'a=b',
    '--label',
    'bare',
    '--label-file',
    labels,
    'busybox',
    'true',
  );
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.equal(readFileSync(cidfile, 'utf8'), id);
  assert.deepEqual(await host.docker.inspect('named.one', '.Config.Labels'), { a: 'b', bare: '', from: 'file' });
  assert.match(await host.docker.fails('run', '--cidfile', cidfile, 'busybox'), /^125: .*container ID file found/s);
  assert.match(
    await host.docker.fails('create', '--name', 'named.one', 'busybox'),
    new RegExp(`Conflict\\. The container name "/named\\.one" is already in use by container "${id}"`),
  );
  assert.match(
    await host.docker.fails('create', '--name', '!', 'busybox'),
    /Invalid container name \(!\), only \[a-zA-Z0-9\]\[a-zA-Z0-9_\.-\] are allowed/,
  );
  assert.match(await host.docker.fails('run', '--pull', 'never', 'absent:1'), /^125: .*No such image: absent:1/s);
  await host.docker.ok('rm', 'named.one');
});

scenario('exit codes: 125 our error, 126 cannot run, 127 not found', async () => {
  assert.match(
    await host.docker.fails('run', '--rm', 'busybox', 'no-such-program'),
    /^127: .*exec: "no-such-program": executable file not found in \$PATH/s,
  );
  assert.match(await host.docker.fails('run', '--rm', 'busybox', '/nope'), /^127: .*no such file or directory/s);
  assert.match(await host.docker.fails('run', '--rm', 'busybox', '/etc/passwd'), /^126: .*permission denied/s);
  assert.match(
    await host.docker.fails('run', '--rm', 'busybox', '/etc'),
    /^126: .*(is a directory|permission denied)/s,
  );
  assert.match(
    await host.docker.fails('run', '--rm', '--runtime', 'nope', 'busybox'),
    /^125: .*unknown or invalid runtime name: nope/s,
  );
  assert.equal((await host.docker.run(['run', '--rm', '--init', 'busybox', 'sh', '-c', 'kill -9 $$'])).code, 137);
  assert.equal(await host.docker.ok('ps', '-aq'), '', 'nothing is left of those');
});

scenario("capabilities: Docker's fourteen, add, drop, all, none", async () => {
  const effective = (flags: string[]): Promise<string> =>
    inside(flags, 'grep CapEff /proc/self/status').then((line) => line.split(/\s+/)[1]!);
  assert.equal(await effective([]), '00000000a80425fb');
  assert.equal(await effective(['--cap-add', 'NET_ADMIN']), '00000000a80435fb');
  assert.equal(await effective(['--cap-drop', 'cap_chown']), '00000000a80425fa');
  assert.equal(await effective(['--cap-drop', 'ALL']), '0000000000000000');
  assert.equal(await effective(['--cap-drop', 'ALL', '--cap-add', 'KILL']), '0000000000000020');
  assert.equal(await effective(['-u', 'nobody']), '0000000000000000');
  const own = BigInt(`0x${/CapBnd:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]}`);
  assert.equal(
    BigInt(`0x${await effective(['--privileged'])}`) & own,
    BigInt(`0x${await effective(['--cap-add', 'ALL'])}`) & own,
  );
  assert.match(
    await host.docker.fails('run', '--rm', '--cap-add', 'FLY', 'busybox'),
    /^125: .*invalid CapAdd: unknown capability: "CAP_FLY"/s,
  );
});

scenario('seccomp, no-new-privileges, masked and read-only paths', async () => {
  const seccomp = (flags: string[]): Promise<string> =>
    inside(flags, 'grep Seccomp: /proc/self/status').then((line) => line.split(/\s+/)[1]!);
  assert.equal(await seccomp([]), '2');
  assert.equal(await seccomp(['--security-opt', 'seccomp=unconfined']), '0');
  assert.equal(await seccomp(['--privileged']), '0');
  assert.match(await inside([], 'unshare -U true 2>&1 || true'), /not permitted/);
  const profile = join(host.daemon.root, 'profile.json');
  writeFileSync(
    profile,
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    }),
  );
  assert.match(await inside(['--security-opt', `seccomp=${profile}`], 'mkdir /x 2>&1 || true'), /not permitted/);
  assert.equal(
    await inside(['--security-opt', 'no-new-privileges'], 'grep NoNewPrivs /proc/self/status'),
    'NoNewPrivs:\t1',
  );
  assert.equal(await inside([], 'grep NoNewPrivs /proc/self/status'), 'NoNewPrivs:\t0');
  assert.equal(
    await inside([], 'echo 1 2>&1 > /proc/sys/kernel/domainname || echo refused').then((text) =>
      text.split('\n').pop(),
    ),
    'refused',
  );
  assert.equal(await inside([], 'wc -c < /proc/keys; ls /sys/firmware | wc -l'), '0\n0');
  assert.ok(
    Number(
      await inside(['--security-opt', 'systempaths=unconfined'], 'grep -c . /proc/timer_list 2>/dev/null || echo 1'),
    ) >= 1,
  );
  assert.match(
    await host.docker.fails('run', '--rm', '--security-opt', 'bogus=1', 'busybox'),
    /invalid --security-opt/,
  );
});

scenario('mounts and devices that every container has', async () => {
  const mounts = await inside([], 'cat /proc/mounts');
  for (const wanted of [
    /^overlay \/ overlay rw/m,
    /^proc \/proc proc rw,nosuid,nodev,noexec/m,
    /^tmpfs \/dev tmpfs rw,nosuid/m,
    /^devpts \/dev\/pts devpts rw,nosuid,noexec.*gid=5,mode=620,ptmxmode=666/m,
    /^sysfs \/sys sysfs ro,nosuid,nodev,noexec/m,
    /^mqueue \/dev\/mqueue mqueue rw,nosuid,nodev,noexec/m,
    /^shm \/dev\/shm tmpfs rw,nosuid,nodev,noexec.*size=65536k/m,
    / \/etc\/resolv\.conf /m,
    / \/etc\/hostname /m,
    / \/etc\/hosts /m,
  ]) {
    assert.match(mounts, wanted);
  }
  assert.equal(
    await inside([], 'ls /dev | grep -v core | tr "\\n" " "'),
    'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ',
  );
  assert.match(
    await inside([], 'mknod /tmp/sda b 8 0 && cat /tmp/sda 2>&1 || true'),
    /not permitted/,
    'the device cgroup refuses',
  );
  assert.equal(await inside([], 'test -f /.dockerenv && echo yes'), 'yes');
});

scenario('read-only root, tmpfs, shm-size', async () => {
  assert.match(await inside(['--read-only'], 'touch /x 2>&1 || true'), /Read-only file system/);
  assert.equal(await inside(['--read-only', '--tmpfs', '/run'], 'touch /run/x && echo ok'), 'ok');
  assert.match(
    await inside(['--tmpfs', '/t:size=1m,mode=700,exec'], 'grep " /t " /proc/mounts; stat -c %a /t'),
    /tmpfs \/t tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=700.*\n700$/s,
  );
  assert.match(await inside(['--shm-size', '8m'], 'grep /dev/shm /proc/mounts'), /size=8192k/);
});

scenario('devices, device rules, sysctls, ulimits, oom score', async () => {
  assert.equal(
    await inside(['--device', '/dev/null:/dev/mine:rw'], 'echo x > /dev/mine && stat -c %t,%T /dev/mine'),
    '1,3',
  );
  assert.equal(await inside(['--device-cgroup-rule', 'c 1:11 rwm'], 'mknod /tmp/k c 1 11 && echo ok'), 'ok');
  assert.match(
    await host.docker.fails('run', '--rm', '--device', '/dev/nope', 'busybox'),
    /error gathering device information while adding custom device "\/dev\/nope": no such file or directory/,
  );
  assert.equal(
    await inside(
      ['--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'kernel.msgmax=4096'],
      'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax',
    ),
    '1\n4096',
  );
  assert.equal(
    await inside(['--ulimit', 'nofile=123:456', '--ulimit', 'core=0'], 'ulimit -n; ulimit -Hn; ulimit -c'),
    '123\n456\n0',
  );
  assert.equal(await inside(['--oom-score-adj', '321'], 'cat /proc/self/oom_score_adj'), '321');
  assert.match(
    await host.docker.fails('run', '--rm', '--ulimit', 'nofile=9:3', 'busybox'),
    /ulimit soft limit must be less than or equal to hard limit/,
  );
});

scenario('init reaps and is pid 1; without it the program is', async () => {
  assert.equal(await inside([], 'echo $$'), '1');
  assert.match(await inside(['--init'], 'cat /proc/1/comm'), /docker-init|tini|catatonit/);
  assert.equal(
    await inside(['--init'], '(sleep 0.05 &); sleep 0.3; cat /proc/[0-9]*/stat | grep -c " Z " || true'),
    '0',
    'an orphan is reaped',
  );
});

scenario('pid, ipc, uts and cgroup namespaces', async () => {
  await host.docker.ok(
    'run',
    '-d',
    '--name',
    'ns',
    '--ipc',
    'shareable',
    '-h',
    'nsbox',
    'busybox',
    'sh',
    '-c',
    'echo shared > /dev/shm/note; exec sleep 600',
  );
  assert.equal(
    await inside(['--pid', 'container:ns'], 'ps | grep -c "sleep 600"').then((count) => Number(count) >= 1),
    true,
  );
  assert.equal(await inside(['--ipc', 'container:ns'], 'cat /dev/shm/note'), 'shared');
  assert.match(await host.docker.fails('run', '--rm', '--ipc', 'container:none', 'busybox'), /No such container: none/);
  assert.equal(await inside(['--pid', 'host'], `test -d /proc/${process.pid} && echo seen`), 'seen');
  assert.equal(await inside(['--uts', 'host'], 'hostname'), readFileSync('/proc/sys/kernel/hostname', 'utf8').trim());
  assert.equal(await inside(['--ipc', 'none'], 'mount | grep -c " /dev/shm " || true'), '0');
  assert.match(await inside(['--cgroupns', 'private'], 'cat /proc/self/cgroup'), /:\/$/m);
  await host.docker.ok('rm', '-f', 'ns');
});

scenario('cgroup-parent places the container', async () => {
  const parent = `/wherry-e2e-${process.pid}`;
  const text = await inside(['--cgroup-parent', parent, '--cgroupns', 'host'], 'cat /proc/self/cgroup');
  assert.match(text, new RegExp(`:${parent}/[0-9a-f]{64}$`, 'm'));
  const above = await inside(['--cgroup-parent', `/../${parent}`, '--cgroupns', 'host'], 'cat /proc/self/cgroup');
  assert.ok(above.includes(`:/${parent.replace(/^\//, '')}/`), above);
  const { rmdirSync, globSync } = await import('node:fs');
  for (const folder of globSync(`/sys/fs/cgroup/{,*/}${parent.slice(1)}`)) rmdirSync(folder);
});

scenario("bad requests: Docker's words, nothing half made", async () => {
  const { docker } = host;
  assert.match(
    await docker.fails('run', '--rm', '--restart', 'always', 'busybox'),
    /[Cc]onflicting options: .*restart.* and .*(rm|AutoRemove)/s,
  );
  assert.match(
    await docker.fails('run', '--rm', '-m', '1m', 'busybox'),
    /^125: .*Minimum memory limit allowed is 6MB/s,
  );
  assert.match(
    await docker.fails('run', '--rm', '--cpus', '1000', 'busybox'),
    /^125: .*range of CPUs is from 0\.01 to \d+\.00, as there are only \d+ CPUs available/s,
  );
  assert.match(
    await docker.fails('run', '--rm', '-v', 'a:b', 'busybox'),
    /^125: .*invalid mount path|mount path must be absolute/is,
  );
  assert.match(await docker.fails('run', '--rm', '--network', 'nope', 'busybox'), /^125: .*network nope not found/s);
  assert.match(await docker.fails('run', '--restart', 'sometimes', 'busybox'), /invalid restart policy/i);
  assert.match(await docker.fails('run', '--rm', '--log-driver', 'bogus', 'busybox'), /^125: .*bogus/s);
  assert.equal(await docker.ok('ps', '-aq'), '');
  assert.ok(existsSync(host.daemon.socket));
});
