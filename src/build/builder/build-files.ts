/** The Dockerfile and its ignore file, found in what the client lends. */
import type { BuildRequest, LocalSource } from '../../api/index.ts';
import { ignoreFileNames, parseIgnoreFile } from '../../dockerfile/index.ts';
import { Fault } from '../../std/index.ts';
import { readInside } from '../files/read-inside.ts';
import type { Progress } from './progress.ts';

export interface BuildFiles {
  /** As errors name it. */
  name: string;
  text: Buffer;
  /** Rules of the ignore file, as `PatternMatcher` takes them. */
  ignore: readonly string[];
}

/** Larger ones are nobody's. */
const fileLimit = 16 << 20;

/** @throws Fault not-found when there is no Dockerfile */
export async function readBuildFiles(
  request: Pick<BuildRequest, 'dockerfile'>,
  context: LocalSource | undefined,
  progress: Progress,
  signal: AbortSignal,
): Promise<BuildFiles> {
  const { dockerfile } = request;
  if ('text' in dockerfile) {
    const text = Buffer.from(dockerfile.text);
    const ignore = context === undefined ? [] : await contextIgnore(context, progress, signal);
    return { name: 'Dockerfile', text, ignore };
  }
  const { path } = dockerfile;
  const source = dockerfile.source ?? context;
  if (source === undefined) throw new Fault('invalid', 'Cannot build: neither a Dockerfile nor a context was given');
  const [own] = ignoreFileNames(path);
  // As people on file systems without case have it.
  const other = path === 'Dockerfile' ? 'dockerfile' : undefined;
  const found = await progress.task(`[internal] load build definition from ${path}`, async (task) => {
    const wanted = [path, own, ...(other === undefined ? [] : [other])];
    const files = await readFiles(source, wanted, signal);
    const text = files.get(path) ?? (other === undefined ? undefined : files.get(other));
    if (text === undefined)
      throw new Fault('not-found', `failed to read dockerfile: open ${path}: no such file or directory`);
    task.status('transferring dockerfile:', text.length, 0, true);
    return { text, ignore: files.get(own) };
  });
  const name = path.split('/').at(-1) ?? path;
  if (found.ignore !== undefined) return { name, text: found.text, ignore: rules(found.ignore) };
  const ignore = context === undefined ? [] : await contextIgnore(context, progress, signal);
  return { name, text: found.text, ignore };
}

/** The `.dockerignore` of a folder: a context of another name has one, too. */
export async function contextIgnore(
  context: LocalSource,
  progress: Progress,
  signal: AbortSignal,
  label = '[internal] load .dockerignore',
): Promise<string[]> {
  return progress.task(label, async (task) => {
    const name = '.dockerignore';
    const text = (await readFiles(context, [name], signal)).get(name);
    task.status('transferring context:', text?.length ?? 0, 0, true);
    return text === undefined ? [] : rules(text);
  });
}

function rules(text: Buffer): string[] {
  return parseIgnoreFile(text.toString());
}

async function readFiles(
  source: LocalSource,
  paths: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Buffer>> {
  await using tree = await source.fetch({ followPaths: paths, excludes: [] }, signal);
  const files = new Map<string, Buffer>();
  for (const path of paths) {
    const text = readInside(tree.path, path, fileLimit);
    if (text !== undefined) files.set(path, text);
  }
  return files;
}
