/**
 * What the known escapes of the field did, tried from inside; and one table of probes that the reference dockerd answers as well, row by
 * row: ours is at least as tight everywhere. Then limits, which hold.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cannotRun, sharedDaemon } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
import { ReferenceEngine } from '../support/peers.ts';
import { askProbes, loadProbeImage, postures, probeImage } from '../support/probes.ts';

let missing = cannotRun();
const reference =
  missing === undefined
    ? await ReferenceEngine.open().catch((error: Error) => {
        missing = `no reference dockerd: ${error.message.split('\n')[0]}`;
        return undefined;
      })
    : undefined;
after(() => reference?.[Symbol.asyncDispose]());
const host = await sharedDaemon({ expectedErrors: [/request failed/] });
const { scenario } = host;
const ok = (...args: string[]): Promise<string> => host.docker.ok(...args);
const at = (name: string): string => join(host.daemon.root, name);
const secret = 'of the host only';

let noPerl: string | undefined;
if (cannotRun() === undefined) {
  await loadProbeImage(host.docker, host.daemon.root).catch((error: Error) => {
    noPerl = error.message;
  });
  if (noPerl === undefined && reference !== undefined) await loadProbeImage(reference.docker, reference.root);
  writeFileSync(at('secret'), secret);
}

for (const [name, flags] of Object.entries(postures)) {
  scenario(
    `probes, ${name}: nothing is let through that Docker refuses`,
    async (context) => {
      const [ours, theirs] = [await askProbes(host.docker, flags), await askProbes(reference!.docker, flags)];
      const looser = [...ours].filter(([probe, answer]) => answer === 'allowed' && theirs.get(probe) === 'denied');
      assert.deepEqual(
        looser.map(([probe]) => probe),
        [],
      );
      const tighter = [...theirs].filter(([probe, answer]) => answer === 'allowed' && ours.get(probe) === 'denied');
      context.diagnostic(
        `${ours.size} probes; tighter than Docker: ${tighter.map(([probe]) => probe).join(', ') || 'none'}`,
      );
    },
    { timeoutMs: 120_000, skip: missing ?? noPerl },
  );
}

scenario('capabilities, seccomp and no_new_privs are what was asked for, in run and in exec', async () => {
  const status = async (flags: string[], exec: string[] = []): Promise<Map<string, string>> => {
    const id = await ok('run', '-d', ...flags, 'busybox', 'sleep', '60');
    const text = await ok('exec', ...exec, id, 'cat', '/proc/self/status');
    const own = await ok('exec', ...exec, id, 'cat', '/proc/1/status');
    await ok('rm', '-f', id);
    const fields = new Map([...text.matchAll(/^(\w+):\s+(\S+)$/gm)].map((match) => [match[1]!, match[2]!]));
    if (exec.length === 0 && flags.every((flag) => flag !== '--user')) {
      for (const key of ['CapEff', 'CapBnd', 'Seccomp', 'NoNewPrivs'])
        assert.equal(
          new RegExp(`^${key}:\\s+(\\S+)$`, 'm').exec(own)![1],
          fields.get(key),
          `${flags.join(' ')} ${key}`,
        );
    }
    return fields;
  };
  const usual = await status([]);
  assert.equal(usual.get('CapEff'), '00000000a80425fb');
  assert.equal(usual.get('CapAmb'), '0000000000000000');
  assert.equal(usual.get('CapInh'), '0000000000000000');
  assert.equal(usual.get('Seccomp'), '2');
  const none = await status(['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']);
  assert.deepEqual(
    ['CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs'].map((key) => none.get(key)),
    ['0000000000000000', '0000000000000000', '0000000000000000', '1'],
  );
  const one = await status(['--cap-drop', 'ALL', '--cap-add', 'NET_BIND_SERVICE']);
  assert.equal(one.get('CapBnd'), '0000000000000400');
  const user = await status(['--user', '1000']);
  assert.equal(user.get('CapEff'), '0000000000000000');
  assert.equal((await status([], ['--user', '1000'])).get('CapEff'), '0000000000000000');
});

scenario(
  'no descriptor and no folder of the host comes in: run, exec, -w /proc/self/fd (CVE-2024-21626)',
  async () => {
    const id = await ok('run', '-d', 'busybox', 'sleep', '60');
    for (const listing of [
      await ok('run', '--rm', 'busybox', 'sh', '-c', 'ls -l /proc/self/fd; ls -l /proc/1/fd'),
      await ok('exec', id, 'ls', '-l', '/proc/self/fd'),
      await ok('exec', '-t', id, 'ls', '-l', '/proc/self/fd'),
    ]) {
      const targets = [...listing.matchAll(/-> (\S+)/g)].map((match) => match[1]!);
      assert.deepEqual(
        targets.filter((target) => !/^(pipe:|socket:|\/dev\/|\/proc\/)/.test(target)),
        [],
        listing,
      );
    }
    for (let number = 3; number < 20; number++) {
      const folder = `/proc/self/fd/${number}`;
      for (const args of [
        ['run', '--rm', '-w', folder, 'busybox', 'cat', `../../../../..${at('secret')}`],
        ['run', '--rm', '-w', `${folder}/../../..`, 'busybox', 'cat', `.${at('secret')}`],
        ['exec', '-w', folder, id, 'cat', `../../../../..${at('secret')}`],
      ]) {
        const { stdout } = await host.docker.run(args);
        assert.ok(!stdout.includes(secret), args.join(' '));
      }
    }
    await ok('rm', '-f', id);
  },
  { timeoutMs: 120_000 },
);

scenario('the runtime on the host cannot be written from inside (CVE-2019-5736)', async () => {
  const programs = ['/usr/bin/runc', '/usr/sbin/runc', '/usr/bin/crun', '/usr/bin/conmon'].filter((path) =>
    existsSync(path),
  );
  const sums = (): string[] => programs.map((path) => createHash('sha256').update(readFileSync(path)).digest('hex'));
  const before = sums();
  const watch = [
    'cp /bin/busybox /bin/keep; rm /bin/sh; printf "#!/proc/self/exe\\n" >/bin/sh; chmod 755 /bin/sh',
    'while :; do for p in /proc/[0-9]*; do /bin/keep sh -c "exec 3>>$p/exe && echo broken >&3" 2>/dev/null; done; done',
  ];
  const id = await ok('run', '-d', 'busybox', 'sh', '-c', watch.join('; '));
  await sleep(300);
  for (let round = 0; round < 6; round++) {
    await host.docker.run(['exec', id, '/bin/sh']);
    await host.docker.run(['exec', '-t', id, '/bin/keep', 'true']);
  }
  await ok('rm', '-f', id);
  assert.deepEqual(sums(), before);
  assert.equal(
    (await host.docker.run(['run', '--rm', '--entrypoint', '/proc/self/exe', 'busybox', 'init'])).code === 0,
    false,
  );
  assert.deepEqual(sums(), before);
});

scenario('cp, in and out, while links are swapped under it (CVE-2018-15664, CVE-2021-30465)', async () => {
  const swap = 'mkdir /a; echo inside >/a/secret; ln -s / /l; while :; do mv /a /x; mv /l /a; mv /a /l; mv /x /a; done';
  const id = await ok('run', '-d', 'busybox', 'sh', '-c', swap);
  mkdirSync(at('out'));
  writeFileSync(at('put'), 'from outside');
  const marker = at('marker');
  for (let round = 0; round < 25; round++) {
    await host.docker.run(['cp', `${id}:/a${at('secret')}`, at('out/got')]);
    await host.docker.run(['cp', `${id}:/a/secret`, at('out/got2')]);
    await host.docker.run(['cp', at('put'), `${id}:/a${marker}`]);
    for (const name of ['got', 'got2']) {
      if (existsSync(at(`out/${name}`))) assert.ok(!readFileSync(at(`out/${name}`), 'utf8').includes(secret), name);
      rmSync(at(`out/${name}`), { recursive: true, force: true });
    }
    assert.ok(!existsSync(marker), 'nothing is written to the host');
  }
  await ok('rm', '-f', id);
});

scenario(
  'mounts through links of the image stay inside: volumes, tmpfs, binds, subpaths (CVE-2021-30465)',
  async () => {
    mkdirSync(at('target'));
    writeFileSync(at('target/kept'), 'kept');
    const up = '../../../../../../../..';
    const id = await ok(
      'create',
      'busybox',
      'sh',
      '-c',
      `ln -s ${up}${at('target')} /link; ln -s ${at('target')} /abs; ln -s / /root-link`,
    );
    await ok('start', '-a', id);
    await ok('commit', id, 'links:1');
    await ok('rm', id);
    await ok('volume', 'create', 'tricky');
    for (const point of ['/link', '/abs', '/link/new', `/root-link${at('target')}`]) {
      for (const mount of [
        `type=volume,src=tricky,dst=${point}`,
        `type=tmpfs,dst=${point}`,
        `type=bind,src=${at('out')},dst=${point}`,
      ]) {
        await host.docker.run([
          'run',
          '--rm',
          '--mount',
          mount,
          'links:1',
          'sh',
          '-c',
          `echo x >${point}/written; rm -f ${point}/kept`,
        ]);
        assert.deepEqual(readdirSync(at('target')), ['kept'], mount);
      }
    }
    await ok(
      'run',
      '--rm',
      '-v',
      'tricky:/v',
      'busybox',
      'sh',
      '-c',
      `ln -s ${up}${at('target')} /v/out; ln -s / /v/all; mkdir /v/in`,
    );
    for (const subpath of ['out', `all${at('target')}`, `../../../../..${at('target')}`, 'in/../../../..']) {
      const tried = await host.docker.run([
        'run',
        '--rm',
        '--mount',
        `type=volume,src=tricky,dst=/s,volume-subpath=${subpath}`,
        'busybox',
        'sh',
        '-c',
        'ls /s; echo x >/s/written',
      ]);
      assert.ok(!tried.stdout.includes('kept'), subpath);
      assert.deepEqual(readdirSync(at('target')), ['kept'], subpath);
    }
    // The other way: a link on the host that a person binds is the person's own choice.
    symlinkSync(at('target'), at('chosen'));
    assert.equal(await ok('run', '--rm', '-v', `${at('chosen')}:/c:ro`, 'busybox', 'cat', '/c/kept'), 'kept');
    await ok('volume', 'rm', 'tricky');
  },
);

scenario(
  'a build step cannot reach out: mounts over links, stubs replaced by links (CVE-2024-23651, -23652, -23653)',
  async () => {
    const victim = at('victim');
    mkdirSync(victim);
    writeFileSync(join(victim, 'kept'), secret);
    const folder = at('build');
    mkdirSync(folder);
    const build = async (lines: string[]): Promise<string> => {
      writeFileSync(join(folder, 'Dockerfile'), ['FROM busybox', ...lines, ''].join('\n'));
      const { stdout, stderr } = await host.docker.run(['build', '--no-cache', folder], {
        env: { DOCKER_BUILDKIT: '0' },
        timeoutMs: 60_000,
      });
      return stdout + stderr;
    };
    const up = '../../../../../../../..';
    const said = [
      await build([
        `RUN --mount=type=cache,target=/c ln -s ${up}${victim} /c/l`,
        `RUN --mount=type=cache,target=/d,source=l cat /d/kept; echo x >/d/x`,
      ]),
      await build([
        `RUN ln -s ${up}${victim} /m`,
        'RUN --mount=type=tmpfs,target=/m/sub true',
        'RUN --mount=type=cache,target=/m rm -rf /m/*',
      ]),
      await build([
        `RUN --mount=type=tmpfs,target=/stub/kept umount /stub/kept; rm -rf /stub; ln -s ${up}${victim} /stub`,
      ]),
      await build([
        `RUN --mount=type=bind,from=busybox,source=/bin,target=/bound rmdir /bound; ln -s ${up}${victim} /bound`,
      ]),
      await build(['RUN --security=insecure mount -t tmpfs x /mnt']),
      await build([
        `RUN ln -s ${up}${victim} /here`,
        'COPY Dockerfile /here/',
        'WORKDIR /here/new',
        'ADD Dockerfile /here/added',
      ]),
    ];
    for (const text of said) assert.ok(!text.includes(secret), text);
    assert.deepEqual(readdirSync(victim), ['kept']);
    assert.equal(readFileSync(join(victim, 'kept'), 'utf8'), secret);
  },
  { timeoutMs: 120_000 },
);

scenario('limits hold: a fork bomb, a memory hog, a disk hog, descriptors', async () => {
  const bomb = await ok('run', '-d', '--pids-limit', '40', 'busybox', 'sh', '-c', 'b() { b | b & }; b; sleep 60');
  await sleep(700);
  const pids = (await ok('exec', bomb, 'true').catch(() => '')) ?? '';
  assert.equal(pids, '');
  const counted = Number(
    /pids\.max|\d+/.exec((await ok('stats', '--no-stream', '--format', '{{.PIDs}}', bomb)) || '0')?.[0],
  );
  assert.ok(counted <= 40, `${counted} processes`);
  await ok('rm', '-f', bomb);
  const hog = await host.docker.run([
    'run',
    '--rm',
    '-m',
    '32m',
    '--memory-swap',
    '32m',
    'busybox',
    'tail',
    '/dev/zero',
  ]);
  assert.equal(hog.code, 137);
  await ok('volume', 'create', '-d', 'local', '-o', 'type=tmpfs', '-o', 'device=tmpfs', '-o', 'o=size=4m', 'small');
  const full = await host.docker.run([
    'run',
    '--rm',
    '-v',
    'small:/s',
    'busybox',
    'dd',
    'if=/dev/zero',
    'of=/s/big',
    'bs=1M',
    'count=64',
  ]);
  assert.notEqual(full.code, 0);
  assert.match(full.stderr, /No space left on device/);
  await ok('volume', 'rm', 'small');
  const shm = await host.docker.run([
    'run',
    '--rm',
    '--shm-size',
    '1m',
    'busybox',
    'dd',
    'if=/dev/zero',
    'of=/dev/shm/x',
    'bs=1M',
    'count=4',
  ]);
  assert.match(shm.stderr, /No space left on device/);
  const files = await ok(
    'run',
    '--rm',
    '--ulimit',
    'nofile=64:64',
    'busybox',
    'sh',
    '-c',
    'ulimit -n; ulimit -n 65 2>/dev/null || echo held',
  );
  assert.equal(files, '64\nheld');
});

scenario('--read-only, no-new-privileges and a seccomp profile of the user hold', async () => {
  const refused = await host.docker.run(['run', '--rm', '--read-only', 'busybox', 'sh', '-c', 'echo x >/x']);
  assert.match(refused.stderr, /Read-only file system/);
  await ok('run', '--rm', '--read-only', '--tmpfs', '/w', 'busybox', 'touch', '/w/x');
  const rise = 'cp /bin/busybox /su; chmod 4755 /su; chmod 755 /; exec setpriv --reuid=1000 --clear-groups /su id -u';
  const id = ['run', '--rm', '--entrypoint', 'sh'];
  if (noPerl === undefined) {
    const become = (more: string[]): Promise<string> =>
      ok(...id, ...more, probeImage, '-c', `cp /usr/bin/perl /p; chmod 4755 /p; ${asUser('/p -e "print $>"')}`);
    assert.equal(await become([]), '0', `the trick works where it may: ${rise}`);
    assert.equal(await become(['--security-opt', 'no-new-privileges']), '1000');
  }
  const profile = at('profile.json');
  writeFileSync(
    profile,
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
    }),
  );
  const custom = await host.docker.run([
    'run',
    '--rm',
    '--security-opt',
    `seccomp=${profile}`,
    'busybox',
    'mkdir',
    '/d',
  ]);
  assert.match(custom.stderr, /Operation not permitted/);
});

/** Runs a line as user 1000 without losing what setuid files give. */
function asUser(line: string): string {
  return `perl -e '$) = "1000 1000"; $( = 1000; $< = $> = 1000; exec q{sh}, q{-c}, q{${line}}'`;
}

scenario('nothing of one container is reached from another, nor the engine from any', async () => {
  await ok('run', '-d', '--name', 'left', 'busybox', 'sleep', '60');
  await ok('run', '-d', '--name', 'right', 'busybox', 'sleep', '60');
  const outer = await ok('inspect', '-f', '{{.State.Pid}}', 'left');
  const kill = await host.docker.run(['exec', 'right', 'kill', '-9', outer]);
  assert.notEqual(kill.code, 0);
  assert.equal(await ok('exec', 'right', 'sh', '-c', `ls /proc | grep -c '^${outer}$' || true`), '0');
  assert.equal(
    await ok(
      'exec',
      'right',
      'sh',
      '-c',
      `find / -xdev -name 'wherry.sock' 2>/dev/null; ls ${host.daemon.root} 2>/dev/null; true`,
    ),
    '',
  );
  await until(async () => (await ok('inspect', '-f', '{{.State.Running}}', 'left')) === 'true', {
    what: 'the other one',
  });
  await ok('rm', '-f', 'left', 'right');
});
