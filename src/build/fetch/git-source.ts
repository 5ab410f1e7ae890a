/**
 * ADD of a repository, and contexts that are one: a bare copy of each remote, to which only what is missing is fetched, and checkouts of
 * single commits made from it. A commit that was checked out before needs no network at all.
 */
import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../oci/index.ts';
import { Fault, Slots } from '../../std/index.ts';
import { cleanPath } from '../../dockerfile/index.ts';
import { LentTree } from '../files/lent-tree.ts';
import type { GitStep } from '../plan/step.ts';
import type { FetchedFolder, Fetching } from './door.ts';
import type { FetchedFolders, LentFolder } from './fetched-folders.ts';
import { type GitAccess, gitAccess } from './git-access.ts';
import type { GitProgram, GitResult, GitRun } from './git-program.ts';
import { checkRef, chooseRef, type GitRemote, headOf, isCommit, parseRemote, type RemoteRef } from './git-remote.ts';
import { removeGitFiles } from './git-files.ts';

export interface GitSourceOptions {
  folders: FetchedFolders;
  program: GitProgram;
  /** https, http, ssh and git; tests have files, too. */
  protocols: readonly string[];
}

type Step = Pick<GitStep, 'remote' | 'ref' | 'subdirectory' | 'keepGitDir' | 'checksum'>;

interface Wanted {
  remote: GitRemote;
  /** `.` for all of it. */
  subdirectory: string;
  keepGitDir: boolean;
  found: RemoteRef;
}

export class GitSource {
  readonly #folders: FetchedFolders;
  readonly #program: GitProgram;
  readonly #protocols: readonly string[];
  /** A repository is one's at a time. */
  readonly #users = new Map<string, Slots>();

  constructor({ folders, program, protocols }: GitSourceOptions) {
    this.#folders = folders;
    this.#program = program;
    this.#protocols = protocols;
  }

  async fetch(step: Step, by: Fetching, signal: AbortSignal): Promise<FetchedFolder> {
    const remote = parseRemote(step.remote, this.#protocols);
    const ref = step.ref ?? '';
    if (ref !== '') checkRef(ref);
    const subdirectory = cleanPath(`/${step.subdirectory ?? ''}`).slice(1) || '.';
    const place = { remote, subdirectory, keepGitDir: step.keepGitDir && subdirectory === '.' };
    if (isCommit(ref)) {
      const found = { name: '', object: ref, commit: ref };
      checkCommit(found, step.checksum);
      const known = this.#kept({ ...place, found });
      if (known !== undefined) return fetched(await known, ref);
    }
    await using access = await gitAccess(remote, by, signal);
    const git = new Git(this.#program, this.#run(access, by), signal);
    const found = isCommit(ref) ? { name: '', object: ref, commit: ref } : await git.resolve(remote, ref);
    checkCommit(found, step.checksum);
    const wanted: Wanted = { ...place, found };
    const known = this.#kept(wanted);
    if (known !== undefined) return fetched(await known, found.commit);
    using _slot = await this.#slotsOf(remote).take(signal);
    // Whoever had the slot may have done it.
    const done = this.#kept(wanted);
    if (done !== undefined) return fetched(await done, found.commit);
    await using repository = await this.#repository(git, wanted);
    return fetched(await this.#checkout(git, wanted, repository.path), found.commit);
  }

  #kept(wanted: Wanted): Promise<LentFolder> | undefined {
    const record = this.#folders.find('checkout', checkoutKey(wanted));
    return record === undefined ? undefined : this.#folders.lend(record);
  }

  #run(access: GitAccess, by: Fetching): GitRun {
    return { protocols: this.#protocols, settings: access.settings, agent: access.agent, output: by.output };
  }

  #slotsOf(remote: GitRemote): Slots {
    let slots = this.#users.get(remote.url);
    if (slots === undefined) this.#users.set(remote.url, (slots = new Slots(1)));
    return slots;
  }

  /** The remote's bare copy, with the commit in it. One that cannot take it in any more is begun anew. */
  async #repository(git: Git, wanted: Wanted): Promise<LentFolder> {
    const key = sha256(JSON.stringify([wanted.remote.url, wanted.found.object.length]));
    const known = this.#folders.find('repository', key);
    if (known !== undefined) {
      const lent = await this.#folders.lend(known);
      try {
        await git.fetchInto(lent.path, wanted);
        await this.#folders.weigh(known.id);
        return lent;
      } catch {
        await lent[Symbol.asyncDispose]();
        git.signal.throwIfAborted();
      }
    }
    return this.#folders.make(async (path) => {
      mkdirSync(path, { mode: 0o700 });
      await git.must(['init', '--quiet', '--bare', '--template=', formatOf(wanted.found)], { gitDir: path });
      await git.fetchInto(path, wanted);
      const description = `shared git repo for ${wanted.remote.shown}`;
      return { kind: 'repository', key, description, facts: {}, synced: false };
    });
  }

  #checkout(git: Git, wanted: Wanted, repository: string): Promise<LentFolder> {
    return this.#folders.make(async (path) => {
      if (wanted.keepGitDir) await git.cloneInto(path, wanted, repository);
      else await git.extractInto(path, wanted, repository);
      const description = `git snapshot for ${wanted.remote.shown}#${wanted.found.name || wanted.found.commit}`;
      return { kind: 'checkout', key: checkoutKey(wanted), description, facts: {}, synced: false };
    });
  }
}

/** One build's git: its signal, its access, and its words. */
class Git {
  readonly signal: AbortSignal;
  readonly #program: GitProgram;
  readonly #run: GitRun;

  constructor(program: GitProgram, run: GitRun, signal: AbortSignal) {
    this.#program = program;
    this.#run = run;
    this.signal = signal;
  }

  try(args: readonly string[], where: Partial<GitRun> = {}): Promise<GitResult> {
    return this.#program.run(args, { ...this.#run, ...where }, this.signal);
  }

  /** @throws Fault unavailable in BuildKit's words, after `what` */
  async must(args: readonly string[], where: Partial<GitRun> = {}, what?: string): Promise<string> {
    const result = await this.try(args, where);
    if (result.code !== 0) throw failed(what, result);
    return result.stdout;
  }

  /** Silent, for questions whose answer nobody else wants. */
  async ask(args: readonly string[], where: Partial<GitRun>): Promise<GitResult> {
    return this.try(args, { ...where, output: () => {} });
  }

  async resolve(remote: GitRemote, ref: string): Promise<RemoteRef> {
    if (ref === '') {
      const listing = await this.must(
        ['ls-remote', '--symref', remote.url, 'HEAD'],
        {},
        `error fetching default branch for repository ${remote.shown}`,
      );
      const head = headOf(listing);
      if (head !== undefined) return head;
      throw new Fault('not-found', `could not find default branch for repository: ${remote.shown}`);
    }
    const what = `failed to fetch remote ${remote.shown}`;
    const listing = await this.must(['ls-remote', remote.url, ref, `${ref}^{}`], {}, what);
    const found = chooseRef(listing, ref);
    if (found !== undefined) return found;
    throw new Fault('not-found', `repository does not contain ref ${ref}, output: ${JSON.stringify(listing)}`);
  }

  /** What is missing of the commit, without its history where the remote can leave it out. */
  async fetchInto(gitDir: string, { remote, found }: Wanted): Promise<void> {
    const kept = `refs/wherry/${found.object}`;
    if (await this.#has(gitDir, found)) {
      await this.must(['update-ref', kept, found.object], { gitDir });
      return;
    }
    const what = `failed to fetch remote ${remote.shown}`;
    const fetch = ['fetch', '--no-tags', '--force', '--no-write-fetch-head', '--no-recurse-submodules'];
    const all = ['+refs/heads/*:refs/wherry-heads/*', '+refs/tags/*:refs/wherry-tags/*'];
    // The ref first; where it has moved on meanwhile, and for a commit, the commit itself; where the remote gives out no such, all of it.
    const single = [...(found.name === '' ? [] : [found.name]), found.object].map((source) => [`+${source}:${kept}`]);
    let last: GitResult | undefined;
    for (const refs of [...single, all]) {
      const isShallow = existsSync(join(gitDir, 'shallow'));
      const depth = refs === all ? (isShallow ? ['--unshallow'] : []) : ['--depth=1'];
      last = await this.try([...fetch, ...depth, remote.url, ...refs], { gitDir });
      if (last.code !== 0 && depth.length > 0 && /depth|shallow/.test(last.stderr))
        last = await this.try([...fetch, remote.url, ...refs], { gitDir });
      if (await this.#has(gitDir, found)) {
        await this.must(['update-ref', kept, found.object], { gitDir });
        return;
      }
      const isRefused = /not our ref|unadvertised object|couldn't find remote ref/i.test(last.stderr);
      if (last.code !== 0 && !isRefused) throw failed(what, last);
    }
    if (last !== undefined && last.code !== 0) throw failed(what, last);
    throw new Fault('not-found', `${what}: it does not contain ${found.object}`);
  }

  async #has(gitDir: string, { object, commit }: RemoteRef): Promise<boolean> {
    for (const wanted of [object, `${commit}^{commit}`])
      if ((await this.ask(['cat-file', '-e', wanted], { gitDir })).code !== 0) return false;
    return true;
  }

  /** With a `.git` of its own, which knows the remote without its credentials. */
  async cloneInto(path: string, wanted: Wanted, repository: string): Promise<void> {
    const { remote, found } = wanted;
    const gitDir = join(path, '.git');
    mkdirSync(path, { mode: 0o755 });
    await this.must(['init', '--quiet', formatOf(found)], { gitDir });
    await this.must(['remote', 'add', 'origin', remote.shown], { gitDir });
    const kept = `refs/wherry/${found.object}`;
    // By its own protocol, so that git reads the repository as a stranger's.
    const from = ['fetch', '--quiet', '-u', '--depth=1', '--no-tags', `file://${repository}`];
    // A branch or a tag is there by its name, and nothing of what other builds fetched is.
    const local = found.name.startsWith('refs/') ? `${kept}:${found.name}` : kept;
    await this.must([...from, local], { gitDir, protocols: ['file'], settings: [], agent: undefined });
    const what = `failed to checkout remote ${remote.shown}`;
    await this.must(['checkout', 'FETCH_HEAD'], { gitDir, workTree: path, settings: [], agent: undefined }, what);
    await this.must(['reflog', 'expire', '--all', '--expire=now'], { gitDir });
    rmSync(join(gitDir, 'FETCH_HEAD'), { force: true });
    await this.#submodules(gitDir, path, remote);
  }

  /** The files alone, or those of one folder. */
  async extractInto(path: string, wanted: Wanted, repository: string): Promise<void> {
    const { remote, found, subdirectory } = wanted;
    const gitDir = `${path}.git`;
    const workTree = subdirectory === '.' ? path : `${path}.tree`;
    mkdirSync(workTree, { mode: 0o755 });
    await this.must(['init', '--quiet', '--bare', '--template=', formatOf(found)], { gitDir });
    mkdirSync(join(gitDir, 'objects/info'), { recursive: true });
    writeFileSync(join(gitDir, 'objects/info/alternates'), `${join(repository, 'objects')}\n`);
    if (existsSync(join(repository, 'shallow'))) copyFileSync(join(repository, 'shallow'), join(gitDir, 'shallow'));
    const what = `failed to checkout remote ${remote.shown}`;
    const alone = { gitDir, workTree, settings: [], agent: undefined };
    await this.must(['checkout', '--quiet', '--force', '--detach', found.commit], alone, what);
    await this.#submodules(gitDir, workTree, remote);
    if (existsSync(join(gitDir, 'modules'))) await removeGitFiles(workTree, this.signal);
    if (subdirectory === '.') return;
    checkFolder(workTree, subdirectory);
    renameSync(join(workTree, subdirectory), path);
  }

  /** Addresses that begin with `./` or `../` are from the remote. */
  async #submodules(gitDir: string, workTree: string, remote: GitRemote): Promise<void> {
    const settings = [...(this.#run.settings ?? []), ['remote.origin.url', remote.url] as const];
    await this.must(
      ['submodule', 'update', '--init', '--recursive', '--depth=1'],
      { gitDir, workTree, settings },
      `failed to update submodules for ${remote.shown}`,
    );
  }
}

/** Each part of the path is a folder itself, and no link to one. @throws Fault not-found, invalid in BuildKit's words */
function checkFolder(root: string, path: string): void {
  using tree = new LentTree(root);
  const parts = path.split('/');
  for (const index of parts.keys()) {
    const part = parts.slice(0, index + 1).join('/');
    const stat = tree.stat(part);
    if (stat === undefined)
      throw new Fault(
        'not-found',
        `invalid subdir /${path}: failed to lstat ${JSON.stringify(part)}: no such file or directory`,
      );
    if (!stat.isDirectory())
      throw new Fault(
        'invalid',
        `invalid subdir /${path}: git subpath ${JSON.stringify(`/${path}`)} contains non-directory ${JSON.stringify(part)}`,
      );
  }
}

function failed(what: string | undefined, { code, stderr }: GitResult): Fault {
  const text = `git stderr:\n${stderr}: exit status ${code}`;
  return new Fault('unavailable', what === undefined ? text : `${what}: ${text}`);
}

/** @throws Fault invalid in BuildKit's words */
function checkCommit({ object, commit }: RemoteRef, checksum: string | undefined): void {
  if (checksum === undefined || checksum === '') return;
  if (!/^[a-fA-F0-9]+$/.test(checksum))
    throw new Fault('invalid', `invalid checksum ${checksum} for Git URL, expected hex commit hash`);
  if (object.startsWith(checksum) || commit.startsWith(checksum)) return;
  const got = object === commit ? commit : `${object} or ${commit}`;
  throw new Fault('invalid', `expected checksum to match ${checksum}, got ${got}`);
}

function checkoutKey({ remote, found, subdirectory, keepGitDir }: Wanted): string {
  return sha256(
    JSON.stringify([remote.url, found.commit, subdirectory, ...(keepGitDir ? [found.name, found.object] : [])]),
  );
}

/** A repository's objects are all named by one algorithm. */
function formatOf({ object }: RemoteRef): string {
  return `--object-format=${object.length === 64 ? 'sha256' : 'sha1'}`;
}

function fetched({ path, [Symbol.asyncDispose]: dispose }: LentFolder, commit: string): FetchedFolder {
  return { path, resolved: commit, [Symbol.asyncDispose]: dispose };
}
