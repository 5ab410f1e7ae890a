/** Makes base images from what the host can install: a Debian root, and Dockerfiles of `stacks/base` on it. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { BaseImage, BaseImages, BuildEvent, BuildRequest, Builds, ProgressMessage } from '../api/index.ts';
import { type ImageStore, progressStream } from '../image/index.ts';
import { Channel, Fault, faultKind, KeyedMutex, messageOf } from '../std/index.ts';
import { catalogue, type Host, makeableName, type Recipe, recipeFor } from './catalog.ts';
import { debianPackage, debianRoot, npmPackage, type Tell } from './ingredients.ts';

/** Tell how an image was made; those built on it have them, too, as they have all labels of their base. */
export const labels = {
  recipe: 'org.wherry.bootstrap',
  made: 'org.wherry.bootstrap.made',
  from: 'org.wherry.bootstrap.from',
} as const;

const longestMs = 15 * 60_000;
const tellEveryMs = 200;

export interface BootstrapOptions {
  /** A folder of its own in the data root: emptied at the start. */
  root: string;
  images: Pick<ImageStore, 'resolve' | 'import' | 'tag' | 'inspect'>;
  builds: Pick<Builds, 'run'>;
  host: Host;
  now: () => Date;
}

export class Bootstrap implements BaseImages {
  readonly #options: BootstrapOptions;
  readonly #making = new KeyedMutex();

  constructor(options: BootstrapOptions) {
    this.#options = options;
    // What a killed daemon was about to make.
    rmSync(options.root, { recursive: true, force: true });
  }

  /** The short form of a name that can be made here. */
  nameFor(given: string): string | undefined {
    return makeableName(given, this.#options.host);
  }

  async list(): Promise<BaseImage[]> {
    return Promise.all(
      catalogue(this.#options.host).map(async ({ recipe, names }) => {
        const here = await this.#find(recipe.name);
        const { Config } = here === undefined ? { Config: undefined } : await this.#options.images.inspect(here, {});
        const isOurs = Config?.Labels?.[labels.recipe] === recipe.name;
        const base = 'base' in recipe ? recipe.base : undefined;
        return { name: recipe.name, names, base, here, made: isOurs ? Config?.Labels?.[labels.made] : undefined };
      }),
    );
  }

  async make(
    names: readonly string[],
    { refresh }: { refresh: boolean },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>> {
    const wanted = names.map((name) => recipeFor(name, this.#options.host));
    const output = new Channel<ProgressMessage>();
    const limited = AbortSignal.any([signal, AbortSignal.timeout(longestMs)]);
    return progressStream(output, (inner) => this.#makeAll(wanted, { refresh, output }, inner), limited);
  }

  async #makeAll(
    wanted: readonly { recipe: Recipe; name: string }[],
    { refresh, output }: { refresh: boolean; output: Channel<ProgressMessage> },
    signal: AbortSignal,
  ): Promise<void> {
    const fresh = new Set<string>();
    for (const { recipe, name } of wanted) {
      await this.#ensure(recipe, { name, isAsked: true, refresh, fresh, output }, signal);
      output.push({ status: `Status: ${name} is here` });
    }
  }

  /** `fresh`: what this call has made already. */
  async #ensure(
    recipe: Recipe,
    how: { name: string; isAsked: boolean; refresh: boolean; fresh: Set<string>; output: Channel<ProgressMessage> },
    signal: AbortSignal,
  ): Promise<void> {
    const { name, isAsked, refresh, fresh, output } = how;
    if ('base' in recipe) {
      const base = recipeFor(recipe.base, this.#options.host).recipe;
      await this.#ensure(base, { ...how, name: recipe.base, isAsked: false }, signal);
    }
    await this.#making.run(recipe.name, async () => {
      const here = refresh && !fresh.has(recipe.name) ? undefined : await this.#find(recipe.name);
      if (here === undefined) {
        const started = performance.now();
        await this.#cook(recipe, output, signal);
        fresh.add(recipe.name);
        output.push({
          id: recipe.name,
          status: `Made in ${((performance.now() - started) / 1000).toFixed(1)}s`,
          progressDetail: {},
        });
      } else if (isAsked) output.push({ id: recipe.name, status: 'Already here', progressDetail: {} });
      // Another name of the same image; one that somebody gave to another image stays theirs, unless it is to be made anew.
      if (name !== recipe.name && (refresh || (await this.#find(name)) === undefined)) {
        const [repo, tag] = name.split(':') as [string, string];
        await this.#options.images.tag(recipe.name, { repo, tag });
      }
    });
  }

  async #find(name: string): Promise<string | undefined> {
    try {
      return (await this.#options.images.resolve(name)).id;
    } catch (error) {
      if (faultKind(error) === 'not-found') return undefined;
      throw error;
    }
  }

  async #cook(recipe: Recipe, output: Channel<ProgressMessage>, signal: AbortSignal): Promise<void> {
    const { root } = this.#options;
    let last = -Infinity;
    const started = performance.now();
    const tell: Tell = (text) => {
      const now = performance.now();
      if (now - last < tellEveryMs) return;
      last = now;
      const current = Math.ceil((now - started) / 1000);
      output.push({ id: recipe.name, status: text.slice(0, 80), progressDetail: { current, units: 's' } });
    };
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const folder = mkdtempSync(join(root, 'make-'));
    try {
      output.push({ id: recipe.name, status: 'Making', progressDetail: {} });
      if (recipe.kind === 'debian') await this.#importDebian(recipe, { folder, tell }, signal);
      else await this.#build(recipe, { folder, tell }, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new Fault(faultKind(error), `Cannot make ${recipe.name}: ${messageOf(error)}`, { cause: error });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async #importDebian(
    recipe: Extract<Recipe, { kind: 'debian' }>,
    { folder, tell }: { folder: string; tell: Tell },
    signal: AbortSignal,
  ): Promise<void> {
    const [repo, tag] = recipe.name.split(':') as [string, string];
    const changes = Object.entries(this.#labels(recipe)).map(([key, value]) => `LABEL ${key}=${JSON.stringify(value)}`);
    const messages = await this.#options.images.import(
      {
        source: '-',
        body: debianRoot(recipe, { folder, tell }, signal),
        repo,
        tag,
        message: `made by wherry image bootstrap of ${recipe.suite}'s packages`,
        changes: ['CMD ["bash"]', ...changes],
        platform: undefined,
      },
      signal,
    );
    for await (const _ of messages) continue;
  }

  async #build(
    recipe: Exclude<Recipe, { kind: 'debian' }>,
    { folder, tell }: { folder: string; tell: Tell },
    signal: AbortSignal,
  ): Promise<void> {
    const context = join(folder, 'context');
    cpSync(join(recipesFolder(), recipe.kind), context, { recursive: true });
    const args = await ingredients(
      recipe,
      { architecture: this.#options.host.architecture, folder, context, tell },
      signal,
    );
    const run = this.#options.builds.run(
      buildRequest({ recipe, context, args: new Map(args), labels: new Map(Object.entries(this.#labels(recipe))) }),
      signal,
    );
    run.result.catch(() => {});
    for await (const event of run.events) {
      const text = told(event);
      if (text !== undefined) tell(text);
    }
    await run.result;
  }

  #labels(recipe: Recipe): Record<string, string> {
    const from = {
      debian: "packages of Debian, from this machine's own sources",
      busybox: "Debian's busybox-static, from this machine's own sources",
      node: "npm's node-linux packages and npm, from this machine's own registry",
      postgres: "packages of Debian, from this machine's own sources",
    }[recipe.kind];
    return { [labels.recipe]: recipe.name, [labels.made]: this.#options.now().toISOString(), [labels.from]: from };
  }
}

/** Brings what the recipe's Dockerfile copies, and says what its arguments are. */
async function ingredients(
  recipe: Exclude<Recipe, { kind: 'debian' }>,
  { architecture, folder, context, tell }: { architecture: string; folder: string; context: string; tell: Tell },
  signal: AbortSignal,
): Promise<[string, string][]> {
  if (recipe.kind === 'busybox') {
    const to = join(folder, 'unpacked');
    await debianPackage('busybox-static', { folder, to, tell }, signal);
    const binary = ['bin/busybox', 'usr/bin/busybox'].map((path) => join(to, path)).find((path) => existsSync(path));
    if (binary === undefined) throw new Fault('internal', 'busybox-static has no busybox');
    renameSync(binary, join(context, 'busybox'));
    return [];
  }
  if (recipe.kind === 'postgres')
    return [
      ['BASE', recipe.base],
      ['PG_MAJOR', String(recipe.major)],
    ];
  const node = `node-linux-${architecture}@${recipe.major}`;
  const version = await npmPackage(node, { folder, to: join(context, 'node'), tell }, signal);
  await npmPackage(`npm@${recipe.npm}`, { folder, to: join(context, 'npm'), tell }, signal);
  return [
    ['BASE', recipe.base],
    ['NODE_VERSION', version],
  ];
}

function told(event: BuildEvent): string | undefined {
  if (event.kind === 'vertex')
    return event.completed === undefined && event.started !== undefined ? event.name : undefined;
  if (event.kind !== 'log') return undefined;
  return Buffer.from(event.data)
    .toString('utf8')
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line !== '');
}

function buildRequest({
  recipe,
  context,
  args,
  labels,
}: {
  recipe: Recipe;
  context: string;
  args: ReadonlyMap<string, string>;
  labels: ReadonlyMap<string, string>;
}): BuildRequest {
  return {
    id: `bootstrap-${recipe.name}`,
    context: {
      ignores: 'none',
      fetch: async () => ({ path: context, transferred: 0, [Symbol.asyncDispose]: () => Promise.resolve() }),
    },
    dockerfile: { path: 'Dockerfile', source: undefined },
    namedContexts: new Map(),
    target: undefined,
    buildArgs: args,
    labels,
    annotations: new Map(),
    platform: undefined,
    noCache: true,
    pull: false,
    cacheFrom: [],
    cacheTo: [],
    network: 'default',
    extraHosts: [],
    limits: {
      memory: 0,
      memorySwap: 0,
      cpuShares: 0,
      cpuPeriod: 0,
      cpuQuota: 0,
      cpusetCpus: '',
      cpusetMems: '',
      shmSize: 0,
      ulimits: [],
      cgroupParent: '',
    },
    allowInsecure: false,
    secrets: {
      secret: async () => undefined,
      agent: () => Promise.reject(new Fault('not-found', 'no agent')),
      credentials: async () => undefined,
    },
    outputs: [{ type: 'image', names: [recipe.name], push: false, attributes: {}, write: undefined }],
    call: 'build',
  };
}

/** `stacks/base` of this package, from the sources or from the bundle. */
function recipesFolder(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const found = join(folder, 'stacks/base');
    if (existsSync(found)) return found;
    if (folder === dirname(folder))
      throw new Fault('internal', 'stacks/base is missing from this installation of wherry');
  }
}
