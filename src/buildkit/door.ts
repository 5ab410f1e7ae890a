/** BuildKit's wire on two hijacked connections: sessions, which clients lend, and the Control API, which they call. */
import type { Duplex } from 'node:stream';
import { mkdirSync, rmSync } from 'node:fs';
import type { Builds } from '../api/index.ts';
import { bridgeMethods } from './control/bridge.ts';
import { controlMethods, type Surroundings, type WorkerFacts } from './control/control.ts';
import { Jobs } from './control/jobs.ts';
import { type BuildLine, sessionBuild } from './control/session-build.ts';
import { BuildHistory } from './history/history.ts';
import { serveGrpc } from './grpc/server.ts';
import type { Methods } from './grpc/service.ts';
import { LocalTrees } from './session/local-trees.ts';
import type { TreeVerbs } from './session/receive-tree.ts';
import { Sessions } from './session/sessions.ts';

export interface BuildkitOptions {
  builds: Builds;
  worker: WorkerFacts;
  /** Two folders of ours; what an earlier process left in them is thrown away. Clients' trees are on the disk of the builds. */
  folder: string;
  /** What was built, which outlasts the process. */
  historyFolder: string;
  /** For sockets: their names are short (unix(7)). */
  socketFolder: string;
  verbs: TreeVerbs;
  /** Of the disk that the build cache is on. */
  freeBytes: () => number;
}

/** The head that answers an upgrade to h2c before the connection is handed over, without the empty line that ends it. */
export const h2cHead = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n';

export class Buildkit implements AsyncDisposable {
  readonly sessions: Sessions;
  readonly #trees: LocalTrees;
  readonly #around: Surroundings;
  readonly #methods: Methods;

  constructor({ builds, worker, folder, socketFolder, historyFolder, verbs, freeBytes }: BuildkitOptions) {
    for (const each of [folder, socketFolder]) {
      rmSync(each, { recursive: true, force: true });
      mkdirSync(each, { recursive: true, mode: 0o700 });
    }
    this.#trees = new LocalTrees(folder, verbs);
    this.sessions = new Sessions({ trees: this.#trees, socketFolder });
    const history = new BuildHistory(historyFolder);
    this.#around = { builds, sessions: this.sessions, jobs: new Jobs(), history, worker, freeBytes };
    this.#methods = new Map([...controlMethods(this.#around), ...bridgeMethods(this.#around)]);
  }

  /** `POST /session`: call what it returns with the connection, after `h2cHead`. @throws Fault invalid */
  session(header: (name: string) => string | undefined): (connection: Duplex) => Promise<void> {
    return this.sessions.accept(header);
  }

  /** `POST /grpc`, after `h2cHead`: serves until the client closes. */
  async grpc(connection: Duplex): Promise<void> {
    await serveGrpc(connection, this.#methods);
  }

  /** `POST /build?version=2`: the lines of its answer. @throws Fault before the first line */
  build(query: URLSearchParams, signal: AbortSignal): AsyncIterable<BuildLine> {
    return sessionBuild(this.#around, query, signal);
  }

  /** Deletes the copies of clients' directories that no build uses: the next one transfers all of it. */
  async forgetTrees(): Promise<void> {
    await this.#trees.forget();
  }

  /** As `docker builder prune` does beside the cache: the history of builds that came to no end goes, with `all` that of all. */
  pruneHistory(options: { all: boolean }): void {
    this.#around.history.prune(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#trees[Symbol.asyncDispose]();
  }
}
