/** Sources from the network as folders of ours: what ADD of a URL or a repository brings, and contexts that are one. */
import type { BuildSecrets } from '../../api/index.ts';
import type { GitStep, HttpStep } from '../plan/step.ts';

/** Disposing lets the folder be deleted or used again. */
export interface FetchedFolder extends AsyncDisposable {
  /** Root-owned, and nothing in it is to be trusted: links may lead anywhere. Nobody writes to it. */
  readonly path: string;
  /** What it was resolved to: the file's digest (sha256:…), a commit (40 or 64 hex digits). The same again is the same files. */
  readonly resolved: string;
}

export interface Fetching {
  secrets: BuildSecrets;
  /** Bytes so far, and of how many (0: not known). */
  progress: (current: number, total: number) => void;
  /** What git says on its way. */
  output: (stream: 'stdout' | 'stderr', data: Uint8Array) => void;
}

/** A folder that is kept for the next build. */
export interface FetchedRecord {
  readonly id: string;
  /** `repository` is the bare copy of a remote, from which checkouts are made. */
  readonly kind: 'http' | 'checkout' | 'repository';
  /** In BuildKit's words, without credentials. */
  readonly description: string;
  /** Bytes on disk. */
  readonly size: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly usageCount: number;
  readonly inUse: boolean;
}

export interface Sources {
  /** A folder of one file, `step.filename`, mode 0600. @throws Fault invalid (checksum, status, too large), unavailable */
  http(
    step: Pick<HttpStep, 'url' | 'filename' | 'checksum'>,
    by: Fetching,
    signal: AbortSignal,
  ): Promise<FetchedFolder>;
  /** @throws Fault not-found (ref, subdirectory), invalid (checksum, ref), unavailable (no git, no answer) */
  git(
    step: Pick<GitStep, 'remote' | 'ref' | 'subdirectory' | 'keepGitDir' | 'checksum'>,
    by: Fetching,
    signal: AbortSignal,
  ): Promise<FetchedFolder>;
  /** All that is kept, in no order. */
  list(): FetchedRecord[];
  /** Deletes folders; those in use when they are given back. */
  forget(ids: Iterable<string>): Promise<void>;
}
