/** Where a repository is and what is wanted of it, checked: none of it can pass for an option of git, or for more than one ref. Pure. */
import { Fault } from '../../std/index.ts';
import { redacted, withoutCredentials } from './redact.ts';

export interface GitRemote {
  /** Without credentials, for git and for keys. */
  url: string;
  /** For people, and for the configuration of a repository that is kept. */
  shown: string;
  protocol: string;
  /** For names of secrets; undefined for what has none. */
  host: string | undefined;
  /** Of the address itself, a header. */
  authorization: string | undefined;
}

/** @throws Fault invalid for a protocol that is not among `protocols`, or an address that is none */
export function parseRemote(remote: string, protocols: readonly string[]): GitRemote {
  const { url, authorization } = withoutCredentials(remote);
  const scp = /^(?!-)[\w.-]+@(?!-)([\w.-]+):(?!\/\/|-)/.exec(url);
  const parsed = scp === null ? URL.parse(url) : null;
  const protocol = scp === null ? (parsed?.protocol ?? 'file:').slice(0, -1).toLowerCase() : 'ssh';
  const host = scp === null ? parsed?.host : scp[1];
  const isUsable = protocol === 'file' || (host !== undefined && host !== '' && !/^-|@-/.test(host));
  if (!isUsable || url.startsWith('-') || /[\0\n\r]/.test(url))
    throw new Fault('invalid', `invalid git address ${JSON.stringify(redacted(remote))}`);
  if (!protocols.includes(protocol))
    throw new Fault(
      'invalid',
      `Cannot fetch ${redacted(remote)}: the protocol ${JSON.stringify(protocol)} is not allowed, only ${protocols.join(', ')}`,
    );
  return { url, shown: redacted(remote), protocol, host, authorization };
}

/** The whole digest of a commit, SHA-1 or SHA-256. */
export function isCommit(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/** As `git check-ref-format` has it, more or less: what is refused here no repository has. @throws Fault invalid */
export function checkRef(ref: string): void {
  const isBad =
    /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/.@]$|^[-/.]|[/.]$|\.lock(?:\/|$)|\/\./.test(ref) ||
    Buffer.byteLength(ref) > 1024;
  if (isBad) throw new Fault('invalid', `invalid git ref ${JSON.stringify(ref)}`);
}

export interface RemoteRef {
  /** `refs/heads/main`. */
  name: string;
  /** What it names: a commit, or the tag object of an annotated tag. */
  object: string;
  /** The commit. */
  commit: string;
}

/** Which of the lines of `git ls-remote` is meant: a whole name before a branch, a branch before a tag. */
export function chooseRef(listing: string, ref: string): RemoteRef | undefined {
  const lines = new Map<string, string>();
  for (const line of listing.split('\n')) {
    const [object = '', name = ''] = line.split('\t');
    if (isCommit(object)) lines.set(name, object);
  }
  const partial = ref.replace(/^refs\//, '');
  const names = [
    `refs/${partial}`,
    `refs/heads/${ref.replace(/^refs\/heads\//, '')}`,
    `refs/tags/${ref.replace(/^refs\/tags\//, '')}`,
  ];
  const name = names.find((each) => lines.has(each));
  if (name === undefined) return undefined;
  const object = lines.get(name)!;
  return { name, object, commit: lines.get(`${name}^{}`) ?? object };
}

/** Of `git ls-remote --symref … HEAD`. */
export function headOf(listing: string): RemoteRef | undefined {
  const name = /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(listing)?.[1];
  const commit = /^([0-9a-f]+)\tHEAD$/m.exec(listing)?.[1];
  return commit === undefined || !isCommit(commit) ? undefined : { name: name ?? 'HEAD', object: commit, commit };
}

/** For whom a token is: the remote alone, but all of GitHub, whose submodules are as private as itself. */
export function tokenScope(url: string): string {
  return ['https://github.com/', 'https://www.github.com/'].find((each) => url.startsWith(each)) ?? url;
}
