/**
 * A plan's steps: what to fetch, run and copy, as data. A step names its inputs by the ids of other steps; how it is done, and where its
 * result lives, is the solver's.
 */
import type { Environment, Range } from '../../dockerfile/index.ts';

export type StepId = string;

/** A filesystem: the id of the step whose result it is, or `scratch`, which is nothing at all. */
export type Root = string;

interface StepBase {
  readonly id: StepId;
  /** As progress shows it: `[builder 2/5] RUN make`. */
  readonly name: string;
  /** Where it stands in the Dockerfile; sources of several instructions have none. */
  readonly range: Range | undefined;
  /** `--no-cache`: run again whatever is known. */
  readonly ignoreCache: boolean;
}

/** An image's filesystem. */
export interface ImageStep extends StepBase {
  readonly kind: 'image';
  /** Fully qualified, with the digest where it is known. */
  readonly reference: string;
  /** `linux/amd64`. */
  readonly platform: string;
}

/** Files the client sends. */
export interface LocalStep extends StepBase {
  readonly kind: 'local';
  /** `context`, or a named context's name. */
  readonly context: string;
  /** What is used of it, relative, sorted; patterns as written. `undefined`: all of it. */
  readonly paths: readonly string[] | undefined;
}

export interface HttpStep extends StepBase {
  readonly kind: 'http';
  readonly url: string;
  /** The result is a folder of this one file. */
  readonly filename: string;
  readonly checksum: string | undefined;
}

export interface GitStep extends StepBase {
  readonly kind: 'git';
  readonly remote: string;
  /** Branch, tag or commit; `undefined`: what the remote's HEAD is. */
  readonly ref: string | undefined;
  readonly subdirectory: string | undefined;
  readonly keepGitDir: boolean;
  /** The commit it must be. */
  readonly checksum: string | undefined;
}

export interface ExecStep extends StepBase {
  readonly kind: 'exec';
  readonly root: Root;
  readonly args: readonly string[];
  readonly env: Environment;
  /** In the environment too, and never in a key. */
  readonly proxy: readonly (readonly [string, string])[];
  readonly workingDir: string;
  readonly user: string;
  readonly mounts: readonly ExecMount[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly devices: readonly { readonly name: string; readonly required: boolean }[];
  readonly hostname: string | undefined;
  /** A heredoc with a `#!`: a file that is there while it runs. */
  readonly script: { readonly path: string; readonly content: string } | undefined;
}

export type ExecMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      readonly from: Root;
      readonly source: string;
      /** What is written to one that is not is forgotten. */
      readonly readOnly: boolean;
    }
  | {
      readonly type: 'cache';
      readonly target: string;
      /** With the namespace before it. */
      readonly id: string;
      readonly sharing: 'shared' | 'private' | 'locked';
      /** What it begins with. */
      readonly from: Root;
      readonly source: string;
      readonly readOnly: boolean;
      readonly owner: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly size: number | undefined }
  | {
      readonly type: 'secret';
      readonly id: string;
      /** As a file, `undefined` for one that is only in the environment. */
      readonly target: string | undefined;
      readonly env: string | undefined;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      readonly type: 'ssh';
      readonly id: string;
      readonly target: string;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

export type CopySource =
  | {
      readonly kind: 'path';
      readonly from: Root;
      /** Absolute within it; a pattern of `filepath.Match` where `isPattern`. */
      readonly path: string;
      readonly isPattern: boolean;
      /** Archives are opened. */
      readonly unpack: boolean;
      /** `--parents`: what of the path is kept begins here. */
      readonly keepParents: boolean;
    }
  | { readonly kind: 'inline'; readonly name: string; readonly content: string };

export interface CopyStep extends StepBase {
  readonly kind: 'copy';
  readonly root: Root;
  readonly sources: readonly CopySource[];
  /** Absolute; a slash at its end says it is a folder. */
  readonly destination: string;
  /** `user[:group]`, names to be looked up in `root`. `undefined`: 0:0. */
  readonly owner: string | undefined;
  readonly mode: number | string | undefined;
  readonly exclude: readonly string[];
  /** A layer of its own, which does not look at what is below it. */
  readonly link: boolean;
}

export interface MkdirStep extends StepBase {
  readonly kind: 'mkdir';
  readonly root: Root;
  readonly path: string;
  readonly mode: number;
  readonly owner: string | undefined;
}

export type SourceStep = ImageStep | LocalStep | HttpStep | GitStep;
export type Step = SourceStep | ExecStep | CopyStep | MkdirStep;

/** The roots a step reads, in a fixed order; that of `stepKey`. */
export function inputsOf(step: Step): readonly StepInput[] {
  switch (step.kind) {
    case 'exec':
      return [{ root: step.root, by: 'key' }, ...step.mounts.flatMap(mountInput)];
    case 'copy':
      return [
        ...(step.link ? [] : [{ root: step.root, by: 'key' } as const]),
        ...step.sources.flatMap((source) => (source.kind === 'inline' ? [] : [copyInput(step, source)])),
      ];
    case 'mkdir':
      return [{ root: step.root, by: 'key' }];
    default:
      return [];
  }
}

/** One input, and by what a step's key knows it: by its own key, or by what it reads of it. */
export type StepInput =
  | { readonly root: Root; readonly by: 'key' }
  | {
      readonly root: Root;
      readonly by: 'content';
      /** Absolute, a pattern where `isPattern`. */
      readonly path: string;
      readonly isPattern: boolean;
      readonly exclude: readonly string[];
    };

function mountInput(mount: ExecMount): StepInput[] {
  if (mount.type !== 'bind' && mount.type !== 'cache') return [];
  if (mount.type === 'cache') return mount.from === 'scratch' ? [] : [{ root: mount.from, by: 'key' }];
  if (!mount.readOnly) return [{ root: mount.from, by: 'key' }];
  return [{ root: mount.from, by: 'content', path: mount.source, isPattern: false, exclude: [] }];
}

function copyInput(step: CopyStep, source: Extract<CopySource, { kind: 'path' }>): StepInput {
  const { from: root, path, isPattern } = source;
  return { root, by: 'content', path, isPattern, exclude: step.exclude };
}
