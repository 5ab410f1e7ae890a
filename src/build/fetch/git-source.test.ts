import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GitServer, noGitServer } from '../../../test/support/git-server.ts';
import { redacted } from './redact.ts';
import { checkRef, chooseRef, headOf, parseRemote } from './git-remote.ts';
import { SourcesFixture } from './fixture.ts';

const live = new AbortController().signal;

interface Asked {
  ref?: string;
  subdirectory?: string;
  keepGitDir?: boolean;
  checksum?: string;
}

function step(
  remote: string,
  { ref, subdirectory, keepGitDir = false, checksum }: Asked = {},
): {
  remote: string;
  ref: string | undefined;
  subdirectory: string | undefined;
  keepGitDir: boolean;
  checksum: string | undefined;
} {
  return { remote, ref, subdirectory, keepGitDir, checksum };
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

const gitIn = (folder: string, ...args: string[]): string =>
  execFileSync('git', args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_NOSYSTEM: '1' },
  }).trim();

describe('repositories', { skip: noGitServer, timeout: 120_000 }, () => {
  test('a branch, a tag, an annotated one, a commit, and what HEAD is', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    const first = git.commit('r.git', { a: '1', 'dir/b': '2' });
    git.git('r.git', 'tag', '-a', '-m', 'tagged', 'v1');
    git.git('r.git', 'branch', 'old/one');
    const second = git.commit('r.git', { a: '2' });
    const fetch = async (ref: string | undefined): Promise<[string, string]> => {
      await using folder = await fixture.sources.git(step(git.url('r.git'), { ref: ref! }), fixture.by, live);
      assert.deepEqual(filesOf(folder.path), ['a', 'dir/b']);
      return [folder.resolved, readFileSync(join(folder.path, 'a'), 'utf8')];
    };
    assert.deepEqual(await fetch(undefined), [second, '2']);
    assert.deepEqual(await fetch('v1'), [first, '1']);
    assert.deepEqual(await fetch('refs/heads/old/one'), [first, '1']);
    assert.deepEqual(await fetch('old/one'), [first, '1']);
    assert.deepEqual(await fetch(second), [second, '2']);
    assert.equal(fixture.sources.list().filter(({ kind }) => kind === 'checkout').length, 2);
    await assert.rejects(fetch('nope'), {
      kind: 'not-found',
      message: 'repository does not contain ref nope, output: ""',
    });
    await assert.rejects(fetch('0'.repeat(40)), { message: /^failed to fetch remote http:.*/ });
    await assert.rejects(fetch('--upload-pack=x'), { kind: 'invalid' });
  });

  test('files are as git has them, and nobody else can write to them', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    git.commit('r.git', { program: 'x', plain: 'y' });
    chmodSync(join(git.root, 'work/r.git/program'), 0o755);
    symlinkSync('/etc/passwd', join(git.root, 'work/r.git/link'));
    git.commit('r.git');
    await using folder = await fixture.sources.git(step(git.url('r.git')), fixture.by, live);
    const modeOf = (name: string): number => statSync(join(folder.path, name)).mode & 0o7777;
    assert.deepEqual(['program', 'plain', '.'].map(modeOf), [0o755, 0o644, 0o755]);
    assert.equal(readlinkSync(join(folder.path, 'link')), '/etc/passwd');
  });

  test('what was fetched is not fetched again; what is new comes alone', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    const commit = git.commit('r.git', { a: '1' });
    const fetch = async (ref?: string): Promise<string> => {
      await using folder = await fixture.sources.git(step(git.url('r.git'), { ref: ref! }), fixture.by, live);
      return readFileSync(join(folder.path, 'a'), 'utf8');
    };
    const packs = (): number => git.requests.filter((path) => path.endsWith('git-upload-pack')).length;
    assert.equal(await fetch(), '1');
    git.requests.length = 0;
    assert.equal(await fetch(commit), '1');
    assert.deepEqual(git.requests, []);
    assert.equal(await fetch('main'), '1');
    const asking = packs();
    git.commit('r.git', { a: '2' });
    assert.equal(await fetch(), '2');
    assert.ok(packs() > asking);
    assert.equal(fixture.sources.list().filter(({ kind }) => kind === 'repository').length, 1);
    await fixture.reopen();
    git.requests.length = 0;
    assert.equal(await fetch(commit), '1');
    assert.deepEqual(git.requests, []);
  });

  test('a copy of the remote that is broken, or does not fit any more, is begun anew', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    git.commit('r.git', { a: '1' });
    {
      await using _folder = await fixture.sources.git(step(git.url('r.git')), fixture.by, live);
    }
    const { id } = fixture.sources.list().find(({ kind }) => kind === 'repository')!;
    writeFileSync(join(fixture.root, 'sources/folders', id, 'config'), '[broken');
    git.commit('r.git', { a: '2' });
    await using folder = await fixture.sources.git(step(git.url('r.git')), fixture.by, live);
    assert.equal(readFileSync(join(folder.path, 'a'), 'utf8'), '2');
    const repositories = fixture.sources.list().filter(({ kind }) => kind === 'repository');
    assert.equal(repositories.length, 1);
    assert.notEqual(repositories[0]!.id, id);
    assert.equal(existsSync(join(fixture.root, 'sources/folders', id)), false);
  });

  test('a folder of it, which no link leads to', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    git.commit('r.git', { 'dir/deep/b': '2', a: '1' });
    for (const [name, target] of [
      ['link', 'dir'],
      ['out', '/etc'],
      ['up', '../../../../etc'],
    ] as const)
      symlinkSync(target, join(git.root, 'work/r.git', name));
    git.commit('r.git');
    const fetch = async (subdirectory: string): Promise<string[]> => {
      await using folder = await fixture.sources.git(step(git.url('r.git'), { subdirectory }), fixture.by, live);
      return filesOf(folder.path);
    };
    assert.deepEqual(await fetch('dir'), ['deep/b']);
    assert.deepEqual(await fetch('/dir/../dir/deep/'), ['b']);
    assert.deepEqual(await fetch('../..'), await fetch('.'));
    await assert.rejects(fetch('none'), {
      kind: 'not-found',
      message: /^invalid subdir \/none: failed to lstat "none"/,
    });
    await assert.rejects(fetch('a'), { kind: 'invalid', message: /contains non-directory "a"$/ });
    for (const name of ['link', 'out', 'up', 'link/deep'])
      await assert.rejects(fetch(name), { kind: 'invalid', message: /contains non-directory/ });
  });

  test('with its .git: one that git can work with, and that knows nobody', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    git.required = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    const commit = git.commit('r.git', { a: '1' });
    git.git('r.git', 'tag', '-a', '-m', 'tagged', 'v1');
    git.publish('r.git');
    const remote = git.url('r.git').replace('://', '://me:secret@');
    const fetch = (ref?: string): ReturnType<typeof fixture.sources.git> =>
      fixture.sources.git(step(remote, { keepGitDir: true, ref: ref! }), fixture.by, live);
    await using branch = await fetch('main');
    assert.equal(gitIn(branch.path, 'rev-parse', 'HEAD', 'refs/heads/main'), `${commit}\n${commit}`);
    assert.equal(gitIn(branch.path, 'status', '--porcelain'), '');
    assert.equal(gitIn(branch.path, 'remote', 'get-url', 'origin'), redacted(remote));
    await using tag = await fetch('v1');
    assert.equal(gitIn(tag.path, 'describe'), 'v1');
    assert.equal(tag.resolved, commit);
    await using single = await fetch(commit);
    assert.equal(gitIn(single.path, 'for-each-ref'), '');
    assert.equal(gitIn(single.path, 'rev-parse', 'HEAD'), commit);
    assert.deepEqual(mentions(fixture, 'secret', 'bWU6c2VjcmV0'), '');
  });

  test('credentials by secrets: the one for the host, a header, a token; none of them stays', async () => {
    await using git = await GitServer.open();
    git.commit('r.git', { a: '1' });
    git.required = 'never';
    const shown = async (secrets: Record<string, string>): Promise<string> => {
      await using fixture = await SourcesFixture.open();
      for (const [name, value] of Object.entries(secrets)) fixture.secrets.set(name, value);
      git.authorizations.clear();
      await assert.rejects(fixture.sources.git(step(git.url('r.git')), fixture.by, live), { kind: 'unavailable' });
      assert.equal(mentions(fixture, ...Object.values(secrets)), '');
      return [...git.authorizations].join();
    };
    const basic = (token: string): string => `basic ${Buffer.from(`x-access-token:${token}`).toString('base64')}`;
    const host = `127.0.0.1:${git.port}`;
    assert.equal(await shown({ GIT_AUTH_TOKEN: 'token-9\n' }), basic('token-9'));
    assert.equal(await shown({ GIT_AUTH_TOKEN: 'token-8', GIT_AUTH_HEADER: 'Digest 77' }), 'Digest 77');
    assert.equal(await shown({ GIT_AUTH_HEADER: 'Digest 7', [`GIT_AUTH_TOKEN.${host}`]: 'token-6' }), basic('token-6'));
    assert.equal(await shown({ 'GIT_AUTH_TOKEN.elsewhere': 'token-5' }), '');
    git.required = basic('token-9');
    await using fixture = await SourcesFixture.open();
    fixture.secrets.set('GIT_AUTH_TOKEN', 'token-9');
    await using folder = await fixture.sources.git(step(git.url('r.git'), { keepGitDir: true }), fixture.by, live);
    assert.deepEqual(readdirSync(folder.path), ['.git', 'a']);
    assert.equal(mentions(fixture, 'token-9', Buffer.from('x-access-token:token-9').toString('base64')), '');
  });

  test('ssh asks the client for its agent, and no configuration of the host counts', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    git.commit('r.git', { a: '1' });
    const programs = join(fixture.root, 'bin');
    mkdirSync(programs);
    const log = join(fixture.root, 'ssh.log');
    writeFileSync(
      join(programs, 'ssh'),
      `#!/bin/sh\necho "$SSH_AUTH_SOCK $*" >> ${log}\nexec git upload-pack ${join(git.root, 'served/r.git')}\n`,
      { mode: 0o755 },
    );
    await fixture.reopen({ env: { PATH: `${programs}:${process.env['PATH']}` } });
    const remote = 'git@example.invalid:r.git';
    await assert.rejects(fixture.sources.git(step(remote), fixture.by, live), {
      kind: 'not-found',
      message: /^no SSH key "default" forwarded from the client/,
    });
    fixture.agentSocket = '/the/agent';
    await using folder = await fixture.sources.git(step(remote), fixture.by, live);
    assert.deepEqual(filesOf(folder.path), ['a']);
    const [line] = readFileSync(log, 'utf8').split('\n');
    assert.match(line!, /^\/the\/agent -F \/dev\/null -o BatchMode=yes -o StrictHostKeyChecking=accept-new /);
    assert.match(line!, /git@example\.invalid git-upload-pack/);
  });

  test('submodules, in them too, without what git keeps for itself', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    git.commit('leaf.git', { leaf: '1' });
    git.commit('sub.git', { sub: '2' });
    git.git('sub.git', 'submodule', '--quiet', 'add', '-f', '../leaf.git', 'deep/leaf');
    git.commit('sub.git');
    git.commit('r.git', { a: '3' });
    git.git('r.git', 'submodule', '--quiet', 'add', '-f', '../sub.git', 'mods/sub');
    git.commit('r.git');
    await using folder = await fixture.sources.git(step(git.url('r.git')), fixture.by, live);
    assert.deepEqual(filesOf(folder.path), [
      '.gitmodules',
      'a',
      'mods/sub/.gitmodules',
      'mods/sub/deep/leaf/leaf',
      'mods/sub/sub',
    ]);
    await using kept = await fixture.sources.git(step(git.url('r.git'), { keepGitDir: true }), fixture.by, live);
    assert.match(
      gitIn(kept.path, 'submodule', 'status', '--recursive'),
      /^ ?[0-9a-f]{40} mods\/sub .*\n [0-9a-f]{40} mods/,
    );
    await using inside = await fixture.sources.git(
      step(git.url('r.git'), { subdirectory: 'mods/sub' }),
      fixture.by,
      live,
    );
    assert.deepEqual(filesOf(inside.path), ['.gitmodules', 'deep/leaf/leaf', 'sub']);
  });

  test('hostile repositories run nothing, and read nothing of the host', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    const mark = join(fixture.root, 'ran');
    const run = `sh -c 'touch ${mark}'`;
    // A repository of the host's, which a submodule would like to have.
    git.commit('secret.git', { secret: 'x' });
    const object = git.git('secret.git', 'rev-parse', 'HEAD');
    const urls = [
      join(git.root, 'served/secret.git'),
      `file://${join(git.root, 'served/secret.git')}`,
      `ext::${run}`,
      '-u',
      '--upload-pack=x',
    ];
    for (const [index, url] of urls.entries()) {
      const name = `evil${index}.git`;
      git.commit(name, {
        '.gitmodules': `[submodule "m"]\n\tpath = m\n\turl = ${url}\n\tupdate = checkout\n`,
        '.gitattributes': '* filter=run diff=run merge=run\n',
        '.gitconfig': `[filter "run"]\n\tsmudge = ${run}\n`,
        a: '1',
      });
      git.git(name, 'update-index', '--add', '--cacheinfo', `160000,${object},m`);
      git.git(name, 'commit', '--quiet', '-m', 'm');
      git.publish(name);
      await assert.rejects(fixture.sources.git(step(git.url(name)), fixture.by, live), {
        kind: 'unavailable',
        message: /^failed to update submodules for /,
      });
    }
    git.commit('update.git', {
      '.gitmodules': `[submodule "m"]\n\tpath = m\n\turl = ../secret.git\n\tupdate = !touch ${mark}\n`,
    });
    git.git('update.git', 'update-index', '--add', '--cacheinfo', `160000,${object},m`);
    git.git('update.git', 'commit', '--quiet', '-m', 'm');
    git.publish('update.git');
    await assert.rejects(fixture.sources.git(step(git.url('update.git')), fixture.by, live));
    assert.equal(existsSync(mark), false);
    const left = readdirSync(join(fixture.root, 'sources/folders')).filter((name) => name.includes('.'));
    assert.deepEqual(left, []);
    assert.equal(
      fixture.sources.list().some(({ kind }) => kind === 'checkout'),
      false,
    );
  });

  test('addresses of other kinds are refused before git hears of them', async () => {
    await using fixture = await SourcesFixture.open();
    for (const remote of [
      'file:///etc',
      '/etc',
      'ext::sh -c true',
      '-oProxyCommand=x@h:p',
      'ssh://-oProxyCommand=x/p',
      'fd::17',
    ])
      await assert.rejects(fixture.sources.git(step(remote), fixture.by, live), { kind: 'invalid' }, remote);
  });

  test('a checksum is the beginning of the commit, or of the tag', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    const commit = git.commit('r.git', { a: '1' });
    git.git('r.git', 'tag', '-a', '-m', 'tagged', 'v1');
    git.publish('r.git');
    const object = git.git('r.git', 'rev-parse', 'v1');
    const fetch = async (ref: string, checksum: string): Promise<string> => {
      await using folder = await fixture.sources.git(step(git.url('r.git'), { ref, checksum }), fixture.by, live);
      return folder.resolved;
    };
    for (const checksum of [commit, commit.slice(0, 8), object]) assert.equal(await fetch('v1', checksum), commit);
    assert.equal(await fetch(commit, commit.slice(0, 7)), commit);
    await assert.rejects(fetch('main', '1234567'), {
      kind: 'invalid',
      message: `expected checksum to match 1234567, got ${commit}`,
    });
    await assert.rejects(fetch(commit, '1234567'), { kind: 'invalid' });
    await assert.rejects(fetch('main', 'xyz'), { message: /expected hex commit hash$/ });
  });

  test('a repository of SHA-256', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    mkdirSync(join(git.root, 'work/r.git'), { recursive: true });
    mkdirSync(join(git.root, 'served/r.git'), { recursive: true });
    gitIn(join(git.root, 'work/r.git'), 'init', '--quiet', '--object-format=sha256', '--initial-branch=main');
    gitIn(
      join(git.root, 'served/r.git'),
      'init',
      '--quiet',
      '--bare',
      '--object-format=sha256',
      '--initial-branch=main',
    );
    const commit = git.commit('r.git', { a: '1' });
    await using folder = await fixture.sources.git(step(git.url('r.git')), fixture.by, live);
    assert.equal(folder.resolved, commit);
    assert.equal(commit.length, 64);
    assert.deepEqual(filesOf(folder.path), ['a']);
  });

  test('two builds at once want the same', async () => {
    await using git = await GitServer.open();
    await using fixture = await SourcesFixture.open();
    git.commit('r.git', { a: '1' });
    const fetch = (): ReturnType<typeof fixture.sources.git> =>
      fixture.sources.git(step(git.url('r.git')), fixture.by, live);
    const [one, other] = await Promise.all([fetch(), fetch()]);
    assert.equal(one.path, other.path);
    assert.equal(fixture.sources.list().length, 2);
  });

  test('cancelled: git and what it started end, and nothing is left', async () => {
    await using fixture = await SourcesFixture.open();
    const programs = join(fixture.root, 'bin');
    mkdirSync(programs);
    const pids = join(fixture.root, 'pids');
    writeFileSync(join(programs, 'git'), `#!/bin/sh\nsleep 300 &\necho $$ $! > ${pids}\necho started >&2\nwait\n`, {
      mode: 0o755,
    });
    await fixture.reopen({ env: { PATH: `${programs}:${process.env['PATH']}` } });
    const cancel = new AbortController();
    const by = { ...fixture.by, output: () => cancel.abort(new Error('gone')) };
    await assert.rejects(
      fixture.sources.git(step('https://example.invalid/r.git'), by, cancel.signal),
      /^Error: gone$/,
    );
    for (const pid of readFileSync(pids, 'utf8').trim().split(' '))
      assert.ok(!existsSync(`/proc/${pid}/stat`) || / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')), pid);
    assert.deepEqual(readdirSync(join(fixture.root, 'sources/folders')), []);
  });

  test('without git it says what to install', async () => {
    await using fixture = await SourcesFixture.open({ env: { PATH: '/nowhere' } });
    await assert.rejects(fixture.sources.git(step('https://example.invalid/r.git'), fixture.by, live), {
      kind: 'unavailable',
      message: /git is not installed.*install the package git/,
    });
  });
});

describe('what is asked of a remote', () => {
  test('refs', () => {
    for (const ref of ['main', 'v1.0', 'refs/heads/a/b', 'feature/x-y', 'a@b']) checkRef(ref);
    for (const ref of [
      '-x',
      'a b',
      'a..b',
      'a~1',
      'a^{}',
      'a:b',
      'a*',
      'a\\b',
      '/a',
      'a/',
      'a.lock',
      '.a',
      'a/.b',
      '@',
      'a@{1}',
      'x'.repeat(2000),
    ])
      assert.throws(() => checkRef(ref), { kind: 'invalid' }, ref);
    const [one, two] = ['1'.repeat(40), '2'.repeat(40)];
    const listing = `${one}\trefs/heads/x\n${two}\trefs/tags/x\n${one}\trefs/tags/x^{}\n`;
    assert.deepEqual(chooseRef(listing, 'x'), { name: 'refs/heads/x', object: one, commit: one });
    assert.deepEqual(chooseRef(listing, 'refs/tags/x'), { name: 'refs/tags/x', object: two, commit: one });
    assert.deepEqual(chooseRef(listing, 'heads/x'), { name: 'refs/heads/x', object: one, commit: one });
    assert.equal(chooseRef(`${one}\trefs/heads/other/x\n`, 'x'), undefined);
    assert.deepEqual(headOf(`ref: refs/heads/main\tHEAD\n${one}\tHEAD\n`), {
      name: 'refs/heads/main',
      object: one,
      commit: one,
    });
    assert.deepEqual(headOf(`${one}\tHEAD\n`), { name: 'HEAD', object: one, commit: one });
    assert.equal(headOf(''), undefined);
  });

  test('addresses', () => {
    const parse = (text: string): [string, string | undefined] => {
      const { protocol, host } = parseRemote(text, ['https', 'ssh', 'git']);
      return [protocol, host];
    };
    assert.deepEqual(parse('https://u:p@h:8443/r.git'), ['https', 'h:8443']);
    assert.deepEqual(parse('git@h:o/r.git'), ['ssh', 'h']);
    assert.deepEqual(parse('ssh://git@h:22/r.git'), ['ssh', 'h:22']);
    assert.deepEqual(parse('git://h/r'), ['git', 'h']);
    const { url, shown, authorization } = parseRemote('https://u:p%20q@h/r.git', ['https']);
    assert.deepEqual(
      { url, shown, authorization },
      {
        url: 'https://h/r.git',
        shown: 'https://xxxxx:xxxxx@h/r.git',
        authorization: `Basic ${Buffer.from('u:p q').toString('base64')}`,
      },
    );
    assert.throws(() => parse('http://h/r.git'), { kind: 'invalid', message: /not allowed, only https, ssh, git/ });
  });
});

/** Files of the fixture that hold one of the texts. */
function mentions(fixture: SourcesFixture, ...texts: string[]): string {
  const patterns = texts.flatMap((text) => ['-e', text.trim()]);
  return spawnSync('grep', ['-rlaF', ...patterns, join(fixture.root, 'sources')], { encoding: 'utf8' }).stdout;
}
