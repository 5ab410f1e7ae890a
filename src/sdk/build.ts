/** Builds over BuildKit's wire, on Wherry and on Docker alike, told step by step. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, basename, join, resolve } from 'node:path';
import {
  askBuild,
  type BuildAsk,
  type Connect,
  type Loans,
  type SecretSource,
  SolveFault,
  type SolveStatus,
  uploadUrl,
} from '../buildkit/index.ts';
import { ApiFault } from '../client/index.ts';
import { credentialsFor } from '../context/index.ts';
import { Channel, Fault } from '../std/index.ts';
import type { Daemon } from './daemon.ts';

export interface BuildOptions {
  /** The path of one, or its text; without it the context's own. */
  dockerfile?: string | { text: string };
  tags?: readonly string[];
  target?: string;
  args?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
  /** "linux/arm64". */
  platform?: string;
  /** For `RUN --mount=type=secret`. */
  secrets?: Readonly<Record<string, { file: string } | { value: string }>>;
  noCache?: boolean;
  /** Asks registries for newer base images. */
  pull?: boolean;
  network?: 'default' | 'host' | 'none';
  signal?: AbortSignal;
}

export type BuildStep =
  | { kind: 'step'; name: string; state: 'started' | 'cached' | 'done' | 'failed' }
  /** What a step printed. */
  | { kind: 'output'; name: string; stream: 'stdout' | 'stderr'; text: string }
  /** Bytes; `total` is 0 where it is not known. */
  | { kind: 'transfer'; name: string; current: number; total: number }
  | { kind: 'warning'; text: string };

export interface Built {
  /** Of the image. */
  id: string;
  tags: readonly string[];
}

export async function* buildImage(
  { client, user }: Daemon,
  context: string | AsyncIterable<Uint8Array>,
  options: BuildOptions,
): AsyncGenerator<BuildStep, Built, void> {
  using place = new Place(context, options.dockerfile);
  const ask = askOf(place, options);
  const loans: Loans = {
    folders: place.folders,
    secrets: new Map(Object.entries<SecretSource>(options.secrets ?? {})),
    agents: new Map(),
    credentials: (host) => credentialsFor(user, host === 'registry-1.docker.io' ? 'docker.io' : host),
    upload: place.upload,
    outputs: [undefined],
    stores: new Map(),
  };
  const connect: Connect = (door, headers) => client.caller.upgrade(door, 'h2c', headers);
  const cancel = new AbortController();
  const signal = options.signal === undefined ? cancel.signal : AbortSignal.any([options.signal, cancel.signal]);
  const steps = new Channel<BuildStep>();
  const teller = new Teller(steps);
  const answer = askBuild(connect, ask, loans, { onStatus: (status) => teller.tell(status), signal });
  answer.then(
    () => steps.close(),
    () => steps.close(),
  );
  try {
    yield* steps;
    const { exported } = await answer;
    const id = exported.get('containerimage.config.digest') ?? exported.get('containerimage.digest') ?? '';
    return { id, tags: options.tags ?? [] };
  } catch (error) {
    options.signal?.throwIfAborted();
    throw explained(error, teller.tail);
  } finally {
    // Left early, or over: then nothing is to be cancelled.
    cancel.abort();
    await answer.catch(() => {});
  }
}

function askOf(place: Place, options: BuildOptions): BuildAsk {
  const all = new Map(place.options);
  if (options.target !== undefined) all.set('target', options.target);
  if (options.platform !== undefined) all.set('platform', options.platform);
  if (options.noCache === true) all.set('no-cache', '');
  if (options.network !== undefined && options.network !== 'default') all.set('force-network-mode', options.network);
  all.set('image-resolve-mode', options.pull === true ? 'pull' : 'local');
  for (const [name, value] of Object.entries(options.args ?? {})) all.set(`build-arg:${name}`, value);
  for (const [name, value] of Object.entries(options.labels ?? {})) all.set(`label:${name}`, value);
  const { tags = [] } = options;
  const attributes = new Map(tags.length === 0 ? [] : [['name', tags.join(',')]]);
  return {
    options: all,
    exporters: [{ type: 'moby', attributes }],
    cacheImports: [],
    cacheExports: [],
    entitlements: options.network === 'host' ? ['network.host'] : [],
    // The daemon keeps a copy of what is lent by this key: one for this folder of this machine.
    sharedKey: place.folder === undefined ? '' : encodeURIComponent(`${hostname()}:${place.folder}`),
  };
}

/** Where context and Dockerfile are. A Dockerfile that is given as text gets a folder of its own until the build is over. */
class Place implements Disposable {
  readonly folders = new Map<string, string>();
  readonly options = new Map<string, string>();
  readonly folder: string | undefined;
  readonly upload: AsyncIterable<Uint8Array> | undefined;
  #temporary: string | undefined;

  constructor(context: string | AsyncIterable<Uint8Array>, dockerfile: BuildOptions['dockerfile']) {
    if (typeof context === 'string') {
      if (statSync(context, { throwIfNoEntry: false })?.isDirectory() !== true)
        throw new Fault('not-found', `Cannot build in ${context}: it is no folder`);
      this.folder = resolve(context);
      this.folders.set('context', this.folder);
    } else {
      this.upload = context;
      this.options.set('context', uploadUrl);
    }
    this.#lendDockerfile(dockerfile);
  }

  #lendDockerfile(dockerfile: BuildOptions['dockerfile']): void {
    if (typeof dockerfile === 'object') {
      this.#temporary = mkdtempSync(join(tmpdir(), 'wherry-build-'));
      writeFileSync(join(this.#temporary, 'Dockerfile'), dockerfile.text);
      this.folders.set('dockerfile', this.#temporary);
      this.options.set('filename', 'Dockerfile').set('dockerfilekey', 'dockerfile');
    } else if (this.folder === undefined) this.options.set('filename', dockerfile ?? 'Dockerfile');
    else {
      const path = dockerfile === undefined ? join(this.folder, 'Dockerfile') : resolve(dockerfile);
      if (statSync(path, { throwIfNoEntry: false }) === undefined)
        throw new Fault('not-found', `Cannot build: there is no ${path}; name the Dockerfile with { dockerfile }`);
      this.folders.set('dockerfile', dirname(path));
      this.options.set('filename', basename(path));
    }
  }

  [Symbol.dispose](): void {
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true });
  }
}

const tailLines = 20;

/** Reports to steps: each change once. */
class Teller {
  readonly #steps: Channel<BuildStep>;
  readonly #names = new Map<string, string>();
  readonly #told = new Map<string, string>();
  /** What steps printed last. */
  readonly tail: string[] = [];

  constructor(steps: Channel<BuildStep>) {
    this.#steps = steps;
  }

  tell({ vertexes, statuses, logs, warnings }: SolveStatus): void {
    for (const { digest, name, cached, started, completed, error } of vertexes) {
      this.#names.set(digest, name);
      if (started === undefined && !cached) continue;
      const state = error !== '' ? 'failed' : cached ? 'cached' : completed === undefined ? 'started' : 'done';
      if (this.#told.get(digest) === state) continue;
      this.#told.set(digest, state);
      this.#steps.push({ kind: 'step', name, state });
    }
    for (const { id, current, total } of statuses)
      if (current > 0 || total > 0) this.#steps.push({ kind: 'transfer', name: id, current, total });
    for (const { vertex, stream, data } of logs) {
      const text = Buffer.from(data).toString('utf8');
      this.tail.push(...text.trimEnd().split('\n'));
      this.tail.splice(0, this.tail.length - tailLines);
      const name = this.#names.get(vertex) ?? '';
      this.#steps.push({ kind: 'output', name, stream: stream === 2 ? 'stderr' : 'stdout', text });
    }
    for (const { short } of warnings) this.#steps.push({ kind: 'warning', text: short });
  }
}

/** With the place in the Dockerfile and what was printed last. */
function explained(error: unknown, tail: readonly string[]): unknown {
  if (error instanceof ApiFault && error.status === 404 && error.message === 'page not found')
    return new Fault('not-implemented', 'Cannot build: this daemon has no BuildKit; use Wherry, or Docker 23 or later');
  if (!(error instanceof SolveFault)) return error;
  const places = error.sources.flatMap(({ source, ranges }) =>
    ranges.map(({ start }) => `\n  ${source.filename}:${start.line}: ${source.text.split('\n')[start.line - 1] ?? ''}`),
  );
  const said = tail.length === 0 ? '' : `\nIt last said:\n${tail.map((line) => `  ${line}`).join('\n')}`;
  return new Fault(error.kind, `Cannot build: ${error.message}${places.join('')}${said}`, { cause: error });
}
