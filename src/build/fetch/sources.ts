/** The sources of all builds, and what is kept of them. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger, Nanos } from '../../std/index.ts';
import type { Sources } from './door.ts';
import { FetchedFolders } from './fetched-folders.ts';
import { GitProgram } from './git-program.ts';
import { GitSource } from './git-source.ts';
import { type FetchLimits, type HttpClient, HttpSource } from './http-source.ts';

export interface SourcesOptions {
  /** A folder of ours under the data root. */
  root: string;
  http: HttpClient;
  /** The daemon's environment: PATH and proxies, for git. */
  env: NodeJS.ProcessEnv;
  log: Logger;
  now: () => Nanos;
  limits?: FetchLimits;
  /** For tests: repositories that are folders. */
  allowFiles?: boolean;
}

const largest: FetchLimits = { bytes: 64 * 2 ** 30, milliseconds: 6 * 3_600_000 };
const safeProtocols = ['https', 'http', 'ssh', 'git'];

/** Deletes what a killed daemon left half done. */
export async function openSources(options: SourcesOptions): Promise<Sources> {
  const { root, http: client, env, log, now, limits = largest, allowFiles = false } = options;
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const folders = await FetchedFolders.open({ root, log, now });
  const { milliseconds } = limits;
  const program = new GitProgram({ env, root, milliseconds, knownHosts: join(root, 'known_hosts') });
  const http = new HttpSource({ root, folders, client, limits });
  const git = new GitSource({ folders, program, protocols: allowFiles ? [...safeProtocols, 'file'] : safeProtocols });
  return {
    http: (step, by, signal) => http.fetch(step, by, signal),
    git: (step, by, signal) => git.fetch(step, by, signal),
    list: () => folders.list(),
    forget: (ids) => folders.forget(ids),
  };
}
