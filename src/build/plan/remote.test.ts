import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseGit, urlFilename } from './remote.ts';

test('what is a git repository', () => {
  for (const url of [
    'https://h/r.git',
    'git://h/r',
    'ssh://git@h/r',
    'git@h:o/r',
    'github.com/o/r',
    'https://h/r.git#b',
    'https://h/r.git?ref=b',
  ]) {
    assert.ok(parseGit(url), url);
  }
  for (const url of [
    'https://h/r',
    'https://h/r.git/x',
    './r.git',
    '../r.git',
    'r.git',
    'a:b',
    '/r.git',
    'http://h/f.tgz',
  ]) {
    assert.equal(parseGit(url), undefined, url);
  }
});

test('ref and folder, from the fragment or the query', () => {
  const { remote, ref, subdirectory } = parseGit('https://h/r.git#v1:sub/dir')!;
  assert.deepEqual([remote, ref, subdirectory], ['https://h/r.git', 'v1', 'sub/dir']);
  const asked = parseGit('https://h/r.git?branch=b&subdir=s&keep-git-dir=1&checksum=abc')!;
  assert.deepEqual(
    [asked.remote, asked.ref, asked.subdirectory, asked.keepGitDir, asked.checksum],
    ['https://h/r.git', 'refs/heads/b', 's', true, 'abc'],
  );
  assert.equal(parseGit('github.com/o/r')!.remote, 'https://github.com/o/r');
  assert.throws(() => parseGit('https://h/r.git?what=x'), { message: 'unexpected query "what"' });
});

test('the file of a URL is named by the last part of its path, and by nothing that leads elsewhere', () => {
  const names: Record<string, string> = {
    'https://h/a/b.tgz?x=y#z': 'b.tgz',
    'https://h/a/': 'a',
    'https://h': '__unnamed__',
    'https://h/%2e%2e%2fb': '__unnamed__',
    'https://h/a%20b': 'a b',
    'https://h/%zz': '%zz',
  };
  for (const [url, name] of Object.entries(names)) assert.equal(urlFilename(url), name, url);
});
