/** `userns-remap`: root inside is nobody outside; images and volumes serve both kinds; per-mount id mapping; all with both runtimes. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTar } from '../../src/oci/index.ts';
import { cannotRun, Daemon, repository, sharedDaemon } from '../support/daemon.ts';
import type { Docker } from '../support/docker.ts';
import { firstError } from '../support/first-error.ts';
import { busyboxImage } from '../support/images.ts';
import { after, test } from 'node:test';

// "default" gives itself ids where it has none: taken back afterwards.
const before = ['/etc/subuid', '/etc/subgid'].map(
  (path) => [path, existsSync(path) ? readFileSync(path) : undefined] as const,
);
after(() => {
  for (const [path, bytes] of before) {
    if (bytes === undefined) rmSync(path, { force: true });
    else writeFileSync(path, bytes);
  }
});

for (const runtime of ['crun', 'runc']) {
  test(
    `${runtime}: run, exec, cp, volumes, networks, commit, a killed daemon`,
    { skip: cannotRun() ?? false, timeout: 120_000 },
    () =>
      firstError(async () => {
        await using daemon = await Daemon.open({ args: ['--userns-remap', 'default', '--default-runtime', runtime] });
        // As /var/lib and /run are: whom containers run as may go through, not look.
        chmodSync(daemon.root, 0o711);
        const { docker } = daemon;
        const ok = (...args: string[]): Promise<string> => docker.ok(...args);
        await docker.ok('load', '-q', '-i', await busyboxImage());
        assert.match(await ok('info', '-f', '{{.SecurityOptions}}'), /name=userns/);
        const first = Number(/^dockremap:(\d+):/m.exec(readFileSync('/etc/subuid', 'utf8'))![1]);

        await ok(
          'run',
          '-d',
          '--name',
          'box',
          '-p',
          '127.0.0.1::80',
          '-v',
          'data:/data',
          '-w',
          '/made/here',
          'busybox',
          'sleep',
          '600',
        );
        const pid = await ok('inspect', '-f', '{{.State.Pid}}', 'box');
        assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), new RegExp(`^Uid:\\s+${first}\\s`, 'm'));
        assert.equal(await ok('exec', 'box', 'id', '-u'), '0');
        assert.equal(await ok('exec', '-u', '33', 'box', 'id', '-u'), '33');
        const owners = 'stat -c "%u:%g %n" / /bin/busybox /made/here /data /etc/hosts /etc/resolv.conf /dev/shm';
        assert.deepEqual(
          (await ok('exec', 'box', 'sh', '-c', owners)).split('\n').map((line) => line.split(' ')[0]),
          Array.from({ length: 7 }, () => '0:0'),
        );
        const changes =
          'touch /new /data/new; chown 33:33 /new /data/new; rm -r /home; echo 127.9.9.9 x >>/etc/hosts; mkdir /dir';
        await ok('exec', 'box', 'sh', '-c', changes);
        assert.match(await ok('exec', 'box', 'ip', 'link'), /eth0/);
        assert.equal(await ok('exec', 'box', 'ping', '-c1', '-W2', '127.0.0.1').then(() => 'there'), 'there');
        assert.match(await ok('exec', 'box', 'mount'), /sysfs on \/sys type sysfs \(ro/);

        // On disk everything has the owner that the container sees.
        const upper = await ok('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', 'box');
        assert.equal(statSync(join(upper, 'new')).uid, 33);
        assert.equal(statSync(join(upper, 'dir')).uid, 0);
        assert.equal(statSync(join(daemon.dataRoot, 'volumes/data/_data/new')).uid, 33);

        // cp and export speak of the container's owners, too.
        const file = join(daemon.root, 'file');
        writeFileSync(file, 'x');
        chownSync(file, 55, 66);
        await ok('cp', '-a', file, 'box:/copied');
        assert.equal(await ok('exec', 'box', 'stat', '-c', '%u:%g', '/copied'), '55:66');
        assert.equal(await ownerInTar(docker, 'box:/new'), 33);
        await ok('export', '-o', join(daemon.root, 'all.tar'), 'box');
        await ok('import', join(daemon.root, 'all.tar'), 'flat:1');
        assert.equal(
          await ok('run', '--rm', '--userns', 'host', 'flat:1', '/bin/stat', '-c', '%u:%g', '/new'),
          '33:33',
        );
        assert.match(await ok('diff', 'box'), /^D \/home$/m);
        await ok('commit', 'box', 'kept:1');
        for (const userns of [[], ['--userns', 'host']]) {
          const seen = await ok(
            'run',
            '--rm',
            ...userns,
            'kept:1',
            'sh',
            '-c',
            'stat -c %u:%g /new /bin/busybox; ls -d /home 2>&1; true',
          );
          assert.match(seen, /^33:33\n0:0\nls: \/home: No such file/, userns.join(' '));
          assert.equal(
            await ok('run', '--rm', ...userns, '-v', 'data:/d', 'busybox', 'stat', '-c', '%u', '/d/new'),
            '33',
          );
        }

        // A folder of the host's root stays the host's.
        const folder = join(daemon.root, 'folder');
        mkdirSync(folder, { mode: 0o755 });
        const refused = await docker.run(['run', '--rm', '-v', `${folder}:/b`, 'busybox', 'touch', '/b/x']);
        assert.match(refused.stderr, /Permission denied/);
        await ok('run', '--rm', '-v', `${folder}:/b:idmap`, 'busybox', 'touch', '/b/x');
        assert.equal(statSync(join(folder, 'x')).uid, 0);

        await ok('network', 'create', 'net');
        await ok(
          'run',
          '-d',
          '--name',
          'named',
          '--network',
          'net',
          '--shm-size',
          '1m',
          '--ipc',
          'shareable',
          'busybox',
          'sleep',
          '600',
        );
        assert.match(
          await ok('run', '--rm', '--network', 'net', 'busybox', 'ping', '-c1', '-W2', 'named'),
          /1 packets received/,
        );
        assert.equal(
          await ok('run', '--rm', '--network', 'container:named', '--ipc', 'container:named', 'busybox', 'id', '-u'),
          '0',
        );
        assert.match(
          await ok(
            'run',
            '--rm',
            '--cap-add',
            'NET_ADMIN',
            'busybox',
            'sh',
            '-c',
            'ip addr add 198.51.100.7/32 dev lo && ip addr',
          ),
          /198\.51\.100\.7/,
        );
        assert.equal(
          await ok(
            'run',
            '--rm',
            '-t',
            '--read-only',
            '--tmpfs',
            '/t',
            'busybox',
            'sh',
            '-c',
            'touch /t/x; id -u',
          ).then((text) => text.trim()),
          '0',
        );
        assert.equal(await ok('run', '--rm', '--user', 'nobody', 'busybox', 'id', '-u'), '65534');

        for (const [flag, words] of [
          [['--privileged'], /privileged mode is incompatible with user namespaces/],
          [['--network', 'host'], /cannot share the host's network namespace when user namespaces are enabled/],
          [['--pid', 'host'], /cannot share the host PID namespace when user namespaces are enabled/],
        ] as const) {
          assert.match((await docker.run(['run', '--rm', ...flag, 'busybox', 'true'])).stderr, words);
          await ok('run', '--rm', '--userns', 'host', ...flag, 'busybox', 'true');
        }

        await daemon.restart();
        assert.equal(await ok('exec', 'box', 'stat', '-c', '%u', '/new'), '33');
        assert.equal(await ownerInTar(docker, 'box:/new'), 33);
        await ok('restart', '-t', '0', 'box');
        assert.equal(await ok('exec', 'box', 'stat', '-c', '%u', '/new', '/data/new'), '33\n33');
        await ok('stop', '-t', '0', 'box');
        assert.equal(await ownerInTar(docker, 'box:/new'), 33);
        assert.deepEqual(await daemon.verify(), []);
      }),
  );
}

for (const runtime of ['crun', 'runc']) {
  test(`${runtime}: steps of a build`, { skip: cannotRun() ?? false, timeout: 120_000 }, () =>
    firstError(async () => {
      await using daemon = await Daemon.open({ args: ['--userns-remap', 'default', '--default-runtime', runtime] });
      chmodSync(daemon.root, 0o711);
      await daemon.docker.ok('load', '-q', '-i', await busyboxImage());
      const context = join(daemon.root, 'context');
      mkdirSync(join(context, 'files'), { recursive: true });
      writeFileSync(join(context, 'files/one'), 'one');
      writeFileSync(join(context, 'secret'), 'hush');
      writeFileSync(join(context, 'Dockerfile'), stepsDockerfile);
      const cli = daemon.cli(join(repository, 'bin/wherry'));
      const wherry = (...args: string[]): ReturnType<Docker['run']> =>
        cli.run(['build', '--progress', 'plain', '--secret', `id=s,src=${join(context, 'secret')}`, ...args]);
      const built = await wherry('--no-cache', '-t', 'built', context);
      assert.equal(built.code, 0, built.stderr);
      const first = /^dockremap:(\d+):/m.exec(readFileSync('/etc/subuid', 'utf8'))![1];
      assert.match(built.stderr, new RegExp(` 0 +${first} +65536`), 'mapped');
      for (const userns of [[], ['--userns', 'host']]) {
        const seen = await daemon.docker.ok(
          'run',
          '--rm',
          ...userns,
          'built',
          'sh',
          '-c',
          'cat /report; ls /home 2>&1; true',
        );
        assert.deepEqual(
          seen.split('\n'),
          [
            '/made 33:33',
            '/bin/busybox 0:0',
            '/some/dir 0:0',
            '/etc/hosts 0:0',
            '/stage/from 33:0',
            '/stage/copy 33:0',
            '/context/one 0:0',
            '/cache 0:0',
            '/cache/kept 0:0',
            '/run/secrets/s 44:55 hush',
            'ls: /home: No such file or directory',
          ],
          userns.join(' '),
        );
      }
      // What was allowed the host's network has the host's ids.
      writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nRUN cat /proc/self/uid_map\n');
      const outside = await wherry('--no-cache', '--network', 'host', '--allow', 'network.host', context);
      assert.match(outside.stderr, / 0 +0 +4294967295/);
      assert.deepEqual(await daemon.verify(), []);
    }),
  );
}

const stepsDockerfile = `FROM busybox AS base
RUN touch /from && chown 33:0 /from

FROM busybox
WORKDIR /some/dir
RUN cat /proc/self/uid_map
RUN touch /made && chown 33:33 /made && rm -r /home
RUN --mount=type=cache,target=/cache touch /cache/kept
RUN --mount=type=bind,from=base,target=/stage --mount=type=bind,source=files,target=/context \\
    --mount=type=cache,target=/cache --mount=type=secret,id=s,uid=44,gid=55 \\
    ! touch /stage/x /context/x /etc/hosts 2>/dev/null; \\
    stat -c '%n %u:%g' /made /bin/busybox /some/dir /etc/hosts /stage/from >/report
RUN --mount=type=bind,from=base,target=/stage,rw --mount=type=bind,source=files,target=/context,rw \\
    --mount=type=cache,target=/cache --mount=type=secret,id=s,uid=44,gid=55 --mount=type=tmpfs,target=/t \\
    touch /context/x /t/x && cp -p /stage/from /stage/copy && \\
    stat -c '%n %u:%g' /stage/copy /context/one /cache /cache/kept >>/report && \\
    echo "$(stat -c '%n %u:%g' /run/secrets/s) $(cat /run/secrets/s)" >>/report
`;

const host = await sharedDaemon();

host.scenario('idmap for one mount, without user namespaces', async () => {
  const { docker, daemon } = host;
  const folder = join(daemon.root, 'mine');
  mkdirSync(folder);
  chownSync(folder, 1000, 1000);
  writeFileSync(join(folder, 'mine'), 'x');
  chownSync(join(folder, 'mine'), 1000, 1000);
  const seen = (mode: string): Promise<string> =>
    docker.ok('run', '--rm', '-v', `${folder}:/m:${mode}`, 'busybox', 'stat', '-c', '%u:%g', '/m/mine');
  assert.equal(await seen('ro'), '1000:1000');
  assert.equal(await seen('idmap=uids=1000-0-1;gids=1000-7-1'), '0:7');
  assert.equal(await seen('ro,idmap=uids=0-0-1#1000-5-1'), '5:5');
  await docker.ok('run', '--rm', '-v', `${folder}:/m:idmap=uids=1000-0-1`, 'busybox', 'touch', '/m/new');
  assert.equal(statSync(join(folder, 'new')).uid, 1000);
  await docker.ok(
    'run',
    '--rm',
    '-v',
    `${join(folder, 'mine')}:/one:idmap=uids=1000-0-1`,
    'busybox',
    'sh',
    '-c',
    'echo y >>/one',
  );
  for (const [mode, words] of [
    ['idmap', /idmap alone is for containers in a user namespace/],
    ['idmap=uids=1', /invalid mode: idmap=uids=1: expected idmap=uids=/],
    ['idmap=uids=0-0-0', /invalid mode/],
    ['idmap=pids=0-0-1', /invalid mode/],
  ] as const) {
    assert.match(
      (await docker.run(['run', '--rm', '-v', `${folder}:/m:${mode}`, 'busybox', 'true'])).stderr,
      words,
      mode,
    );
  }
});

/** Who owns the first entry of what `cp` gives. */
async function ownerInTar(docker: Docker, path: string): Promise<number> {
  const { stdout } = await docker.bytes(['cp', path, '-']);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(stdout);
  }
  for await (const { uid } of readTar(bytes())) return uid;
  return -1;
}
