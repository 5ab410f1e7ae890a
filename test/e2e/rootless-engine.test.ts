/**
 * The engine as root of an ordinary user's namespaces: what Docker's verbs do there, with both runtimes; what it tells of what cannot be
 * had; what a container's root may not do to the machine; one id only; fuse-overlayfs.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { repository } from '../support/daemon.ts';
import { Docker, execute, until } from '../support/docker.ts';
import { firstError } from '../support/first-error.ts';
import { busyboxImage, entry, tar } from '../support/images.ts';
import { cannotRunRootless, RootlessEngine, type RootlessOptions, unifiedTree } from '../support/rootless-engine.ts';

const skip = cannotRunRootless() ?? false;
const ownScore = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
const isInstalled = async (program: string): Promise<boolean> => (await execute(program, ['--version'])).code === 0;

const devices = mkdtempSync(join(tmpdir(), 'wherry-rootless-devices-'));
chmodSync(devices, 0o755);
after(() => rmSync(devices, { recursive: true, force: true }));

/** With an engine of its own that has busybox. */
function scenario(
  name: string,
  options: RootlessOptions,
  body: (engine: RootlessEngine) => Promise<void>,
  reason: string | false = skip,
): void {
  test(name, { timeout: 120_000, skip: reason }, () =>
    firstError(async () => {
      await using engine = await RootlessEngine.open(options);
      await engine.docker.ok('load', '-q', '-i', await busyboxImage());
      await body(engine);
    }),
  );
}

for (const runtime of ['crun', 'runc']) {
  const missing = (await isInstalled(runtime)) ? false : `${runtime} is not installed`;
  const options = { args: ['--default-runtime', runtime, '--cdi-spec-dir', devices] };
  scenario(
    `${runtime}: run, exec, cp, diff, commit, save, volumes, names, health, restarts`,
    options,
    async (engine) => {
      const { docker, user } = engine;
      const ok = (...args: string[]): Promise<string> => docker.ok(...args);
      assert.equal(await ok('info', '-f', '{{.DefaultRuntime}} {{.CgroupDriver}}'), `${runtime} none`);
      assert.match(await ok('info', '-f', '{{.SecurityOptions}}'), /name=rootless/);
      assert.match(await ok('info', '-f', '{{.DriverStatus}}'), /userxattr true/);

      const loop = 'trap "exit 3" TERM; while :; do date; sleep 1 & wait $!; done';
      await ok('run', '-d', '--name', 'box', '-v', 'data:/data', '-w', '/made/here', 'busybox', 'sh', '-c', loop);
      const pid = await ok('inspect', '-f', '{{.State.Pid}}', 'box');
      assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\s+${user.uid}\\s`, 'm'));
      assert.equal(await ok('exec', '-u', '33:33', 'box', 'id', '-u'), '33');
      await ok('exec', '-d', '-u', '33', 'box', 'sleep', '4321');
      await until(async () => (await ok('top', 'box')).includes('sleep 4321'), { what: 'the process in top' });
      assert.match(await ok('top', 'box', '-o', 'pid,args'), /trap "exit 3"/);
      await using typed = docker.terminal(
        'exec',
        '-it',
        'box',
        'sh',
        '-c',
        'tty; until stty size 2>/dev/null | grep -v "^0"; do sleep 0.1; done',
      );
      assert.equal(await typed.ended(), 0);
      assert.match(typed.stdout, /\/dev\/pts\/0\s+30 90/);

      const changes =
        'touch /new /data/new; chown 33:34 /new /data/new; rm -r /home /var/spool; mkdir /var/spool; touch /var/spool/x; mkfifo /pipe';
      await ok('exec', 'box', 'sh', '-c', changes);
      assert.equal(statSync(join(engine.dataRoot, 'volumes/data/_data/new')).uid, user.subordinate + 32);
      const file = join(engine.root, 'file');
      writeFileSync(file, 'copied');
      chownSync(file, 55, 66);
      await ok('cp', '-a', file, 'box:/copied');
      assert.equal(await ok('exec', 'box', 'stat', '-c', '%u:%g', '/copied'), '55:66');
      assert.match((await docker.bytes(['cp', 'box:/copied', '-'])).stdout.toString('latin1'), /copied/);
      const diff = (await ok('diff', 'box')).split('\n');
      for (const line of ['A /new', 'A /pipe', 'D /home', 'A /var/spool/x']) assert.ok(diff.includes(line), line);
      await ok('commit', 'box', 'kept:1');
      const archive = join(engine.root, 'kept.tar');
      await ok('save', '-o', archive, 'kept:1');
      await ok('rmi', 'kept:1');
      await ok('load', '-q', '-i', archive);
      const seen = await ok(
        'run',
        '--rm',
        'kept:1',
        'sh',
        '-c',
        'stat -c %u:%g /new /copied; ls /home 2>&1; ls /var/spool',
      );
      assert.equal(seen, '33:34\n55:66\nls: /home: No such file or directory\nx');

      await ok('network', 'create', 'net');
      const serve = 'mkdir /w; echo hello >/w/i; touch /ok; exec httpd -f -p 80 -h /w';
      const health = ['--health-cmd', 'test -e /ok', '--health-interval', '200ms'];
      await ok('run', '-d', '--name', 'web', '--network', 'net', ...health, 'busybox', 'sh', '-c', serve);
      await until(async () => (await ok('inspect', '-f', '{{.State.Health.Status}}', 'web')) === 'healthy', {
        what: 'health',
      });
      assert.equal(await ok('run', '--rm', '--network', 'net', 'busybox', 'wget', '-qO-', 'http://web/i'), 'hello');
      await ok('run', '-d', '--name', 'again', '--restart', 'on-failure:2', 'busybox', 'sh', '-c', 'exit 4');
      await until(async () => (await ok('inspect', '-f', '{{.RestartCount}}', 'again')) === '2', { what: 'restarts' });

      await ok('run', '-d', '--name', 'brief', 'busybox', 'sh', '-c', 'sleep 1; exit 7');
      await engine.kill('SIGKILL');
      await engine.start();
      assert.equal(await ok('inspect', '-f', '{{.State.Pid}}', 'box'), pid, 'it was adopted');
      await until(async () => (await ok('inspect', '-f', '{{.State.ExitCode}}', 'brief')) === '7', {
        what: 'the code',
      });
      assert.equal(await ok('exec', 'box', 'stat', '-c', '%u', '/new'), '33');
      assert.match(await ok('logs', '--tail', '1', 'box'), /\d\d:\d\d:\d\d/);
      await ok('stop', 'box');
      assert.equal(await ok('inspect', '-f', '{{.State.ExitCode}}', 'box'), '3');
      await ok('restart', '-t', '0', 'web');
      assert.deepEqual(await engine.verify(), []);
    },
    skip || missing,
  );

  scenario(
    `${runtime}: namespaces of the host, devices, limits, privileged`,
    options,
    async (engine) => {
      const { docker } = engine;
      const run = (...args: string[]): Promise<string> => docker.ok('run', '--rm', ...args);
      assert.match(await run('--network', 'host', 'busybox', 'ip', 'link'), /wherry0/);
      assert.match(await run('--pid', 'host', 'busybox', 'cat', '/proc/1/cmdline'), /./);
      assert.equal(await run('--ipc', 'host', '--uts', 'host', 'busybox', 'echo', 'ran'), 'ran');
      assert.match(await run('--device', '/dev/zero:/dev/mine', 'busybox', 'ls', '-l', '/dev/mine'), /1,\s+5/);
      const described = {
        cdiVersion: '0.6.0',
        kind: 'vendor.com/gpu',
        devices: [
          {
            name: '0',
            containerEdits: {
              env: ['GPU=0'],
              deviceNodes: [{ path: '/dev/gpu0', hostPath: '/dev/zero' }],
              mounts: [{ hostPath: '/etc/debian_version', containerPath: '/opt/driver', options: ['ro', 'bind'] }],
            },
          },
        ],
      };
      writeFileSync(join(devices, 'vendor.json'), JSON.stringify(described));
      const used = 'head -c 2 /dev/gpu0 | od -An -tx1; cat /opt/driver; echo $GPU';
      assert.match(await run('--gpus', '1', 'busybox', 'sh', '-c', used), /^ 00 00\n.+\n0$/);
      assert.equal(
        await run('--sysctl', 'net.core.somaxconn=99', 'busybox', 'cat', '/proc/sys/net/core/somaxconn'),
        '99',
      );
      assert.equal(await run('--oom-score-adj', '-500', 'busybox', 'cat', '/proc/self/oom_score_adj'), ownScore);
      assert.match(await run('--ulimit', 'nofile=64', 'busybox', 'sh', '-c', 'ulimit -n'), /64/);
      assert.match(
        await run(
          '--privileged',
          'busybox',
          'sh',
          '-c',
          'grep CapEff /proc/self/status; mount -t tmpfs x /tmp && echo mounted',
        ),
        /CapEff:\t0*1f+\nmounted/,
      );
      // What shares the host's pid namespace does not end with its first process by itself.
      await docker.ok(
        'run',
        '-d',
        '--name',
        'leaves',
        '--pid',
        'host',
        'busybox',
        'sh',
        '-c',
        'sleep 8642 & sleep 0.3',
      );
      await docker.ok('wait', 'leaves');
      await docker.ok('rm', 'leaves');
      assert.deepEqual(
        engine.processes().filter(({ command }) => command.includes('8642')),
        [],
      );
    },
    skip || missing,
  );
}

scenario('builds, classic and BuildKit, and a composed project', {}, async (engine) => {
  const { docker, root } = engine;
  const wherry = new Docker(join(repository, 'bin/wherry'), `unix://${engine.socket}`, join(root, 'docker-config'));
  const context = join(root, 'context');
  mkdirSync(join(context, 'folder'), { recursive: true });
  writeFileSync(join(context, 'file'), 'file');
  writeFileSync(join(context, 'folder/x'), 'x');
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM busybox AS one
RUN touch /owned && chown 1234:1234 /owned && rm -r /home && mkdir /home && touch /home/new
RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/t --mount=type=bind,target=/context touch /cache/x && cat /context/file
COPY --chown=44:55 file folder /copied/
ADD folder /added/
USER 33
WORKDIR /some/here
RUN --network=none touch here && test "$(id -u)" = 33
FROM busybox
COPY --from=one /copied /copied
COPY --from=one /owned /
COPY --from=one /home /home
CMD ["stat", "-c", "%u:%g %n", "/owned", "/copied/file", "/copied/x", "/home/new"]
`,
  );
  const wanted = '1234:1234 /owned\n44:55 /copied/file\n44:55 /copied/x\n0:0 /home/new';
  const classic = await docker.run(['build', '-q', '-t', 'built:1', context], { env: { DOCKER_BUILDKIT: '0' } });
  assert.equal(classic.code, 0, classic.stderr);
  assert.equal(await docker.ok('run', '--rm', 'built:1'), wanted);
  const built = await wherry.run(['build', '--no-cache', '-q', '-t', 'built:2', context], {
    env: { WHERRY_SOURCE: '1' },
  });
  assert.equal(built.code, 0, built.stderr);
  assert.equal(await docker.ok('run', '--rm', 'built:2'), wanted);

  writeFileSync(
    join(context, 'compose.yaml'),
    `name: small
services:
  web:
    image: busybox
    command: sh -c 'mkdir /w; echo from-web >/w/i; exec httpd -f -p 80 -h /w'
    healthcheck: { test: [CMD, wget, -qO-, 'http://127.0.0.1/i'], interval: 200ms }
  asks:
    image: busybox
    depends_on: { web: { condition: service_healthy } }
    command: sh -c 'wget -qO/shared/answer http://web/i; sleep 100'
    volumes: ['shared:/shared']
volumes: { shared: {} }
`,
  );
  const compose = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    wherry.run(['compose', '-f', join(context, 'compose.yaml'), ...args], { env: { WHERRY_SOURCE: '1' } });
  const up = await compose('up', '-d');
  assert.equal(up.code, 0, up.stderr);
  const answer = async (): Promise<string> => (await compose('exec', '-T', 'asks', 'cat', '/shared/answer')).stdout;
  await until(async () => (await answer()) === 'from-web\n', { what: 'the answer of web' });
  assert.equal((await compose('down', '-v', '-t', '0')).code, 0);
  assert.deepEqual(await engine.verify(), []);
});

scenario('what needs cgroups is told in the words of Docker', {}, async ({ docker }) => {
  const discarded = await docker.run(['run', '--rm', '-m', '50m', '--pids-limit', '9', 'busybox', 'true']);
  assert.equal(discarded.code, 0);
  assert.match(discarded.stderr, /Your kernel does not support memory limit capabilities .* Limitation discarded/);
  assert.match(discarded.stderr, /PIDs limit discarded/);
  assert.match(await docker.fails('run', '--rm', '--cpus', '1', 'busybox', 'true'), /NanoCPUs can not be set/);
  await docker.ok('run', '-d', '--name', 'box', 'busybox', 'sleep', '600');
  assert.match(await docker.fails('pause', 'box'), /this rootless daemon has no cgroups, which pause processes/);
  assert.equal(await docker.ok('stats', '--no-stream', '--format', '{{.MemUsage}} {{.PIDs}}', 'box'), '0B / 0B 0');
  await docker.ok('update', '--restart', 'always', 'box');
  assert.match((await docker.run(['info'])).stderr, /WARNING: Running in rootless-mode without cgroups\./);
});

scenario(
  'a delegated cgroup: pause, top, kill, a killed daemon',
  { group: 'delegated' },
  async (engine) => {
    const { docker, group } = engine;
    assert.equal(await docker.ok('info', '-f', '{{.CgroupVersion}} {{.CgroupDriver}}'), '2 cgroupfs');
    assert.doesNotMatch((await docker.run(['info'])).stderr, /without cgroups/);
    const groupOf = (pid: number | string): string =>
      /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))![1]!;
    assert.equal(groupOf(engine.pid), `${group}/wherryd`);
    await docker.ok('run', '-d', '--name', 'below', '--cgroup-parent', '/mine', 'busybox', 'sleep', '600');
    const below = await docker.ok('inspect', '-f', '{{.State.Pid}}', 'below');
    assert.match(groupOf(below), new RegExp(`^${group}/mine/[0-9a-f]{64}$`), 'below what was delegated');
    await docker.ok('rm', '-f', 'below');
    for (const runtime of ['crun', 'runc']) {
      if (!(await isInstalled(runtime))) continue;
      await docker.ok(
        'run',
        '-d',
        '--name',
        'box',
        '--runtime',
        runtime,
        'busybox',
        'sh',
        '-c',
        'sleep 600 & sleep 601',
      );
      const pid = await docker.ok('inspect', '-f', '{{.State.Pid}}', 'box');
      assert.match(groupOf(pid), new RegExp(`^${group}/wherry-[0-9a-f]{8}/[0-9a-f]{64}$`));
      assert.equal(await docker.ok('exec', 'box', 'grep', '^0:', '/proc/self/cgroup'), '0::/');
      await docker.ok('pause', 'box');
      assert.match(await docker.ok('ps', '--format', '{{.Status}}'), /Paused/);
      await engine.kill('SIGKILL');
      await engine.start();
      assert.equal(groupOf(engine.pid), `${group}/wherryd`);
      assert.match(await docker.ok('ps', '--format', '{{.Status}}'), /Paused/);
      await docker.ok('unpause', 'box');
      assert.match(await docker.ok('top', 'box'), /sleep 600[^]*sleep 601|sleep 601[^]*sleep 600/);
      await docker.ok('kill', 'box');
      assert.equal(await docker.ok('wait', 'box'), '137');
      await docker.ok('rm', 'box');
    }
    assert.deepEqual(await engine.verify(), []);
  },
  skip || (unifiedTree() === undefined && 'this host has no cgroup v2 tree'),
);

scenario(
  'cgroup v2, and no group is ours',
  { group: 'foreign' },
  async ({ docker }) => {
    assert.equal(await docker.ok('info', '-f', '{{.CgroupVersion}} {{.CgroupDriver}}'), '2 none');
    assert.match((await docker.run(['info'])).stderr, /without cgroups\. Systemd is required/);
    for (const runtime of ['crun', 'runc']) {
      if (!(await isInstalled(runtime))) continue;
      await docker.ok('run', '-d', '--name', 'box', '--runtime', runtime, 'busybox', 'sleep', '600');
      assert.equal(await docker.ok('exec', 'box', 'ls', '/sys/fs/cgroup'), '');
      assert.match(await docker.ok('top', 'box'), /sleep 600/);
      await docker.ok('rm', '-f', 'box');
    }
  },
  skip || (unifiedTree() === undefined && 'this host has no cgroup v2 tree'),
);

scenario('root of a container is nobody to the machine', {}, async ({ docker, root, user }) => {
  const folder = join(root, 'others');
  mkdirSync(folder);
  writeFileSync(join(folder, 'secret'), 'secret', { mode: 0o600 });
  writeFileSync(join(folder, 'public'), 'public');
  const own = join(root, 'own');
  mkdirSync(own);
  chownSync(own, user.uid, user.uid);
  const shell = (script: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    docker.run(['run', '--rm', '-v', `${folder}:/others`, '-v', `${own}:/own`, ...args, 'busybox', 'sh', '-c', script]);
  for (const args of [[], ['--privileged'], ['--privileged', '--pid', 'host', '--network', 'host']]) {
    const refused = async (script: string): Promise<void> => {
      const { code, stdout, stderr } = await shell(script, ...args);
      assert.notEqual(code, 0, `${args.join(' ')}: ${script}: ${stdout}`);
      assert.match(stderr, /ermission denied|not permitted|Read-only file system|Invalid argument/, script);
    };
    await refused('cat /others/secret');
    await refused('echo x >/others/public');
    await refused('touch /others/new');
    await refused('chown 0:0 /others/public');
    await refused('mknod /tmp/null c 1 3');
    await refused('mknod /tmp/disk b 8 0');
    await refused('echo 1 >/proc/sys/kernel/panic');
    if (args.includes('host')) await refused('chroot /proc/1/root true');
    assert.equal(
      (await shell('cat /others/public; stat -c %u:%g /others/public', ...args)).stdout,
      'public65534:65534\n',
    );
  }
  await refusedKill(docker);
  const unmakable = ['run', '--rm', '-v', '/wherry-not-there:/m', 'busybox', 'true'];
  assert.match(
    await docker.fails(...unmakable),
    /error while creating mount source path '\/wherry-not-there': mkdir \/wherry-not-there: permission denied/,
  );
  assert.equal(
    (await shell('touch /own/root; touch /own/other; chown 5 /own/other; touch /own/s; chmod 6755 /own/s')).code,
    0,
  );
  assert.equal(statSync(join(own, 'root')).uid, user.uid);
  assert.equal(statSync(join(own, 'other')).uid, user.subordinate + 4);
  assert.equal(statSync(join(own, 's')).uid, user.uid, "a setuid file is the user's, not root's");
});

/** The host's processes can be seen with --pid host, and that is all. */
async function refusedKill(docker: Docker): Promise<void> {
  const kill = ['run', '--rm', '--privileged', '--pid', 'host', 'busybox', 'kill', '-0', String(process.pid)];
  assert.match(await docker.fails(...kill), /Operation not permitted/);
}

scenario('layers with devices, foreign owners and attributes', {}, async (engine) => {
  const { docker, root } = engine;
  await importOdd(engine);
  assert.match(engine.log, /device nodes of a layer are left out.*\/dev\/disk/);
  assert.equal(
    await docker.ok('run', '--rm', 'odd', '/bin/busybox', 'stat', '-c', '%u:%g', '/own', '/late'),
    '60000:65535\n0:65536',
  );
  assert.equal(await docker.ok('run', '--rm', 'odd', '/bin/busybox', 'ls', '/extra'), 'kept');
  assert.deepEqual(await engine.verify(), []);
  // An archive that is copied in loses its devices, too, as with Docker.
  await docker.ok('create', '--name', 'target', 'busybox');
  const archive = await tar([device('n', 'character', 1, 3), entry('f', 'file', { body: 'f' })]);
  const copied = await docker.run(['cp', '-', 'target:/tmp'], { input: archive });
  assert.equal(copied.code, 0, copied.stderr);
  await docker.ok('cp', 'target:/tmp/f', join(root, 'f'));
  assert.match(await docker.fails('cp', 'target:/tmp/n', join(root, 'n')), /Could not find the file|No such/);
});

scenario('one id only: files belong to the user, whoever the image says', { ids: 'one' }, async (engine) => {
  const { docker } = engine;
  await importOdd(engine);
  assert.equal(await docker.ok('run', '--rm', 'odd', '/bin/busybox', 'stat', '-c', '%u:%g', '/own'), '0:0');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'box',
    '-t',
    'busybox',
    'sh',
    '-c',
    'trap "exit 3" TERM; while :; do sleep 1 & wait; done',
  );
  assert.equal(await docker.ok('exec', 'box', 'id', '-u'), '0');
  for (const args of [
    ['exec', '-u', '33', 'box', 'id'],
    ['run', '--rm', '-u', '33', 'busybox', 'id'],
  ])
    assert.match(await docker.fails(...args), /Cannot run as 33:33: .*apt-get install uidmap/);
  assert.equal(await docker.ok('run', '--rm', '--group-add', '50', 'busybox', 'id', '-G'), '0');
  await docker.ok('commit', 'box', 'kept');
  await docker.ok('stop', '-t', '5', 'box');
  assert.deepEqual(await engine.verify(), []);
});

const noFuse = !(await isInstalled('fuse-overlayfs'))
  ? 'fuse-overlayfs is not installed'
  : !existsSync('/dev/fuse') && 'no /dev/fuse';
scenario(
  'fuse-overlayfs',
  { args: ['--storage-driver', 'fuse-overlayfs'] },
  async (engine) => {
    const { docker, root } = engine;
    assert.equal(await docker.ok('info', '-f', '{{.Driver}}'), 'fuse-overlayfs');
    const change = 'rm -r /var/spool /home; mkdir /var/spool; touch /var/spool/x; chown 33 /var/spool/x';
    await docker.ok('run', '--name', 'box', 'busybox', 'sh', '-c', change);
    assert.equal(await docker.ok('diff', 'box'), 'D /home\nC /var\nC /var/spool\nA /var/spool/x');
    await docker.ok('commit', 'box', 'kept');
    const list = ['run', '--rm', 'kept', 'sh', '-c', 'ls -a /var/spool; stat -c %u /var/spool/x; ls /home 2>&1; true'];
    assert.equal(await docker.ok(...list), '.\n..\nx\n33\nls: /home: No such file or directory');
    writeFileSync(join(root, 'Dockerfile'), `FROM busybox\nRUN ${change}\nRUN ls -a /var/spool\n`);
    const built = await docker.run(
      ['build', '-q', '-t', 'built', '-f', join(root, 'Dockerfile'), join(root, 'docker-config')],
      {
        env: { DOCKER_BUILDKIT: '0' },
      },
    );
    assert.equal(built.code, 0, built.stderr);
    assert.equal(await docker.ok('run', '--rm', 'built', 'ls', '-a', '/var/spool'), '.\n..\nx');
    assert.deepEqual(await engine.verify(), []);
  },
  skip || noFuse,
);

function device(name: string, type: 'character' | 'block', major: number, minor: number): ReturnType<typeof entry> {
  const made = entry(name, type);
  return { ...made, header: { ...made.header, major, minor } };
}

/** An image with device nodes (and a hard link to one), owners at the end of the ids, a pipe, and xattrs of all kinds. */
async function importOdd({ docker, root }: RootlessEngine): Promise<void> {
  const busybox = readFileSync(['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))!);
  const marked = entry('extra/kept', 'file', { body: 'kept', mode: 0o755 });
  marked.header.xattrs = new Map([
    ['user.note', Buffer.from('note')],
    ['trusted.secret', Buffer.from('secret')],
    ['security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
    ['user.overlay.opaque', Buffer.from('y')],
  ]);
  const file = join(root, 'odd.tar');
  writeFileSync(
    file,
    await tar([
      ...['bin', 'dev', 'etc', 'proc', 'sys', 'extra'].map((name) => entry(name, 'directory', { mode: 0o755 })),
      entry('bin/busybox', 'file', { body: busybox, mode: 0o755 }),
      device('dev/disk', 'block', 8, 0),
      device('dev/null', 'character', 1, 3),
      entry('dev/same', 'hardlink', { linkName: 'dev/null' }),
      entry('own', 'file', { body: 'own', uid: 60_000, gid: 65_535 }),
      entry('late', 'fifo', { gid: 65_536 }),
      marked,
    ]),
  );
  chmodSync(file, 0o644);
  await docker.ok('import', file, 'odd');
}

test('settings that rootless mode has not are refused', { timeout: 60_000, skip }, async () => {
  for (const [args, words] of [
    [['--userns-remap', 'default'], /Cannot use userns-remap in rootless mode/],
    [['--exec-opt', 'native.cgroupdriver=systemd'], /Cannot use the cgroup driver systemd in rootless mode/],
  ] as const)
    await assert.rejects(RootlessEngine.open({ args }), words);
});
