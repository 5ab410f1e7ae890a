/** Where a build's context and its Dockerfile are: PATH | URL | - and --file, told apart as `docker buildx` does (docker/buildx, build/opt.go). */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { uploadUrl } from '../../buildkit/index.ts';
import { Fault } from '../../std/index.ts';
import { AdvisedFault } from '../advised-fault.ts';
import type { Input } from '../session.ts';
import { isArchive, sniffBytes } from './archive-head.ts';
import { isHttpUrl, isRemote } from './remote.ts';

export interface BuildPlace extends Disposable {
  /** Of dockerfile.v0: "filename", "context", "dockerfilekey". */
  readonly options: ReadonlyMap<string, string>;
  /** Folders to lend: "context" and "dockerfile". */
  readonly folders: ReadonlyMap<string, string>;
  readonly upload: AsyncIterable<Uint8Array> | undefined;
  /** The Dockerfile as the user named it, for messages; undefined when it is not a file of theirs. */
  readonly dockerfile: string | undefined;
}

/** @param file '' for the Dockerfile of the context. @throws Fault */
export async function findPlace(context: string, file: string, input: Input): Promise<BuildPlace> {
  const place = new Place();
  try {
    await fill(place, context, file, input);
    return place;
  } catch (error) {
    place[Symbol.dispose]();
    throw error;
  }
}

class Place implements BuildPlace {
  readonly options = new Map<string, string>();
  readonly folders = new Map<string, string>();
  readonly #temporary: string[] = [];
  upload: AsyncIterable<Uint8Array> | undefined;
  dockerfile: string | undefined;

  lendContext(folder: string): void {
    this.folders.set('context', resolve(folder));
  }

  /** @throws Fault not-found */
  lendDockerfile(folder: string, name: string): void {
    const found = existingName(folder, name);
    this.folders.set('dockerfile', resolve(folder));
    this.options.set('filename', found);
    this.dockerfile = join(folder, found);
  }

  /** A Dockerfile that came on standard input, in a folder of its own. */
  writeDockerfile(text: Uint8Array): void {
    const folder = this.emptyFolder();
    writeFileSync(join(folder, 'Dockerfile'), text);
    this.folders.set('dockerfile', folder);
    this.options.set('filename', 'Dockerfile').set('dockerfilekey', 'dockerfile');
  }

  emptyFolder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'wherry-build-'));
    this.#temporary.push(folder);
    return folder;
  }

  [Symbol.dispose](): void {
    for (const folder of this.#temporary.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}

async function fill(place: Place, context: string, file: string, input: Input): Promise<void> {
  if (isHttpUrl(file)) {
    throw new Fault(
      'not-implemented',
      `Cannot take the Dockerfile from ${file}: fetch it, and pipe it to 'wherry build -f - …'`,
    );
  }
  if (context === '-') return fillFromInput(place, file, input);
  if (isFolder(context)) {
    place.lendContext(context);
    if (file === '-') place.writeDockerfile(await all(input));
    else if (file === '') place.lendDockerfile(context, 'Dockerfile');
    else place.lendDockerfile(dirname(file), basename(file));
    return;
  }
  if (!isRemote(context)) throw noContext(context);
  place.options.set('context', context);
  if (file === '-') place.writeDockerfile(await all(input));
  else if (isAbsolute(file)) {
    place.lendDockerfile(dirname(file), basename(file));
    place.options.set('dockerfilekey', 'dockerfile');
  } else place.options.set('filename', file === '' ? 'Dockerfile' : file);
}

/** A tar, compressed or not, is the context; anything else is a Dockerfile without one. */
async function fillFromInput(place: Place, file: string, input: Input): Promise<void> {
  if (file === '-')
    throw new Fault('invalid', "invalid argument: can't use stdin for both build context and dockerfile");
  const { head, bytes } = await sniffBytes(input.read());
  if (head.length === 0) {
    throw new Fault(
      'invalid',
      "standard input is empty: pipe a Dockerfile or a tar of the context to 'wherry build -'",
    );
  }
  if (isArchive(head)) {
    place.upload = bytes;
    place.options.set('context', uploadUrl).set('filename', file === '' ? 'Dockerfile' : file);
    return;
  }
  if (file !== '') {
    throw new Fault('invalid', 'ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles');
  }
  place.lendContext(place.emptyFolder());
  place.writeDockerfile(await collect(bytes));
}

/** As much of a Dockerfile as anyone writes. */
const maxDockerfileBytes = 16 << 20;

function all(input: Input): Promise<Buffer> {
  return collect(input.read());
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of source) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxDockerfileBytes)
      throw new Fault('invalid', `the Dockerfile on standard input is over ${maxDockerfileBytes} bytes`);
  }
  return Buffer.concat(chunks);
}

function isFolder(path: string): boolean {
  return path !== '' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** The name as it is there: "dockerfile" will do for "Dockerfile". @throws Fault not-found */
function existingName(folder: string, name: string): string {
  const path = join(folder, name);
  if (existsSync(path)) return name;
  const names = isFolder(folder) ? readdirSync(folder) : [];
  if (name === 'Dockerfile' && names.includes('dockerfile')) return 'dockerfile';
  const other = names.find((each) => /^(dockerfile|containerfile)\b/i.test(each));
  throw new AdvisedFault(
    new Fault('not-found', `failed to read dockerfile: open ${path}: no such file or directory`),
    other === undefined
      ? "Name the Dockerfile with '-f FILE'; the path is one of here, not of the context."
      : `There is ${join(folder, other)}: name it with '-f ${join(folder, other)}'.`,
  );
}

function noContext(context: string): Fault {
  const failure = new Fault('not-found', `unable to prepare context: path ${JSON.stringify(context)} not found`);
  const isFile = context !== '' && existsSync(context);
  if (!isFile) return failure;
  const advice = /dockerfile|containerfile/i.test(basename(context))
    ? `${context} is a file: name the folder to build in, as in 'wherry build -f ${context} .'.`
    : `${context} is a file: name a folder, or pipe an archive, as in 'wherry build - < ${context}'.`;
  return new AdvisedFault(failure, advice);
}
