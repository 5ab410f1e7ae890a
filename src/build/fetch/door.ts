/** Sources from the network as folders of ours: what ADD of a URL or a repository brings, and contexts that are one. */
import type { BuildSecrets } from '../../api/index.ts';
import type { GitStep, HttpStep } from '../plan/step.ts';

/** Disposing lets the folder be deleted or used again. */
export interface FetchedFolder extends AsyncDisposable {
  /** Root-owned, and nothing in it is to be trusted: links may lead anywhere. */
  readonly path: string;
  /** What it was resolved to: a content digest, a commit. The same again is the same files. */
  readonly resolved: string;
}

export interface Fetching {
  secrets: BuildSecrets;
  /** Bytes so far, and of how many (0: not known). */
  progress: (current: number, total: number) => void;
  /** What git says on its way. */
  output: (data: Uint8Array) => void;
}

export interface Sources {
  /** A folder of one file, `step.filename`, mode 0600. @throws Fault invalid (checksum, status), unavailable, too-large */
  http(
    step: Pick<HttpStep, 'url' | 'filename' | 'checksum'>,
    by: Fetching,
    signal: AbortSignal,
  ): Promise<FetchedFolder>;
  /** @throws Fault not-found (ref, subdirectory), invalid (checksum), unavailable */
  git(
    step: Pick<GitStep, 'remote' | 'ref' | 'subdirectory' | 'keepGitDir' | 'checksum'>,
    by: Fetching,
    signal: AbortSignal,
  ): Promise<FetchedFolder>;
}
