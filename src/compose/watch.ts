/**
 * `develop.watch`: files of the host are watched, and what changes is synced into containers, restarts them, runs a command in them,
 * or builds their image anew. Docker compose's rules (`pkg/compose/watch.go`).
 */
import { type FSWatcher, lstatSync, readdirSync, readFileSync, statSync, watch as watchPath } from 'node:fs';
import { basename, dirname, join, posix, relative } from 'node:path';
import { ignoreFileNames, parseIgnoreFile, PatternMatcher } from '../dockerfile/index.ts';
import { errorCode, Fault, messageOf } from '../std/index.ts';
import { packTar, type PackEntry } from '../client/index.ts';
import { Applier } from './apply/apply.ts';
import type { Context } from './apply/context.ts';
import { runHooks } from './apply/hooks.ts';
import { isOneOff, serviceOf, shortNameOf } from './names.ts';
import { type Container, listContainers } from './observe.ts';
import { planRestart } from './plan/down.ts';
import type { Project, Service, WatchRule } from './project.ts';

/** Changes that come this close after each other are one, in milliseconds. */
const quietMs = 500;

export interface WatchOptions {
  /** Builds services anew and puts their containers in place. */
  rebuild: (services: readonly string[]) => Promise<void>;
  /** False: rules that build are refused. */
  canBuild: boolean;
  say: (text: string) => void;
}

interface Rule extends WatchRule {
  service: Service;
  isWatched: (path: string) => boolean;
}

interface Change {
  host: string;
  /** In the container. */
  target: string;
}

/** Watches until the signal. @throws Fault invalid when there is nothing to watch, or a rule cannot be followed */
export async function watchProject(context: Context, options: WatchOptions): Promise<void> {
  const rules = rulesOf(context, options);
  for (const rule of rules) if (rule.initial_sync === true && isSync(rule)) await syncAll(context, rule);
  const watcher = new Watcher(rules.map(({ path }) => path));
  try {
    options.say('Watch enabled');
    for await (const batch of watcher.batches(context.signal)) {
      try {
        await handle(context, rules, batch, options);
      } catch (error) {
        if (context.signal.aborted) break;
        context.warn(`Error handling changed files: ${messageOf(error)}`);
      }
    }
  } finally {
    watcher.close();
  }
}

/** Whether any of the services has something to watch. */
export function hasWatch({ services }: Project): boolean {
  return Object.values(services).some(({ develop }) => (develop?.watch ?? []).length > 0);
}

function rulesOf({ project, warn }: Context, { canBuild }: WatchOptions): Rule[] {
  const rules = Object.values(project.services).flatMap((service) =>
    (service.develop?.watch ?? []).flatMap((rule): Rule[] => {
      if (rule.action === 'rebuild') {
        if (service.build === undefined)
          throw new Fault(
            'invalid',
            `can't watch service "${service.name}" with action rebuild without a build context`,
          );
        if (!canBuild)
          throw new Fault('invalid', `--no-build is incompatible with watch action rebuild in service ${service.name}`);
      }
      if (isSync(rule) && isBound(rule.path, service)) {
        warn(`path '${rule.path}' also declared by a bind mount volume, this path won't be monitored!`);
        return [];
      }
      return [{ ...rule, service, isWatched: matcherOf(rule, service) }];
    }),
  );
  if (rules.length > 0) return rules;
  throw new Fault(
    'invalid',
    "none of the selected services is configured for watch, consider setting a 'develop' section",
  );
}

function isSync({ action }: WatchRule): boolean {
  return action.startsWith('sync');
}

function isBound(path: string, { volumes = [] }: Service): boolean {
  return volumes.some(({ type, source }) => type === 'bind' && source !== undefined && isBelow(source, path));
}

function isBelow(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way === '' || !(way === '..' || way.startsWith('../'));
}

/** Files that editors leave for a moment. */
const ephemeral = [
  '**/.#*',
  '**/*~',
  '**/#*#',
  '**/.*.sw[a-p]',
  '**/.*.swx',
  '**/4913',
  '**/.idea',
  '**/.goutputstream-*',
  '**/*___jb_tmp___',
  '**/*___jb_old___',
];

/** What is included and not ignored: by the rule, by .dockerignore, by what editors and git leave. */
function matcherOf({ path, include = [], ignore = [] }: WatchRule, service: Service): (host: string) => boolean {
  const context = service.build?.context;
  const inContext = context?.startsWith('/') === true ? new PatternMatcher(dockerIgnore(service, context)) : undefined;
  const ignored = new PatternMatcher([...ignore, ...ephemeral, '**/.git']);
  const included = include.length === 0 ? undefined : new PatternMatcher(include);
  return (host) => {
    if (!isBelow(path, host)) return false;
    const way = relative(path, host) || basename(host);
    if (included !== undefined && !matches(included, way)) return false;
    if (matches(ignored, way)) return false;
    return inContext === undefined || !isBelow(context!, host) || !matches(inContext, relative(context!, host));
  };
}

/** A path is matched with the folders it is in. */
function matches(matcher: PatternMatcher, path: string): boolean {
  return path !== '' && matcher.matches(path);
}

function dockerIgnore({ build }: Service, context: string): string[] {
  const dockerfile = join(context, build?.dockerfile ?? 'Dockerfile');
  for (const name of ignoreFileNames(dockerfile)) {
    const path = name.startsWith('/') ? name : join(context, name);
    try {
      return parseIgnoreFile(readFileSync(path, 'utf8'));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error;
    }
  }
  return [];
}

async function handle(
  context: Context,
  rules: readonly Rule[],
  batch: ReadonlySet<string>,
  options: WatchOptions,
): Promise<void> {
  const rebuilt = new Set<string>();
  const restarted = new Set<string>();
  const synced = new Map<Service, Change[]>();
  const commands = new Set<Rule>();
  for (const host of batch)
    for (const rule of rules) {
      if (!rule.isWatched(host)) continue;
      if (rule.action === 'rebuild') rebuilt.add(rule.service.name);
      if (isSync(rule)) synced.set(rule.service, [...(synced.get(rule.service) ?? []), changeOf(rule, host)]);
      if (rule.action === 'restart' || rule.action === 'sync+restart') restarted.add(rule.service.name);
      if (rule.action === 'sync+exec') commands.add(rule);
    }
  const list = (names: ReadonlySet<string>): string => `[${[...names].map((name) => JSON.stringify(name)).join(' ')}]`;
  if (rebuilt.size > 0) {
    options.say(`Rebuilding service(s) ${list(rebuilt)} after changes were detected...`);
    await options.rebuild([...rebuilt]);
    options.say(`service(s) ${list(rebuilt)} successfully built`);
  }
  for (const [service, changes] of synced) {
    options.say(`Syncing service "${service.name}" after ${changes.length} changes were detected`);
    await sync(context, service, changes);
  }
  if (restarted.size > 0) {
    await restart(context, [...restarted]);
    options.say(`service(s) ${list(restarted)} restarted`);
  }
  for (const rule of commands) await runCommand(context, rule, options);
}

function changeOf({ path, target }: Rule, host: string): Change {
  const way = relative(path, host);
  return { host, target: way === '' ? target! : posix.join(target!, way) };
}

async function containersOf({ client, project }: Context, service: Service): Promise<Container[]> {
  const all = await listContainers(client, project.name, [service.name]);
  return all.filter((each) => !isOneOff(each) && serviceOf(each) === service.name);
}

/** What is gone on the host goes in the container, the rest is copied. */
async function sync(context: Context, service: Service, changes: readonly Change[]): Promise<void> {
  const entries = changes.map((change) => ({ change, entry: entryOf(change) }));
  const gone = entries.filter(({ entry }) => entry === undefined).map(({ change }) => change.target);
  const copied = entries.flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
  for (const container of await containersOf(context, service)) {
    if (gone.length > 0 && container.State === 'running') await remove(context, container, gone);
    if (copied.length > 0) await context.client.containers.putArchive(container.Id, { path: '/' }, packTar(copied));
  }
}

async function remove({ client }: Context, { Id }: Container, paths: readonly string[]): Promise<void> {
  const { Id: exec } = await client.execs.create(Id, { Cmd: ['rm', '-rf', ...paths], AttachStderr: true });
  const stream = await client.execs.start(exec, { Detach: false, Tty: false });
  stream.endInput();
  for await (const _ of stream.output);
}

/** Undefined for one that is gone, or is nothing that can be copied. */
function entryOf({ host, target }: Change): PackEntry | undefined {
  const stats = lstatSync(host, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const common = {
    path: target.replace(/^\//, ''),
    mode: stats.mode & 0o7777,
    mtime: Math.trunc(stats.mtimeMs / 1000),
  };
  if (stats.isDirectory()) return { ...common, type: 'directory' };
  if (!stats.isFile()) return undefined;
  try {
    const body = readFileSync(host);
    return { ...common, type: 'file', size: body.length, body };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Files that are younger than the image, once, before anything changes. */
async function syncAll(context: Context, rule: Rule): Promise<void> {
  const [container] = await containersOf(context, rule.service);
  if (container === undefined) return;
  const image = await context.client.images.inspect(container.ImageID);
  const made = Date.parse(image.Created) || 0;
  const files = filesBelow(rule.path).filter((path) => rule.isWatched(path) && statSync(path).mtimeMs >= made);
  if (files.length > 0)
    await sync(
      context,
      rule.service,
      files.map((host) => changeOf(rule, host)),
    );
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

async function restart(context: Context, services: readonly string[]): Promise<void> {
  const containers = (await listContainers(context.client, context.project.name)).filter((each) => !isOneOff(each));
  const steps = planRestart({ project: context.project, containers, services, timeout: undefined, dependents: true });
  await new Applier(context, { images: new Map(), containers, timeout: undefined }).run(steps);
}

async function runCommand(context: Context, { service, exec }: Rule, { say }: WatchOptions): Promise<void> {
  if (exec === undefined) return;
  for (const container of await containersOf(context, service)) {
    if (container.State !== 'running') continue;
    const place = { id: container.Id, name: shortNameOf(container) };
    await runHooks({ ...context, hookOutput: (_, line) => say(line) }, service, [exec], place);
  }
}

/** Paths that changed, gathered until nothing changes for a moment. */
class Watcher {
  readonly #watchers: FSWatcher[];
  readonly #changed = new Set<string>();
  #wake = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(paths: readonly string[]) {
    this.#watchers = [...new Set(paths)].map((path) => this.#watch(path));
  }

  #watch(path: string): FSWatcher {
    const isFolder = statSync(path).isDirectory();
    // A file is watched through its folder: editors put another file in its place.
    const folder = isFolder ? path : dirname(path);
    const watcher = watchPath(folder, { recursive: isFolder }, (_, name) => {
      if (name === null || (!isFolder && name !== basename(path))) return;
      this.#changed.add(join(folder, name));
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#wake.resolve(), quietMs);
    });
    watcher.on('error', () => {});
    return watcher;
  }

  async *batches(signal: AbortSignal): AsyncGenerator<ReadonlySet<string>> {
    const stop = (): void => this.#wake.resolve();
    signal.addEventListener('abort', stop, { once: true });
    while (!signal.aborted) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      if (signal.aborted) return;
      const batch = new Set(this.#changed);
      this.#changed.clear();
      if (batch.size > 0) yield batch;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }
}
