/**
 * Instructions as values. Words hold the text before expansion; `expandInstruction` makes the same instruction with the words' values.
 * Reference: Dockerfile reference, BuildKit 0.25 (`engine-api.md` §3.1).
 */
import type { Range, Word } from '../source/range.ts';
import type { Heredoc } from '../text/heredoc.ts';
import type { Flag } from '../text/split-command.ts';
import type { MountFlag } from './mount.ts';

/** What every instruction has. */
export interface InstructionBase {
  /** As written: `from`. */
  readonly keyword: Word;
  /** From the keyword to the end of the last line, bodies of heredocs included. */
  readonly range: Range;
  /** Numbers of its first and last line. */
  readonly lines: { readonly first: number; readonly last: number };
  /** The logical line without the bodies of heredocs: what a step shows and what history remembers. */
  readonly original: string;
  readonly flags: readonly Flag[];
  readonly heredocs: readonly Heredoc[];
  /** The comment lines right above it. */
  readonly comments: readonly string[];
}

/** `["a", "b"]`, or a line for the shell. */
export type CommandLine =
  | { readonly form: 'exec'; readonly args: readonly Word[] }
  | { readonly form: 'shell'; readonly line: Word };

export interface FromInstruction extends InstructionBase {
  readonly kind: 'FROM';
  readonly image: Word;
  readonly platform: Word | undefined;
  /** As written; the stage's name is this in lower case. */
  readonly as: { readonly keyword: Word; readonly name: Word } | undefined;
}

export interface ArgInstruction extends InstructionBase {
  readonly kind: 'ARG';
  readonly args: readonly ArgDefinition[];
}

export interface ArgDefinition {
  readonly name: Word;
  /** `undefined`: declared only, the value comes from outside. */
  readonly value: Word | undefined;
}

export interface KeyValue {
  readonly key: Word;
  readonly value: Word;
  /** `ENV key value`, all of the line's rest being the value. */
  readonly isLegacy: boolean;
}

export interface EnvInstruction extends InstructionBase {
  readonly kind: 'ENV';
  readonly pairs: readonly KeyValue[];
}

export interface LabelInstruction extends InstructionBase {
  readonly kind: 'LABEL';
  readonly pairs: readonly KeyValue[];
}

export interface RunInstruction extends InstructionBase {
  readonly kind: 'RUN';
  readonly command: CommandLine;
  readonly mounts: readonly MountFlag[];
  readonly network: 'default' | 'none' | 'host' | undefined;
  readonly security: 'sandbox' | 'insecure' | undefined;
  readonly devices: readonly { readonly name: string; readonly required: boolean }[];
}

export interface CmdInstruction extends InstructionBase {
  readonly kind: 'CMD';
  readonly command: CommandLine;
}

export interface EntrypointInstruction extends InstructionBase {
  readonly kind: 'ENTRYPOINT';
  readonly command: CommandLine;
}

export interface ShellInstruction extends InstructionBase {
  readonly kind: 'SHELL';
  readonly args: readonly Word[];
}

/** What COPY and ADD share. */
export interface TransferInstruction extends InstructionBase {
  /** Paths, patterns and, for ADD, URLs; heredocs are in `inline`. */
  readonly sources: readonly Word[];
  readonly inline: readonly InlineFile[];
  readonly destination: Word;
  readonly chown: Word | undefined;
  readonly chmod: Word | undefined;
  readonly link: boolean;
  readonly exclude: readonly Word[];
}

/** A file whose content stands in the Dockerfile. */
export interface InlineFile {
  readonly name: string;
  /** With `<<-`, without the leading tabs. */
  readonly content: string;
  readonly expands: boolean;
  readonly range: Range;
}

export interface CopyInstruction extends TransferInstruction {
  readonly kind: 'COPY';
  readonly from: Word | undefined;
  readonly parents: boolean;
}

export interface AddInstruction extends TransferInstruction {
  readonly kind: 'ADD';
  readonly checksum: Word | undefined;
  /** `undefined`: not said; a context's query may say it. */
  readonly keepGitDir: boolean | undefined;
  /** `undefined`: archives of the context are unpacked, those from URLs are not. */
  readonly unpack: boolean | undefined;
}

export interface WorkdirInstruction extends InstructionBase {
  readonly kind: 'WORKDIR';
  readonly path: Word;
}

export interface UserInstruction extends InstructionBase {
  readonly kind: 'USER';
  readonly user: Word;
}

export interface ExposeInstruction extends InstructionBase {
  readonly kind: 'EXPOSE';
  /** Sorted as BuildKit sorts them: by their text before expansion. */
  readonly ports: readonly Word[];
}

export interface VolumeInstruction extends InstructionBase {
  readonly kind: 'VOLUME';
  readonly paths: readonly Word[];
}

export interface StopsignalInstruction extends InstructionBase {
  readonly kind: 'STOPSIGNAL';
  readonly signal: Word;
}

/** Durations in nanoseconds, 0 where not said, as the image's configuration has them. */
export interface Healthcheck {
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

export interface HealthcheckInstruction extends InstructionBase {
  readonly kind: 'HEALTHCHECK';
  readonly health: Healthcheck;
}

export interface OnbuildInstruction extends InstructionBase {
  readonly kind: 'ONBUILD';
  /** The keyword of the instruction it keeps. */
  readonly trigger: Word;
  /** What the image remembers, bodies of heredocs included. */
  readonly expression: string;
}

export interface MaintainerInstruction extends InstructionBase {
  readonly kind: 'MAINTAINER';
  readonly name: Word;
}

export type Instruction =
  | FromInstruction
  | ArgInstruction
  | EnvInstruction
  | LabelInstruction
  | RunInstruction
  | CmdInstruction
  | EntrypointInstruction
  | ShellInstruction
  | CopyInstruction
  | AddInstruction
  | WorkdirInstruction
  | UserInstruction
  | ExposeInstruction
  | VolumeInstruction
  | StopsignalInstruction
  | HealthcheckInstruction
  | OnbuildInstruction
  | MaintainerInstruction;

export type InstructionKind = Instruction['kind'];
