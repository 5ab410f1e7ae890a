/** What `run` takes: the words of `docker run`, as values. Durations are milliseconds. */
import type { ContainerCreateBody, HostConfig } from '../api/index.ts';
import type { Condition } from './condition.ts';
import type { PullOptions, PullStep } from './pull.ts';

/** A text is run by the image's shell (`sh -c`); words are run as they stand. */
export type CommandLine = string | readonly string[];

/**
 * A number publishes that port on a free port of loopback (of all addresses, when the daemon is on another machine); a text is Docker's
 * notation, `[[ip:]host:]container[/protocol]`, and without an address on all of them, as Docker has it.
 */
export type PortOption =
  | number
  | string
  | {
      container: number;
      /** Free one if not given. */
      host?: number;
      /** Loopback if not given. */
      ip?: string;
      protocol?: 'tcp' | 'udp' | 'sctp';
    };

/** A text is Docker's notation, `source:target[:options]`; a source that begins with a dot is of the working directory. */
export type MountOption =
  | string
  | { volume: string | { readonly name: string }; target: string; readOnly?: boolean; subpath?: string }
  | { bind: string; target: string; readOnly?: boolean }
  | { tmpfs: true; target: string; sizeBytes?: number };

export type NetworkOption =
  | string
  | { readonly name: string }
  | { network: string | { readonly name: string }; aliases?: readonly string[]; ip?: string };

export interface Limits {
  /** Bytes, or a size: "512m". */
  memory?: number | string;
  /** Processors: 1.5. */
  cpus?: number;
  /** Processes. */
  pids?: number;
}

export interface HealthcheckOption {
  /** A text is run by the image's shell. */
  command: CommandLine;
  intervalMs?: number;
  timeoutMs?: number;
  startPeriodMs?: number;
  startIntervalMs?: number;
  retries?: number;
}

export interface RunOptions {
  image: string;
  name?: string;
  command?: CommandLine;
  entrypoint?: readonly string[];
  /** undefined leaves a variable out. */
  env?: Readonly<Record<string, string | number | boolean | undefined>>;
  ports?: readonly PortOption[];
  mounts?: readonly MountOption[];
  /** The first is its network; it is attached to the others as well. "host", "none" and "container:NAME" stand alone. */
  networks?: readonly NetworkOption[];
  labels?: Readonly<Record<string, string>>;
  limits?: Limits;
  /** false: none, also where the image has one. */
  healthcheck?: HealthcheckOption | false;
  user?: string;
  workdir?: string;
  hostname?: string;
  restart?: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** The daemon removes it, with its anonymous volumes, as soon as it ends. */
  remove?: boolean;
  readOnly?: boolean;
  /** A terminal: standard output and standard error are one. */
  tty?: boolean;
  /** An init process that reaps what is left behind. */
  init?: boolean;
  privileged?: boolean;
  stopSignal?: string;
  /** How long it may take to stop, also when it is disposed of. */
  stopTimeoutMs?: number;
  /** Written into it before it starts: absolute paths to contents. */
  files?: Readonly<Record<string, string | Uint8Array>>;
  platform?: string;
  /** When its image is pulled. */
  pull?: 'missing' | 'always' | 'never';
  auth?: PullOptions['auth'];
  /** Called with each step of a pull. */
  onPull?: (step: PullStep) => void;
  /** What must hold before `run` resolves. */
  until?: Condition;
  /** Whatever else the Engine API takes, in its words; goes before what the options above say. */
  config?: ContainerCreateBody & { HostConfig?: HostConfig };
  signal?: AbortSignal;
}
