/** What ADD and named contexts fetch: a URL of a git repository, or of a file. */
import { SyntaxProblem, type Range } from '../../dockerfile/index.ts';

export interface GitReference {
  readonly remote: string;
  readonly ref: string | undefined;
  readonly subdirectory: string | undefined;
  /** What the query says of them, over which flags win. */
  readonly keepGitDir: boolean | undefined;
  readonly checksum: string | undefined;
}

export function isHttp(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** `https://….git[?query][#ref[:subdirectory]]`, `git://…`, `ssh://…`, `git@host:path`, `github.com/…`; `undefined` for what is none. */
export function parseGit(text: string, range?: Range): GitReference | undefined {
  if (/^\.{1,2}(?:\/|$)/.test(text)) return undefined;
  const [beforeFragment = '', fragment = ''] = text.split(/#(.*)/s);
  const scp = /^(?:[\w.-]+@)[\w.-]+:(?!\/\/)/.test(beforeFragment);
  const isGithub = beforeFragment.startsWith('github.com/');
  const [location = '', query = ''] = scp ? [beforeFragment] : beforeFragment.split(/\?(.*)/s);
  const isGit =
    scp || isGithub || /^(?:git|ssh):\/\//i.test(location) || (isHttp(location) && location.endsWith('.git'));
  if (!isGit) return undefined;
  const [ref = '', subdirectory = ''] = fragment.split(/:(.*)/s);
  const asked = parseQuery(query, range);
  return {
    remote: isGithub ? `https://${location}` : location,
    ref: asked.ref ?? (ref === '' ? undefined : ref),
    subdirectory: asked.subdirectory ?? (subdirectory === '' ? undefined : subdirectory),
    keepGitDir: asked.keepGitDir,
    checksum: asked.checksum,
  };
}

type Asked = Omit<GitReference, 'remote'>;

function parseQuery(query: string, range: Range | undefined): Asked {
  const asked = new URLSearchParams(query);
  const known = [
    'ref',
    'tag',
    'branch',
    'subdir',
    'checksum',
    'commit',
    'keep-git-dir',
    'submodules',
    'fetch-by-commit',
  ];
  const unknown = [...asked.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) throw new SyntaxProblem('bad-git', `unexpected query ${JSON.stringify(unknown)}`, range);
  const branch = asked.get('branch');
  const tag = asked.get('tag');
  const keep = asked.get('keep-git-dir');
  return {
    ref:
      asked.get('ref') ??
      (tag === null ? undefined : `refs/tags/${tag}`) ??
      (branch === null ? undefined : `refs/heads/${branch}`),
    subdirectory: asked.get('subdir') ?? undefined,
    keepGitDir: keep === null ? undefined : keep === '' || keep === 'true' || keep === '1',
    checksum: asked.get('checksum') ?? asked.get('commit') ?? undefined,
  };
}

/** The name an ADDed URL's file has: the last part of its path. */
export function urlFilename(url: string): string {
  const path = URL.parse(url)?.pathname ?? '';
  const name = decodeURIComponentSafely(path.split('/').findLast((part) => part !== '') ?? '');
  return name === '' || name === '.' || name === '..' || name.includes('/') ? '__unnamed__' : name;
}

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
