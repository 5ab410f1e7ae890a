/** Files and images through the stock CLI: cp both ways, diff, commit, export, import, save, load, tag, rmi, history. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { sharedDaemon } from '../support/daemon.ts';
import { entry, tar } from '../support/images.ts';
import { must } from '../support/docker.ts';

const host = await sharedDaemon();
const { scenario } = host;
const folder = (): string => mkdtempSync(join(host.daemon.root, 'files-'));

scenario('cp in: file, folder, contents, rename, stdin; running and created containers', async () => {
  const { docker } = host;
  const source = folder();
  mkdirSync(join(source, 'd/deep'), { recursive: true });
  writeFileSync(join(source, 'd/deep/f'), 'deep\n');
  writeFileSync(join(source, 'one'), 'one\n');
  chmodSync(join(source, 'one'), 0o741);
  symlinkSync('deep/f', join(source, 'd/link'));
  for (const name of ['created', 'running']) {
    await docker.ok('create', '--name', name, 'busybox', 'sleep', '600');
    if (name === 'running') await docker.ok('start', name);
    await docker.ok('cp', join(source, 'one'), `${name}:/tmp`);
    await docker.ok('cp', join(source, 'one'), `${name}:/tmp/renamed`);
    await docker.ok('cp', join(source, 'd'), `${name}:/tmp/d2`);
    await docker.ok('cp', `${join(source, 'd')}/.`, `${name}:/root`);
    const { code } = await docker.run(['cp', '-', `${name}:/tmp`], {
      input: await tar([entry('streamed', 'file', { body: 'x', uid: 33 })]),
    });
    assert.equal(code, 0);
    await docker.ok('start', name);
    assert.equal(
      await docker.ok(
        'exec',
        name,
        'sh',
        '-c',
        'stat -c "%a %u" /tmp/one /tmp/renamed /tmp/streamed; cat /tmp/d2/deep/f; readlink /root/link',
      ),
      '741 0\n741 0\n644 33\ndeep\ndeep/f',
    );
    assert.match(
      await docker.fails('cp', join(source, 'one'), `${name}:/nope/there`),
      /Could not find the file \/nope in container/,
    );
    assert.match(
      await docker.fails('cp', join(source, 'd'), `${name}:/etc/passwd`),
      /cannot copy directory|not a directory/,
    );
    await docker.ok('rm', '-f', name);
  }
});

scenario('cp out: file, folder, links kept or followed, to stdout, from volumes and stopped containers', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '--name',
    'out',
    '-v',
    '/vol',
    '--tmpfs',
    '/tmpf',
    'busybox',
    'sh',
    '-c',
    'mkdir -p /d/e; echo hi > /d/e/f; ln -s e/f /d/link; ln -s /d/e /dirlink; echo v > /vol/v; chown 33 /d/e/f; chmod 4755 /d/e/f',
  );
  const target = folder();
  await docker.ok('cp', 'out:/d', target);
  assert.equal(readFileSync(join(target, 'd/e/f'), 'utf8'), 'hi\n');
  assert.equal(readlinkSync(join(target, 'd/link')), 'e/f');
  await docker.ok('cp', 'out:/d/link', join(target, 'as-link'));
  assert.ok(lstatSync(join(target, 'as-link')).isSymbolicLink());
  await docker.ok('cp', '-L', 'out:/d/link', join(target, 'as-file'));
  assert.equal(readFileSync(join(target, 'as-file'), 'utf8'), 'hi\n');
  await docker.ok('cp', 'out:/dirlink/.', join(target, 'contents'));
  assert.ok(existsSync(join(target, 'contents/f')));
  await docker.ok('cp', 'out:/vol/v', join(target, 'v'));
  assert.equal(readFileSync(join(target, 'v'), 'utf8'), 'v\n');
  const { stdout } = await docker.bytes(['cp', 'out:/d', '-']);
  assert.match(await must('tar', ['-tvf', '-'], { input: stdout }), /-rwsr-xr-x \S*33\S*\/\S+ +3 .* d\/e\/f/);
  await docker.ok('cp', '-a', 'out:/d/e', join(target, 'archived'));
  assert.equal(lstatSync(join(target, 'archived/f')).mode & 0o7777, 0o4755);
  assert.match(await docker.fails('cp', 'out:/none', target), /Could not find the file \/none in container out/);
  assert.match(await docker.fails('cp', 'out:/a', 'out:/b'), /copying between containers is not supported/);
  await docker.ok('rm', '-v', 'out');
});

scenario('cp never leaves the root: links planted in the container, and in the archive', async () => {
  const { docker } = host;
  const victim = folder();
  writeFileSync(join(victim, 'secret'), 'secret of the host\n');
  await docker.ok(
    'run',
    '-d',
    '--name',
    'evil',
    'busybox',
    'sh',
    '-c',
    `ln -s ${victim} /escape; ln -s ${victim}/secret /file; ln -s ../../../../../../../..${victim} /dots; ln -s / /rootlink; exec sleep 600`,
  );
  const source = folder();
  writeFileSync(join(source, 'payload'), 'payload');
  for (const destination of ['/escape/x', '/escape', '/dots/x', '/file', `/rootlink${victim}/x`]) {
    await docker.run(['cp', join(source, 'payload'), `evil:${destination}`]);
  }
  assert.equal(readFileSync(join(victim, 'secret'), 'utf8'), 'secret of the host\n');
  assert.equal(
    existsSync(join(victim, 'x')) || existsSync(join(victim, 'payload')),
    false,
    'nothing lands on the host',
  );
  for (const path of ['/escape/secret', '/file', '/dots/secret', `/rootlink${victim}/secret`]) {
    const { stdout } = await docker.bytes(['cp', '-L', `evil:${path}`, '-']);
    assert.doesNotMatch(stdout.toString('utf8'), /secret of the host/, path);
  }
  host.daemon.expectedErrors.push(/path=\S*archive error="openat2 \/tmp\/a: ENOENT"/);
  const hostile = await tar([
    entry('a', 'symlink', { linkName: victim }),
    entry('a/planted', 'file', { body: 'x' }),
    entry('../../../../../../../../../../tmp/wherry-e2e-planted', 'file', { body: 'x' }),
    entry('hard', 'hardlink', { linkName: '../../../../../../../../etc/hostname' }),
  ]);
  await docker.run(['cp', '-', 'evil:/tmp'], { input: hostile });
  assert.equal(existsSync(join(victim, 'planted')), false);
  assert.equal(existsSync('/tmp/wherry-e2e-planted'), false);
  await docker.ok('rm', '-f', 'evil');
});

scenario('cp and read-only: the root refuses, a writable volume does not', async () => {
  const { docker } = host;
  await docker.ok('create', '--name', 'rocp', '--read-only', '-v', '/w', 'busybox');
  const source = join(folder(), 'f');
  writeFileSync(source, 'x');
  assert.match(await docker.fails('cp', source, 'rocp:/tmp'), /container rootfs is marked read-only/);
  await docker.ok('cp', source, 'rocp:/w');
  await docker.ok('rm', '-v', 'rocp');
});

scenario('diff: changed, added, deleted', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '--name',
    'df',
    'busybox',
    'sh',
    '-c',
    'echo x >> /etc/passwd; mkdir /new; touch /new/f; rm /etc/group; touch /tmp/t',
  );
  assert.equal(
    await docker.ok('diff', 'df'),
    ['C /etc', 'D /etc/group', 'C /etc/passwd', 'A /new', 'A /new/f', 'C /tmp', 'A /tmp/t'].join('\n'),
  );
});

scenario('commit: changes, author, message, history; the image runs', async () => {
  const { docker } = host;
  const id = await docker.ok(
    'commit',
    '-a',
    'Ann',
    '-m',
    'made',
    '-c',
    'ENV K=v',
    '-c',
    'CMD ["sh","-c","echo $K; ls /new"]',
    '-c',
    'EXPOSE 80',
    '-c',
    'WORKDIR /new',
    '-c',
    'LABEL l=1',
    'df',
    'mine/app:1',
  );
  assert.match(id, /^sha256:[0-9a-f]{64}$/);
  assert.equal(await docker.ok('run', '--rm', 'mine/app:1'), 'v\nf');
  const image = JSON.parse(await docker.ok('image', 'inspect', 'mine/app:1')) as [
    { Author: string; Comment: string; Config: Record<string, unknown> },
  ];
  assert.equal(image[0].Author, 'Ann');
  assert.equal(image[0].Comment, 'made');
  assert.deepEqual(image[0].Config['ExposedPorts'], { '80/tcp': {} });
  assert.match(
    await docker.ok('history', '--no-trunc', '--format', '{{.Comment}}|{{.CreatedBy}}', 'mine/app:1'),
    /^made\|/,
  );
  await docker.ok('rm', 'df');
});

scenario('export and import: the file system goes round', async () => {
  const { docker } = host;
  await docker.ok(
    'run',
    '--name',
    'exp',
    'busybox',
    'sh',
    '-c',
    'echo round > /trip; ln /trip /hard; ln -s trip /soft; mkfifo /pipe',
  );
  const file = join(folder(), 'fs.tar');
  await docker.ok('export', '-o', file, 'exp');
  assert.match(await must('tar', ['-tvf', file]), /prw-.* pipe\n/);
  const id = await docker.ok('import', '-m', 'trip', '-c', 'CMD ["cat","/trip","/hard","/soft"]', file, 'imported:1');
  assert.match(id, /^sha256:/);
  assert.equal(await docker.ok('run', '--rm', 'imported:1'), 'round\nround\nround');
  const { stdout, code } = await docker.run(['import', '-', 'piped'], { input: readFileSync(file) });
  assert.deepEqual([code, stdout.startsWith('sha256:')], [0, true]);
  await docker.ok('rm', 'exp');
  await docker.ok('rmi', 'imported:1', 'piped');
});

scenario('save and load: tags come back, by file and by pipe', async () => {
  const { docker } = host;
  await docker.ok('tag', 'mine/app:1', 'other:2');
  const file = join(folder(), 'images.tar');
  await docker.ok('save', '-o', file, 'mine/app:1', 'other:2');
  const id = await docker.ok('image', 'inspect', '-f', '{{.Id}}', 'other:2');
  assert.match(
    await must('tar', ['-xOf', file, 'manifest.json']),
    /"RepoTags":\[("mine\/app:1","other:2"|"other:2","mine\/app:1")\]/,
  );
  assert.match(
    await docker.ok('rmi', 'mine/app:1', 'other:2'),
    /Untagged: mine\/app:1[\s\S]*Untagged: other:2[\s\S]*Deleted: sha256:/,
  );
  assert.match(await docker.ok('load', '-i', file), /Loaded image: (mine\/app:1|other:2)\nLoaded image: /);
  assert.equal(await docker.ok('image', 'inspect', '-f', '{{.Id}}', 'mine/app:1'), id);
  assert.equal(await docker.ok('run', '--rm', 'other:2'), 'v\nf');
  const saved = await docker.bytes(['save', 'other:2']);
  assert.equal((await docker.run(['load', '-q'], { input: saved.stdout })).code, 0);
  assert.match(
    (await docker.run(['load'], { input: 'this is no tar' })).stderr,
    /unrecognized image format|invalid|archive|tar/,
  );
});

scenario('images, rmi: filters, digests, conflicts, force', async () => {
  const { docker } = host;
  assert.match(
    await docker.ok('images', '--format', '{{.Repository}}:{{.Tag}}', '--filter', 'reference=mine/*'),
    /^mine\/app:1$/,
  );
  assert.equal(await docker.ok('images', '-q', '--filter', 'dangling=true'), '');
  await docker.ok('run', '-d', '--name', 'user', 'other:2', 'sleep', '600');
  const id = (await docker.ok('images', '-q', 'other:2')).trim();
  assert.match(
    await docker.fails('rmi', id),
    /unable to (delete|remove) .* \(must be forced\) - image is referenced in multiple repositories|conflict/,
  );
  await docker.ok('rmi', 'mine/app:1');
  assert.match(
    await docker.fails('rmi', 'other:2'),
    /conflict: unable to (delete|remove)( repository reference "?other:2"?)?.*(container|running)/,
  );
  await docker.ok('rm', '-f', 'user');
  await docker.ok('rmi', 'other:2');
  assert.match(await docker.fails('rmi', 'other:2'), /No such image: other:2/);
  assert.match(await docker.fails('tag', 'nothing', 'x:1'), /No such image: nothing:latest/);
  assert.match(await docker.fails('tag', 'busybox', 'Not//Valid'), /invalid reference format|not a valid repository/);
  await docker.ok('create', '--name', 'dangle', 'busybox');
  await docker.ok('commit', 'dangle');
  await docker.ok('rm', 'dangle');
  assert.match(await docker.ok('image', 'prune', '-f'), /deleted: sha256:|Total reclaimed space/i);
  assert.equal(await docker.ok('images', '-q', '--filter', 'dangling=true'), '');
});
