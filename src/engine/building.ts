/** What clients bring to a build, and the wire that BuildKit's clients bring it over. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Builds, Bytes, LocalSource } from '../api/index.ts';
import { isRunnable, PostedContext } from '../build/index.ts';
import { Buildkit, type WorkerFacts } from '../buildkit/index.ts';
import { diskUsage, spreadDirectories } from '../linux/index.ts';
import { formatPlatform, hostPlatform, parsePlatform } from '../oci/index.ts';
import { freeSpace, randomId } from '../std/index.ts';
import type { Events } from './events.ts';
import { treeVerbs } from './tree-verbs.ts';

/** BuildKit's version whose features there are here: clients decide by it. */
const buildkitVersion = 'v0.20.0';

export interface Building extends AsyncDisposable {
  readonly buildkit: Buildkit;
  /** Of the disk that the build cache is on. */
  readonly freeBytes: () => number;
  /** Deletes the copies of clients' directories that no build uses, and history with them. Returns the bytes that came free. */
  readonly freeTrees: (options: { all: boolean }) => Promise<number>;
  /** A tar that a client posts, plain or compressed, as the classic builder has it. Disposed by its build. */
  readonly posted: (tar: Bytes, signal: AbortSignal) => LocalSource & AsyncDisposable;
}

export interface BuildingOptions {
  builds: Builds;
  dataRoot: string;
  execRoot: string;
  /** The engine's. */
  id: string;
  hostGateway: string | undefined;
}

/** The same builds, whose prunes are told (moby, api/server/backend/build), and free what builds were sent, too, unless only some is to go. */
export function tellPrunes(builds: Builds, emit: Events['emit'], freeTrees: Building['freeTrees']): Builds {
  return {
    run: (request, signal) => builds.run(request, signal),
    release: (id) => builds.release(id),
    failed: () => builds.failed(),
    debugImage: (id) => builds.debugImage(id),
    cache: () => builds.cache(),
    prune: async (options) => {
      const { deleted, reclaimed } = await builds.prune(options);
      const isAll = options.keepBytes === undefined && options.filters.size === 0;
      const pruned = { deleted, reclaimed: reclaimed + (isAll ? await freeTrees({ all: options.all }) : 0) };
      const Attributes = { reclaimed: String(pruned.reclaimed) };
      emit({ Type: 'builder', Action: 'prune', Actor: { ID: '', Attributes } });
      return pruned;
    },
  };
}

export function openBuilding({ builds, dataRoot, execRoot, id, hostGateway }: BuildingOptions): Building {
  const posted = join(dataRoot, 'buildkit', 'posted');
  rmSync(posted, { recursive: true, force: true });
  mkdirSync(posted, { recursive: true, mode: 0o700 });
  const worker: WorkerFacts = { id, version: buildkitVersion, platforms: runnablePlatforms(), hostGateway };
  const freeBytes = (): number => freeSpace(dataRoot).available;
  const trees = join(dataRoot, 'buildkit', 'trees');
  const buildkit = new Buildkit({
    builds,
    worker,
    folder: trees,
    socketFolder: join(execRoot, 'buildkit'),
    historyFolder: join(dataRoot, 'buildkit', 'history'),
    verbs: treeVerbs,
    freeBytes,
  });
  // Contexts come and go, whole trees at a time.
  for (const folder of [posted, trees]) spreadDirectories(folder);
  return {
    buildkit,
    freeBytes,
    freeTrees: async (which) => {
      const own = join(dataRoot, 'buildkit');
      const before = await diskUsage(own);
      await buildkit.forgetTrees();
      buildkit.pruneHistory(which);
      return Math.max(0, before - (await diskUsage(own)));
    },
    posted: (tar, signal) =>
      Object.assign(new PostedContext({ tar, folder: join(posted, randomId()), signal }), {
        ignores: 'own-files' as const,
      }),
    [Symbol.asyncDispose]: () => buildkit[Symbol.asyncDispose](),
  };
}

const known = ['amd64', '386', 'arm64', 'arm/v7', 'arm/v6', 'ppc64le', 's390x', 'riscv64', 'loong64'];

/** Those whose programs this machine runs; its own is the first. */
function runnablePlatforms(): WorkerFacts['platforms'] {
  const own = hostPlatform();
  const others = known.map((name) => parsePlatform(`linux/${name}`));
  const foreign = others.filter((each) => formatPlatform(each) !== formatPlatform(own) && isRunnable(each));
  return [own, ...foreign].map(({ os, architecture, variant = '' }) => ({ os, architecture, variant }));
}
