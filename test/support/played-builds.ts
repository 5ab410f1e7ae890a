/**
 * A builder that plays builds: it reads the Dockerfile through the client's door and tells of its lines what a builder would, doing none of
 * them. `RUN echo x` says x (`>&2` to stderr), `RUN exit 7` and `RUN false` fail, `RUN wait` waits to be cancelled, `RUN secret id` says
 * a secret; `FROM pulled` tells of a pull, `FROM nosuch` finds nothing. What was played once is cached.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  BuildEvent,
  BuildFailure,
  BuildRequest,
  BuildResult,
  BuildRun,
  Builds,
  FailedBuild,
  LocalTree,
} from '../../src/api/index.ts';
import { Channel, Fault, messageOf } from '../../src/std/index.ts';

export interface PlayedBuild {
  readonly request: BuildRequest;
  dockerfile: string;
  /** Of the context, by path; the small ones. */
  readonly files: Map<string, string>;
  aborted: boolean;
}

const words = new Set(['FROM', 'RUN', 'COPY', 'ADD', 'ENV', 'ARG', 'LABEL', 'CMD', 'USER', 'WORKDIR', 'ENTRYPOINT']);

export class PlayedBuilds implements Builds {
  readonly seen: PlayedBuild[] = [];
  readonly failures: FailedBuild[] = [];
  pruned: unknown;
  /** Builds under way. */
  running = 0;
  readonly #known = new Set<string>();

  run(request: BuildRequest, signal: AbortSignal): BuildRun {
    const events = new Channel<BuildEvent>();
    this.running++;
    const result = this.#play(request, events, signal).finally(() => {
      this.running--;
      events.close();
    });
    result.catch(() => {});
    return { events, result };
  }

  release(): void {}

  async failed(): Promise<FailedBuild[]> {
    return this.failures;
  }

  async debugImage(id: string | undefined): ReturnType<Builds['debugImage']> {
    const failed = this.failures.find((each) => id === undefined || each.id === id);
    if (failed === undefined) throw new Fault('not-found', `No such failed build: ${id}`);
    return { image: idOf(failed.step), failed };
  }

  async cache(): ReturnType<Builds['cache']> {
    const times = { createdAt: '2026-01-02T03:04:05.000000006Z', lastUsedAt: undefined };
    return [...this.#known].map((id, index) => ({
      ...times,
      id: id.slice(0, 25),
      type: 'regular',
      description: 'a step',
      size: 1000,
      usageCount: 1,
      inUse: false,
      shared: false,
      parents: index === 0 ? [] : ['parent'],
    }));
  }

  async prune(options: Parameters<Builds['prune']>[0]): ReturnType<Builds['prune']> {
    this.pruned = options;
    const deleted = (await this.cache()).map(({ id }) => id);
    this.#known.clear();
    return { deleted, reclaimed: deleted.length * 1000 };
  }

  async #play(request: BuildRequest, events: Channel<BuildEvent>, signal: AbortSignal): Promise<BuildResult> {
    const seen: PlayedBuild = { request, dockerfile: '', files: new Map(), aborted: false };
    this.seen.push(seen);
    signal.addEventListener('abort', () => (seen.aborted = true), { once: true });
    seen.dockerfile = await readDockerfile(request, signal);
    const context = await this.#context(request, seen, signal);
    try {
      return await new Play(request, events, seen, this.#known, this.failures).build(signal);
    } finally {
      await context?.[Symbol.asyncDispose]();
    }
  }

  async #context(request: BuildRequest, seen: PlayedBuild, signal: AbortSignal): Promise<LocalTree | undefined> {
    if (request.context === undefined || !('fetch' in request.context)) return undefined;
    const tree = await request.context.fetch({ followPaths: [], excludes: [] }, signal);
    for (const entry of readdirSync(tree.path, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) seen.files.set(path.slice(tree.path.length + 1), readFileSync(path, 'utf8').slice(0, 1000));
    }
    return tree;
  }
}

async function readDockerfile(request: BuildRequest, signal: AbortSignal): Promise<string> {
  if ('text' in request.dockerfile) return request.dockerfile.text;
  const { path, source } = request.dockerfile;
  if (source === undefined) return 'FROM scratch\n';
  await using tree = await source.fetch({ followPaths: [path], excludes: [] }, signal);
  const file = join(tree.path, path);
  if (!existsSync(file))
    throw new Fault('not-found', `failed to read dockerfile: open ${path}: no such file or directory`);
  return readFileSync(file, 'utf8');
}

class Play {
  readonly #request: BuildRequest;
  readonly #events: Channel<BuildEvent>;
  readonly #seen: PlayedBuild;
  readonly #known: Set<string>;
  readonly #failures: FailedBuild[];
  #chain = '';

  constructor(
    request: BuildRequest,
    events: Channel<BuildEvent>,
    seen: PlayedBuild,
    known: Set<string>,
    failures: FailedBuild[],
  ) {
    this.#request = request;
    this.#events = events;
    this.#seen = seen;
    this.#known = known;
    this.#failures = failures;
  }

  async build(signal: AbortSignal): Promise<BuildResult> {
    const lines = this.#lines();
    const [first] = lines;
    if (first?.text === 'FROM nosuch') {
      throw new Fault(
        'not-found',
        'failed to resolve source metadata for docker.io/library/nosuch:latest: pull access denied for nosuch, repository does not exist or may require "docker login"',
      );
    }
    if (first?.text === 'FROM pulled') this.#pull();
    const instructions = lines.map(({ text, vertex }) => ({ text, vertex }));
    this.#events.push({ kind: 'instructions', instructions });
    for (const line of lines) {
      this.#chain = idOf(`${this.#chain} ${line.text}`);
      if (line.vertex !== undefined) await this.#step(line.text, line.vertex, line.number, signal);
    }
    const declared = new Set(lines.flatMap(({ text }) => /^ARG (\w+)/.exec(text)?.[1] ?? []));
    const image = idOf(JSON.stringify([this.#chain, [...this.#request.labels]]));
    const unusedArgs = [...this.#request.buildArgs.keys()].filter((name) => !declared.has(name));
    return { image, manifest: undefined, unusedArgs, answer: undefined };
  }

  #lines(): { text: string; number: number; vertex: string | undefined }[] {
    return this.#seen.dockerfile.split('\n').flatMap((text, index) => {
      const word = text.split(' ')[0]!.toUpperCase();
      if (text.trim() === '' || text.startsWith('#')) return [];
      if (!words.has(word)) {
        throw this.#fault(`dockerfile parse error on line ${index + 1}: unknown instruction: ${word}`, index + 1);
      }
      const hasStep = /^(RUN|COPY|ADD|WORKDIR|FROM (?!scratch))/.test(text);
      return [{ text, number: index + 1, vertex: hasStep ? idOf(`vertex ${index}`) : undefined }];
    });
  }

  async #step(text: string, digest: string, line: number, signal: AbortSignal): Promise<void> {
    const started = new Date().toISOString();
    const tell = (more: { completed?: string; cached?: boolean; error?: string; result?: string }): void =>
      this.#events.push({
        kind: 'vertex',
        digest,
        name: text,
        inputs: [],
        cached: more.cached ?? false,
        started,
        completed: more.completed,
        error: more.error,
        source: rangeOf(line),
        result: more.result,
      });
    tell({});
    const completed = new Date().toISOString();
    const cached = this.#request.noCache !== true && this.#known.has(this.#chain);
    try {
      if (!cached) await this.#do(text, digest, line, signal);
    } catch (error) {
      tell({ completed, error: messageOf(error) });
      throw error;
    }
    this.#known.add(this.#chain);
    tell({ completed, cached, result: this.#chain });
  }

  async #do(text: string, vertex: string, line: number, signal: AbortSignal): Promise<void> {
    const say = (data: string, stream: 'stdout' | 'stderr' = 'stdout'): void =>
      this.#events.push({ kind: 'log', vertex, stream, data: Buffer.from(data), timestamp: new Date().toISOString() });
    const missing = /^COPY (\S+) /.exec(text)?.[1];
    if (missing !== undefined && missing !== '.' && !this.#has(missing)) {
      const message = `failed to compute cache key: failed to calculate checksum of ref: "/${missing}": not found`;
      throw this.#fault(message, line, { vertex });
    }
    const [, words = '', end] = /^RUN echo (.*?)( >&2)?$/.exec(text) ?? [];
    if (words !== '') say(`${words}\n`, end === undefined ? 'stdout' : 'stderr');
    const secret = /^RUN secret (\S+)/.exec(text)?.[1];
    if (secret !== undefined) {
      const value = await this.#request.secrets.secret(secret, signal);
      say(value === undefined ? `no ${secret}\n` : `${Buffer.from(value).toString()}\n`);
    }
    if (text === 'RUN wait') {
      say('waiting\n');
      const gone = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => gone.reject(signal.reason as Error), { once: true });
      signal.throwIfAborted();
      await gone.promise;
    }
    const code = text === 'RUN false' ? 1 : Number(/^RUN exit (\d+)/.exec(text)?.[1] ?? 0);
    if (code === 0) return;
    const message = `process "/bin/sh -c ${text.slice(4)}" did not complete successfully: exit code: ${code}`;
    const fault = this.#fault(message, line, { vertex, exitCode: code });
    const failure = fault.cause as BuildFailure;
    this.#failures.unshift({ id: this.#request.id, failedAt: new Date().toISOString(), step: text, failure });
    throw fault;
  }

  #has(name: string): boolean {
    return [...this.#seen.files.keys()].some((path) => path === name || path.startsWith(`${name}/`));
  }

  #fault(message: string, line: number, more: { vertex?: string; exitCode?: number } = {}): Fault {
    const cause: BuildFailure = {
      message,
      source: rangeOf(line),
      text: this.#seen.dockerfile,
      exitCode: more.exitCode,
      vertex: more.vertex,
    };
    return new Fault('invalid', message, { cause });
  }

  #pull(): void {
    const [now, vertex] = [new Date().toISOString(), idOf('metadata')];
    const name = '[internal] load metadata for docker.io/library/pulled:latest';
    const times = { started: now, completed: undefined };
    const step = { digest: vertex, name, inputs: [], cached: false, error: undefined, source: undefined };
    this.#events.push({ kind: 'vertex', ...step, ...times });
    for (const [id, current] of [
      ['downloading f7c8a1ccfffc', 10],
      ['pull complete f7c8a1ccfffc', 0],
    ] as const) {
      this.#events.push({
        kind: 'status',
        vertex,
        id,
        name: id,
        current,
        total: current * 2,
        timestamp: now,
        ...times,
      });
    }
    this.#events.push({ kind: 'vertex', ...step, started: now, completed: now });
  }
}

function rangeOf(line: number): BuildFailure['source'] {
  return { file: 'Dockerfile', start: { line, column: 1 }, end: { line, column: 100 } };
}

function idOf(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
