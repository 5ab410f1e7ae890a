/** Volumes, binds, tmpfs and image mounts. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sharedDaemon } from '../support/daemon.ts';

const host = await sharedDaemon();
const { scenario } = host;
const inside = (flags: string[], script: string): Promise<string> =>
  host.docker.ok('run', '--rm', ...flags, 'busybox', 'sh', '-c', script);
const folder = (): string => mkdtempSync(join(host.daemon.root, 'bind-'));

scenario('-v binds: read-write, read-only, files, missing source is made', async () => {
  const source = folder();
  writeFileSync(join(source, 'a'), 'from the host\n');
  assert.equal(await inside(['-v', `${source}:/m`], 'cat /m/a; echo back > /m/b'), 'from the host');
  assert.equal(readFileSync(join(source, 'b'), 'utf8'), 'back\n');
  assert.match(await inside(['-v', `${source}:/m:ro`], 'touch /m/c 2>&1 || true'), /Read-only/);
  assert.equal(await inside(['-v', `${join(source, 'a')}:/etc/motd`], 'cat /etc/motd'), 'from the host');
  assert.match(await inside(['-v', `${join(source, 'a')}:/a:ro`], 'cat /a; echo x > /a || true'), /^from the host$/m);
  assert.match(await inside(['-v', `${join(source, 'a')}:/a:ro`], 'echo x 2>&1 > /a || true'), /Read-only/);
  await inside(['-v', `${source}/made/here:/m`], 'touch /m/x');
  assert.ok(existsSync(join(source, 'made/here/x')));
});

scenario('--mount bind: a missing source is an error, readonly, propagation', async () => {
  const source = folder();
  assert.match(
    await host.docker.fails('run', '--rm', '--mount', `type=bind,src=${source}/none,dst=/m`, 'busybox'),
    /invalid mount config for type "bind": bind source path does not exist: .*\/none/,
  );
  assert.match(
    await inside(['--mount', `type=bind,source=${source},target=/m,readonly`], 'touch /m/c 2>&1 || true'),
    /Read-only/,
  );
  assert.match(
    await inside(
      ['--mount', `type=bind,source=${source},target=/m,bind-propagation=rslave`],
      'grep " /m " /proc/self/mountinfo',
    ),
    /master:|\/m rw/,
  );
  assert.match(
    await host.docker.fails('run', '--rm', '--mount', 'type=bind,src=relative,dst=/m', 'busybox'),
    /invalid mount path|mount path must be absolute|invalid mount config/,
  );
});

scenario('named volumes: made on use, kept, listed, refused while in use', async () => {
  const { docker } = host;
  await inside(['-v', 'data:/d'], 'echo kept > /d/file');
  assert.equal(await inside(['--mount', 'type=volume,src=data,dst=/d,readonly'], 'cat /d/file'), 'kept');
  assert.equal(await docker.ok('volume', 'ls', '-q', '--filter', 'name=data'), 'data');
  const id = await docker.ok('run', '-d', '-v', 'data:/d', 'busybox', 'sleep', '600');
  assert.match(await docker.fails('volume', 'rm', 'data'), new RegExp(`volume is in use - \\[${id}\\]`));
  await docker.ok('rm', '-f', id);
  assert.equal(await docker.ok('volume', 'rm', 'data'), 'data');
  assert.match(await docker.fails('volume', 'inspect', 'data'), /no such volume/);
  await docker.ok('volume', 'rm', '-f', 'data');
});

scenario('volume create: labels, options, filters, prune', async () => {
  const { docker } = host;
  assert.equal(await docker.ok('volume', 'create', '--label', 'team=a', 'v1'), 'v1');
  assert.match(await docker.ok('volume', 'create'), /^[0-9a-f]{64}$/);
  assert.equal(
    await docker.ok(
      'volume',
      'create',
      '--opt',
      'type=tmpfs',
      '--opt',
      'device=tmpfs',
      '--opt',
      'o=size=2m,uid=33',
      'tm',
    ),
    'tm',
  );
  assert.match(
    await inside(['-v', 'tm:/t'], 'stat -c %u /t; grep " /t " /proc/mounts'),
    /^33\ntmpfs \/t tmpfs .*size=2048k/,
  );
  const source = folder();
  writeFileSync(join(source, 'x'), 'bound');
  await docker.ok('volume', 'create', '-o', 'type=none', '-o', 'o=bind', '-o', `device=${source}`, 'bv');
  assert.equal(await inside(['-v', 'bv:/b'], 'cat /b/x'), 'bound');
  assert.equal(await docker.ok('volume', 'ls', '-q', '--filter', 'label=team=a'), 'v1');
  assert.match(
    await docker.fails('volume', 'create', '../evil'),
    /includes invalid characters for a local volume name/,
  );
  const pruned = await docker.ok('volume', 'prune', '-f');
  assert.match(pruned, /Total reclaimed space/);
  assert.equal(await docker.ok('volume', 'ls', '-q'), 'bv\ntm\nv1', 'prune takes anonymous volumes only');
  await docker.ok('volume', 'prune', '-af');
  assert.equal(await docker.ok('volume', 'ls', '-q'), '');
});

scenario('first use copies what the image has, with owner and mode; nocopy does not', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '--name',
    'seed',
    'busybox',
    'sh',
    '-c',
    'mkdir -p /srv/in && echo hi > /srv/in/f && chown -R 33:50 /srv && chmod 710 /srv && chmod 600 /srv/in/f',
  );
  await docker.ok('commit', '-c', 'VOLUME /anon', 'seed', 'seeded');
  await docker.ok('rm', 'seed');
  const look = 'cat /srv/in/f; stat -c "%u:%g %a" /srv /srv/in/f';
  assert.equal(
    await host.docker.ok('run', '--rm', '-v', 'cp:/srv', 'seeded', 'sh', '-c', look),
    'hi\n33:50 710\n33:50 600',
  );
  assert.equal(await host.docker.ok('run', '--rm', '-v', 'nocp:/srv:nocopy', 'seeded', 'ls', '/srv'), '');
  await docker.ok('volume', 'rm', 'cp', 'nocp');
});

scenario('anonymous volumes: of the image and of -v, gone with rm -v and --rm', async () => {
  const { docker } = host;
  await docker.ok('run', '--name', 'an', '-v', '/mine', 'seeded', 'sh', '-c', 'touch /anon/x /mine/y');
  const mounts = await docker.inspect<{ Type: string; Name: string; Destination: string }[]>('an', '.Mounts');
  assert.deepEqual(mounts.map(({ Type, Destination }) => `${Type} ${Destination}`).sort(), [
    'volume /anon',
    'volume /mine',
  ]);
  assert.match(mounts[0]!.Name, /^[0-9a-f]{64}$/);
  assert.equal(
    await docker.ok('run', '--rm', '--volumes-from', 'an', 'busybox', 'ls', '/anon', '/mine'),
    '/anon:\nx\n\n/mine:\ny',
  );
  assert.match(
    await docker.ok('run', '--rm', '--volumes-from', 'an:ro', 'busybox', 'sh', '-c', 'touch /mine/z 2>&1 || true'),
    /Read-only/,
  );
  await docker.ok('rm', 'an');
  assert.equal((await docker.ok('volume', 'ls', '-q')).split('\n').length, 2, 'rm without -v keeps them');
  await docker.ok('volume', 'prune', '-f');
  await docker.ok('run', '--rm', 'seeded', 'true');
  assert.equal(await docker.ok('volume', 'ls', '-q'), '', '--rm takes them along');
});

scenario('subpaths of volumes; they do not lead out', async () => {
  const { docker } = host;
  await inside(
    ['-v', 'sub:/d'],
    'mkdir -p /d/in/deep; echo x > /d/in/deep/f; ln -s /etc /d/out; ln -s ../../.. /d/in/up',
  );
  assert.equal(await inside(['--mount', 'type=volume,src=sub,dst=/m,volume-subpath=in/deep'], 'cat /m/f'), 'x');
  assert.match(
    await docker.fails('run', '--rm', '--mount', 'type=volume,src=sub,dst=/m,volume-subpath=../..', 'busybox'),
    /subpath|local path/i,
  );
  for (const name of ['out', 'in/up']) {
    const { code, stdout } = await docker.run([
      'run',
      '--rm',
      '--mount',
      `type=volume,src=sub,dst=/m,volume-subpath=${name}`,
      'busybox',
      'ls',
      '/m',
    ]);
    assert.ok(code !== 0 || !/passwd|lost\+found|bin/.test(stdout), `${name} leads out: ${stdout}`);
  }
  await docker.ok('volume', 'rm', 'sub');
});

scenario('--mount tmpfs with size and mode; image mounts', async () => {
  assert.match(
    await inside(
      ['--mount', 'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770'],
      'grep " /t " /proc/mounts; stat -c %a /t',
    ),
    /size=1024k.*\n1770$/s,
  );
  assert.equal(
    await inside(['--mount', 'type=image,src=seeded,dst=/i'], 'cat /i/srv/in/f; touch /i/no 2>/dev/null || echo ro'),
    'hi\nro',
  );
  assert.equal(await inside(['--mount', 'type=image,src=seeded,dst=/i,image-subpath=srv'], 'cat /i/in/f'), 'hi');
  await host.docker.ok('run', '--name', 'out', 'busybox', 'sh', '-c', 'ln -s /etc /out');
  await host.docker.ok('commit', 'out', 'out');
  assert.doesNotMatch(
    await inside(['--mount', 'type=image,src=out,dst=/i,image-subpath=out'], 'ls /i'),
    /shadow/,
    'a link in the image does not lead to the host',
  );
  await host.docker.ok('rm', 'out');
  await host.docker.ok('rmi', 'out');
});

scenario('mount points inside the root never follow links out of it', async () => {
  const { docker } = host;
  const victim = folder();
  await docker.ok('run', '--name', 'linky', 'busybox', 'sh', '-c', `ln -s ${victim} /evil; ln -s /etc /conf`);
  await docker.ok('commit', 'linky', 'linky');
  await docker.ok('rm', 'linky');
  const source = folder();
  writeFileSync(join(source, 'f'), 'x');
  assert.equal(await docker.ok('run', '--rm', '-v', `${source}:/evil/in`, 'linky', 'cat', '/evil/in/f'), 'x');
  assert.ok(!existsSync(join(victim, 'in')), 'nothing is made on the host behind the link');
  assert.equal(await docker.ok('run', '--rm', '-v', `${source}:/conf/x`, 'linky', 'cat', '/etc/x/f'), 'x');
  await docker.ok('rmi', 'linky');
});

scenario('a socket and the nested case: bind inside a volume, order by depth', async () => {
  const source = folder();
  mkdirSync(join(source, 'sub'));
  symlinkSync('sub', join(source, 'link'));
  writeFileSync(join(source, 'sub/deep'), 'deep');
  assert.equal(await inside(['-v', `${source}/sub:/a/b`, '-v', 'outer:/a'], 'cat /a/b/deep'), 'deep');
  assert.equal(await inside(['-v', `${source}/link:/a`], 'cat /a/deep'), 'deep');
  assert.match(
    await inside(['-v', `${host.daemon.socket}:/var/run/docker.sock`], 'stat -c %F /var/run/docker.sock'),
    /socket/,
  );
  assert.match(
    await host.docker.fails('run', '--rm', '-v', `${source}:/a`, '-v', `${source}/sub:/a`, 'busybox'),
    /Duplicate mount point: \/a/,
  );
  await host.docker.ok('volume', 'rm', 'outer');
  await host.docker.ok('rmi', 'seeded');
});
