/** Files into a container and out of it, by Docker's rules for `cp`. */
import {
  describeSource,
  describeTarget,
  isGoDirectory,
  isGoSymlink,
  localEntries,
  planCopy,
  splitEntry,
  unpackLocally,
} from '../archive/index.ts';
import { ApiFault, type Client, packTar, readTar } from '../client/index.ts';
import { collectBytes, Fault } from '../std/index.ts';

export interface FileOptions {
  /** 0o644 if not given. */
  mode?: number;
  uid?: number;
  gid?: number;
}

/** @param source a file or a folder of this machine; `folder/.` is what is in it. */
export async function copyIn(client: Client, container: string, source: string, target: string): Promise<void> {
  const place = await lookAt(client, container, absolute(target));
  const described = await describeSource(source, false);
  const plan = planCopy(described, place);
  const tar = packTar(localEntries(described, plan.rename));
  await putTar(client, container, tar, plan.folder);
}

/** @param target a folder that is there, or the name of what is to be. */
export async function copyOut(client: Client, container: string, source: string, target: string): Promise<void> {
  const described = await describeTarget(target);
  const { stat, tar } = await client.containers.getArchive(container, absolute(source));
  try {
    const plan = planCopy({ path: absolute(source), isDirectory: isGoDirectory(stat.mode) }, described);
    await unpackLocally(readTar(tar), plan.folder.replace(/\/\.?$/, '') || '/', plan.rename, false);
  } finally {
    await tar.return();
  }
}

/** @param folder where the archive is unpacked; it must be there */
export function putTar(
  client: Client,
  container: string,
  tar: AsyncIterable<Uint8Array>,
  folder: string,
): Promise<void> {
  return client.containers.putArchive(container, { path: folder, noOverwriteDirNonDir: 'true' }, tar);
}

/** An archive of a file or folder, as it comes. */
export async function* getTar(client: Client, container: string, path: string): AsyncGenerator<Uint8Array, void> {
  yield* (await client.containers.getArchive(container, absolute(path))).tar;
}

/** Folders above it are made. */
export function writeFiles(
  client: Client,
  container: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  { mode = 0o644, uid = 0, gid = 0 }: FileOptions = {},
): Promise<void> {
  const entries = Object.entries(files).map(([path, content]) => ({
    path: absolute(path).slice(1),
    type: 'file' as const,
    mode,
    uid,
    gid,
    mtime: Math.trunc(Date.now() / 1000),
    body: typeof content === 'string' ? Buffer.from(content) : content,
  }));
  return putTar(client, container, packTar(entries), '/');
}

/** As much of a file as is read at once. */
const mostBytes = 256 << 20;

/** @throws Fault not-found; invalid when it is no file */
export async function readFile(client: Client, container: string, path: string): Promise<Buffer> {
  const { tar } = await client.containers.getArchive(container, absolute(path));
  let link: string | undefined;
  let content: Buffer | undefined;
  // Read to its end, so that the connection can be used again.
  for await (const entry of readTar(tar)) {
    if (entry.type === 'symlink') link = entry.link;
    else if (entry.type === 'file') content = await collectBytes(entry.body, mostBytes);
    else break;
  }
  await tar.return();
  if (content !== undefined) return content;
  if (link === undefined) throw new Fault('invalid', `Cannot read ${path}: it is no file`);
  const { folder } = splitEntry(absolute(path));
  return readFile(client, container, link.startsWith('/') ? link : `${folder}/${link}`);
}

async function lookAt(
  client: Client,
  container: string,
  path: string,
): Promise<{ path: string; exists: boolean; isDirectory: boolean }> {
  try {
    const stat = await client.containers.statPath(container, path);
    if (!isGoSymlink(stat.mode)) return { path, exists: true, isDirectory: isGoDirectory(stat.mode) };
    const { folder } = splitEntry(path);
    const target = stat.linkTarget.startsWith('/') ? stat.linkTarget : `${folder}/${stat.linkTarget}`;
    return {
      path: target,
      exists: true,
      isDirectory: isGoDirectory((await client.containers.statPath(container, target)).mode),
    };
  } catch (error) {
    if (!(error instanceof ApiFault) || error.status !== 404) throw error;
    // It is not there yet; whether its folder is, the daemon will say.
    return { path, exists: false, isDirectory: false };
  }
}

function absolute(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}
