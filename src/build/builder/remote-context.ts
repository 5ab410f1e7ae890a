/** A context that is a URL: a repository, an archive, or a Dockerfile alone. */
import { randomUUID } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildRequest, LocalSource } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import type { FetchedFolder } from '../fetch/door.ts';
import { PostedContext } from '../local/posted-context.ts';
import { isHttp, parseGit, urlFilename } from '../plan/remote.ts';
import type { BuilderContext } from './builder-context.ts';
import type { Progress } from './progress.ts';

export interface RemoteContext {
  /** undefined: the URL was a Dockerfile, and there are no files. */
  source: LocalSource | undefined;
  /** With the Dockerfile where it was found. */
  request: Pick<BuildRequest, 'dockerfile'>;
}

const textLimit = 16 << 20;

/** undefined where the context is none of these. Everything lasts as long as `loans`. @throws Fault invalid */
export async function remoteContext(
  context: BuilderContext,
  request: BuildRequest,
  progress: Progress,
  loans: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<RemoteContext | undefined> {
  if (request.context === undefined || 'fetch' in request.context) return undefined;
  const { url } = request.context;
  const folder = await fetched(context, request, url, progress, signal);
  loans.use(folder);
  if (parseGit(url) !== undefined) return { source: lend(folder.path), request };
  const file = join(folder.path, urlFilename(url));
  if (!isArchive(file)) return { source: undefined, request: { dockerfile: { text: readText(file, url) } } };
  const unpacked = join(context.folder, 'contexts', randomUUID());
  const source = new PostedContext({ tar: createReadStream(file), folder: unpacked, signal });
  loans.use(source);
  return { source, request };
}

function fetched(
  { sources }: BuilderContext,
  { secrets }: BuildRequest,
  url: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<FetchedFolder> {
  const git = parseGit(url);
  if (git === undefined && !isHttp(url))
    throw new Fault(
      'invalid',
      `Cannot build from ${url}: the context must be a folder, a repository or an http(s) URL`,
    );
  return progress.task(`[internal] load remote build context`, (task) => {
    const by = {
      secrets,
      progress: (current: number, total: number) => task.status('transferring context:', current, total, false),
      output: (_stream: 'stdout' | 'stderr', data: Uint8Array) => task.log(Buffer.from(data).toString()),
    };
    if (git === undefined) return sources.http({ url, filename: urlFilename(url), checksum: undefined }, by, signal);
    const { remote, ref, subdirectory, keepGitDir = false, checksum } = git;
    return sources.git({ remote, ref, subdirectory, keepGitDir, checksum }, by, signal);
  });
}

function lend(path: string): LocalSource {
  return { fetch: () => Promise.resolve({ path, transferred: 0, [Symbol.asyncDispose]: () => Promise.resolve() }) };
}

/** By its first bytes: what `decompress` opens, or a tar header (POSIX ustar). */
export function isArchive(file: string): boolean {
  const head = Buffer.alloc(512);
  const descriptor = openSync(file, 'r');
  try {
    const length = readSync(descriptor, head, 0, head.length, 0);
    return isArchiveHead(head.subarray(0, length));
  } finally {
    closeSync(descriptor);
  }
}

const magic = ['1f8b', '425a68', 'fd377a585a00', '28b52ffd'];

export function isArchiveHead(head: Buffer): boolean {
  const hex = head.subarray(0, 6).toString('hex');
  return magic.some((each) => hex.startsWith(each)) || head.toString('latin1', 257, 262) === 'ustar';
}

function readText(file: string, url: string): string {
  const bytes = Buffer.alloc(textLimit + 1);
  const descriptor = openSync(file, 'r');
  try {
    const length = readSync(descriptor, bytes, 0, bytes.length, 0);
    if (length > textLimit)
      throw new Fault('invalid', `Cannot build from ${url}: it is neither an archive nor a Dockerfile`);
    return bytes.toString('utf8', 0, length);
  } finally {
    closeSync(descriptor);
  }
}
