import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DetachScanner, parseDetachKeys } from './detach-keys.ts';
import { afterProbe, probeOf } from './health.ts';
import { facilityNumber, journalMessage, logTag, syslogMessage } from './log-message.ts';
import { nextRestart, restartsAtBoot } from './restart-policy.ts';
import { customSeccomp, defaultSeccomp } from './seccomp-profile.ts';
import { parseSecurityOptions } from './security.ts';
import { startFailure } from './start-error.ts';
import { resolveUser } from './user.ts';
import { checkName, checkResources, checkRestartPolicy, type HostFacts, settleConfig } from './validate.ts';

const facts: HostFacts = {
  cgroupVersion: 2,
  controllers: new Set(['cpu', 'cpuset', 'io', 'memory', 'pids']),
  cpus: 4,
  memory: 8e9,
  swapLimit: true,
  blockWeight: true,
  runtimes: ['crun'],
  defaultRuntime: 'crun',
  logDriver: 'json-file',
  logOptions: {},
  shmSize: 64 << 20,
  ipcMode: 'private',
  cgroupnsMode: undefined,
  ulimits: [{ Name: 'nofile', Soft: 10, Hard: 20 }],
  init: false,
  userNamespaces: false,
};

describe('restart policy', () => {
  const end = { exitCode: 1, ranMs: 5, manuallyStopped: false, restartCount: 0, delayMs: 0 };
  test('delays double from 100 ms to a minute and are forgiven after ten seconds up', () => {
    assert.equal(nextRestart({ Name: 'always' }, end), 100);
    assert.equal(nextRestart({ Name: 'always' }, { ...end, delayMs: 100 }), 200);
    assert.equal(nextRestart({ Name: 'always' }, { ...end, delayMs: 50_000 }), 60_000);
    assert.equal(nextRestart({ Name: 'always' }, { ...end, delayMs: 50_000, ranMs: 10_000 }), 100);
  });
  test('on-failure counts, and only failures', () => {
    assert.equal(nextRestart({ Name: 'on-failure', MaximumRetryCount: 2 }, { ...end, restartCount: 2 }), undefined);
    assert.equal(nextRestart({ Name: 'on-failure' }, { ...end, exitCode: 0 }), undefined);
    assert.equal(nextRestart({ Name: 'on-failure' }, end), 100);
  });
  test('what a person stopped stays down; at boot only always comes back then', () => {
    assert.equal(nextRestart({ Name: 'always' }, { ...end, manuallyStopped: true }), undefined);
    const stopped = { manuallyStopped: true, exitCode: 0, wasRunning: false };
    assert.equal(restartsAtBoot({ Name: 'always' }, stopped), true);
    assert.equal(restartsAtBoot({ Name: 'unless-stopped' }, stopped), false);
    assert.equal(restartsAtBoot({ Name: 'no' }, { ...stopped, wasRunning: true }), false);
  });
});

describe('health', () => {
  const probe = probeOf({ Healthcheck: { Test: ['CMD-SHELL', 'x'], Retries: 2 } })!;
  const entry = (ExitCode: number) => ({ Start: '', End: '', ExitCode, Output: '' });
  test('defaults and forms', () => {
    assert.deepEqual(probe, {
      command: ['/bin/sh', '-c', 'x'],
      intervalMs: 30_000,
      timeoutMs: 30_000,
      startPeriodMs: 0,
      startIntervalMs: 5000,
      retries: 2,
    });
    assert.equal(probeOf({ Healthcheck: { Test: ['NONE'] } }), undefined);
  });
  test('a streak makes it unhealthy, one success heals, the start period forgives', () => {
    let state = afterProbe({ Status: 'healthy', FailingStreak: 0, Log: [] }, entry(1), probe, false);
    assert.deepEqual([state.Status, state.FailingStreak], ['healthy', 1]);
    state = afterProbe(state, entry(1), probe, false);
    assert.equal(state.Status, 'unhealthy');
    assert.equal(afterProbe(state, entry(0), probe, false).Status, 'healthy');
    assert.deepEqual(
      afterProbe({ Status: 'starting', FailingStreak: 0, Log: [] }, entry(1), probe, true).FailingStreak,
      0,
    );
  });
});

describe('detach keys', () => {
  test('notation', () => {
    assert.deepEqual(parseDetachKeys(undefined), [16, 17]);
    assert.deepEqual(parseDetachKeys('a,ctrl-@,ctrl-['), [97, 0, 27]);
    for (const none of ['ctrl-1', '世', 'é', ',']) assert.throws(() => parseDetachKeys(none), /Invalid detach keys/);
  });
  test('a sequence split over pieces is found, a broken one is passed on whole', () => {
    const scanner = new DetachScanner([16, 17]);
    assert.deepEqual([...scanner.feed(Buffer.from([1, 16])).pass], [1]);
    assert.deepEqual([...scanner.feed(Buffer.from([5])).pass], [16, 5]);
    assert.deepEqual(scanner.feed(Buffer.from([16, 17, 9])).detached, true);
  });
});

describe('users', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n';
  const group = 'root:x:0:\napp:x:1001:\nextra:x:50:app,other\n';
  test('names, ids, groups', () => {
    assert.deepEqual(resolveUser('app', [], passwd, group), {
      uid: 1000,
      gid: 1001,
      additionalGids: [50, 1001],
      home: '/home/app',
    });
    assert.deepEqual(resolveUser('1234', [], passwd, group), { uid: 1234, gid: 0, additionalGids: [0], home: '/' });
    assert.equal(resolveUser('app:extra', [], passwd, group).gid, 50);
    assert.deepEqual(resolveUser('', ['extra', '77'], passwd, group).additionalGids, [0, 50, 77]);
    assert.throws(() => resolveUser('nobody', [], passwd, group), {
      message: 'unable to find user nobody: no matching entries in passwd file',
    });
    assert.throws(() => resolveUser('app:none', [], passwd, group), /unable to find group none/);
  });
});

describe('validation', () => {
  const bad: [object, RegExp][] = [
    [{ Memory: 1 }, /Minimum memory limit allowed is 6MB/],
    [{ MemorySwap: 7e6 }, /always set the Memory limit/],
    [{ NanoCpus: 5e9 }, /range of CPUs is from 0.01 to 4.00/],
    [{ NanoCpus: 1e9, CpuQuota: 1000 }, /Conflicting options/],
    [{ CpusetCpus: '0-9' }, /Requested CPUs are not available/],
    [{ Ulimits: [{ Name: 'bogus', Soft: 1, Hard: 1 }] }, /invalid ulimit type: bogus/],
    [{ CgroupParent: 'x'.repeat(300) }, /Invalid cgroup parent "x{100}…"/],
  ];
  for (const [resources, message] of bad) {
    test(`resources ${JSON.stringify(resources)}`, () =>
      assert.throws(() => checkResources(resources, facts), message));
  }
  test('names and policies', () => {
    assert.equal(checkName('/web'), 'web');
    assert.throws(() => checkName('a b'), {
      message: 'Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    });
    assert.throws(() => checkRestartPolicy({ Name: 'zz' }, false), /unknown policy 'zz'/);
    assert.throws(
      () => checkRestartPolicy({ Name: 'always' }, true),
      /can't create 'AutoRemove' container with restart policy/,
    );
  });
  test('what is left out is filled in', () => {
    const { config, host } = settleConfig(
      {},
      { NetworkMode: 'default', MemorySwappiness: -1, PidsLimit: 0, Memory: 10e6 },
      facts,
      'abcdef0123456789',
      '1.51',
    );
    assert.equal(config.Hostname, 'abcdef012345');
    assert.deepEqual(
      [
        host.NetworkMode,
        host.IpcMode,
        host.CgroupnsMode,
        host.ShmSize,
        host.PidsLimit,
        host.MemorySwappiness,
        host.MemorySwap,
        host.Runtime,
      ],
      ['bridge', 'private', 'private', 64 << 20, null, null, 20e6, 'crun'],
    );
    assert.deepEqual(host.Ulimits, facts.ulimits);
  });
});

describe('security', () => {
  test('options', () => {
    assert.deepEqual(parseSecurityOptions(['no-new-privileges', 'seccomp=unconfined', 'apparmor=x', 'label=disable']), {
      noNewPrivileges: true,
      seccomp: 'unconfined',
      apparmor: 'x',
      labels: ['disable'],
    });
    assert.throws(() => parseSecurityOptions(['bogus=1']), /invalid --security-opt: "bogus=1"/);
  });
  test('the default profile opens with capabilities and never for AF_ALG and AF_VSOCK', () => {
    const names = (caps: string[]): Set<string> =>
      new Set(
        defaultSeccomp(caps, 'x64')
          .syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && rule.args === undefined)
          .flatMap((rule) => rule.names),
      );
    assert.equal(names([]).has('mount'), false);
    assert.equal(names(['CAP_SYS_ADMIN']).has('mount'), true);
    assert.equal(names([]).has('io_uring_setup'), false);
    const sockets = defaultSeccomp([], 'x64').syscalls.filter((rule) => rule.names.includes('socket'));
    assert.deepEqual(
      sockets.map((rule) => [rule.args![0]!.op, rule.args![0]!.value]),
      [
        ['SCMP_CMP_LT', 38],
        ['SCMP_CMP_EQ', 39],
        ['SCMP_CMP_GT', 40],
      ],
    );
  });
  test('conditions of a custom profile are resolved', () => {
    const text = JSON.stringify({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        { names: ['a'], action: 'SCMP_ACT_ALLOW', includes: { caps: ['CAP_X'] } },
        { names: ['b'], action: 'SCMP_ACT_ALLOW', excludes: { caps: ['CAP_X'] } },
        { names: ['c'], action: 'SCMP_ACT_ALLOW', includes: { minKernel: '99.0' } },
      ],
    });
    assert.deepEqual(
      customSeccomp(text, ['CAP_X'], 'x64', '6.1.0').syscalls.map(({ names }) => names[0]),
      ['a'],
    );
    assert.deepEqual(
      customSeccomp(text, [], 'x64', '6.1.0').syscalls.map(({ names }) => names[0]),
      ['b'],
    );
    assert.throws(() => customSeccomp('{', [], 'x64', '6'), /Decoding seccomp profile failed/);
  });
});

describe('words', () => {
  test("the runtime's failures become what clients match", () => {
    assert.equal(startFailure('executable file `x` not found in $PATH: No such file or directory', 'x').exitCode, 127);
    assert.equal(
      startFailure('open `/sys/fs/cgroup/pids/x/cgroup.procs`: No such file or directory', 'x').exitCode,
      128,
    );
    assert.equal(startFailure('exec failed: exec: "x": executable file not found in $PATH', 'x').exitCode, 127);
    assert.equal(
      startFailure('exec: "x": executable file not found in $PATH', 'x').detail,
      'exec: "x": executable file not found in $PATH',
    );
    assert.equal(
      startFailure('executable file `/x` not found in $PATH: No such file or directory', '/x').detail,
      'exec: "/x": stat /x: no such file or directory',
    );
    assert.equal(startFailure('open executable: Permission denied', '/x').exitCode, 126);
    assert.equal(startFailure('something else', 'x').exitCode, 128);
    assert.equal(startFailure('cannot stat `/dev/mqueue`: No such file or directory', 'sh').exitCode, 128);
  });
  test('syslog and journal', () => {
    const source = {
      id: 'a'.repeat(64),
      name: 'web',
      image: 'img',
      labels: { tier: 'db' },
      options: { tag: '{{.Name}}/{{.ID}}', 'syslog-format': 'rfc5424', labels: 'tier' },
    };
    assert.equal(logTag(source), 'web/aaaaaaaaaaaa');
    assert.equal(facilityNumber('local0'), 16);
    assert.equal(facilityNumber('bogus'), undefined);
    assert.match(
      syslogMessage(source, 'stderr', 0n, 'hi', 7).toString(),
      /^<27>1 1970-01-01T00:00:00Z \S+ web\/a{12} 7 web\/a{12} - hi\n$/,
    );
    const journal = journalMessage(source, 'stdout', 0n, 'a\nb');
    assert.ok(journal.includes('MESSAGE\n'));
    assert.ok(journal.includes('TIER=db\n'));
  });
});
