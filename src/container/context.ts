/** What every verb on containers works with: the records, the live state, and the rooms below. Made once by `openContainers`. */
import type { EventMessage, HealthState } from '../api/index.ts';
import type { CdiDevices } from '../cdi/index.ts';
import type { ImageStore } from '../image/index.ts';
import type { CgroupLayout, IdMapping } from '../linux/index.ts';
import type { OneByOne } from '../monitor/index.ts';
import type { Networking } from '../network/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import type { KeyedMutex, Logger, Records } from '../std/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { ExecState } from './exec.ts';
import type { ContainerRecord, RunState } from './record.ts';
import type { ProcessSession } from './session.ts';
import type { HostFacts } from './validate.ts';

export interface Waiter {
  condition: 'not-running' | 'next-exit' | 'removed';
  resolve(result: { StatusCode: number; Error: { Message: string } | null }): void;
}

/** The part of a container that lives only in this process. */
export interface Live {
  record: ContainerRecord;
  run: RunState | undefined;
  /** Clients that attached before the start: connected before the process runs, so that they miss nothing. */
  pending: Set<ProcessSession>;
  /** Clients that are attached to the process, and what closes their connections to its monitor. */
  sessions: Set<ProcessSession>;
  closer: OneByOne;
  waiters: Set<Waiter>;
  /** A restart that is waiting for its delay. */
  restart: { timer: NodeJS.Timeout } | undefined;
  removing: boolean;
  /** Settles when the start that is going on has succeeded or failed: an exit is handled after it. */
  starting: Promise<void> | undefined;
  /** Set by stop, kill and the like so that the restart policy stays out of it. */
  stopRequested: boolean;
  /** Settles when the current run has ended and its state says so. */
  exited: PromiseWithResolvers<void> | undefined;
  /** The clean-up after a run: what comes next on this container waits for it. */
  ending: Promise<void> | undefined;
  /** What the restart policy will wait next. */
  restartDelayMs: number;
  stopHealth: (() => void) | undefined;
  execs: Map<string, ExecState>;
  oomKilled: boolean;
  /** Health as it stood when the last run ended. */
  lastHealth: HealthState | undefined;
}

export interface Settings {
  dataRoot: string;
  runRoot: string;
  facts: HostFacts;
  cgroups: CgroupLayout;
  /** "/wherry" on v1 and plain v2; a slice with systemd. */
  cgroupParent: string;
  systemdCgroup: boolean;
  heldCapabilities: bigint;
  kernel: string;
  /** Path of a static init on the host (tini, catatonit), if any. */
  initPath: string | undefined;
  restartUnhealthy: boolean;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  noNewPrivileges: boolean;
  /** `userns-remap`: whom containers run as. */
  idMapping: IdMapping | undefined;
  seccompProfile: string | undefined;
  apparmor: boolean;
  stopTimeoutSeconds: number;
  liveRestore: boolean;
}

export interface Context {
  settings: Settings;
  log: Logger;
  records: Records<ContainerRecord>;
  runs: Records<RunState>;
  live: Map<string, Live>;
  /** Containers that are being made: what they stand on is in use already. */
  creating: Map<string, ContainerRecord>;
  /** Containers that are no more, whose files are being deleted. */
  deleting: Set<string>;
  /** Name (no slash) to id. */
  names: Map<string, string>;
  lock: KeyedMutex;
  snapshots: Snapshots;
  images: ImageStore;
  networking: Networking;
  volumes: Volumes;
  devices: CdiDevices;
  /** Where a volume's data is, for inspect. */
  volumePath: (name: string) => string;
  runtime: (name: string) => Runtime;
  emit: (event: Omit<EventMessage, 'scope' | 'timeNano'>) => void;
  /** A health check has been made. */
  onProbe: (result: { healthy: boolean }) => void;
  execs: Map<string, ExecState>;
  bootId: string;
  /** Work that goes on after its request was answered; close() waits for it. */
  background: (task: Promise<unknown>) => void;
  /** When all background work of now is done. */
  settled: () => Promise<void>;
  /** Restarts a container that turned unhealthy, off the prober's own path. */
  restartUnhealthy: (live: Live) => void;
  /** The daemon is going down: containers stay, nothing is started any more. */
  closing: () => boolean;
}

export function containerDirectory(context: Context, id: string): string {
  return `${context.settings.dataRoot}/containers/${id}`;
}
export function bundleDirectory(context: Context, id: string): string {
  return `${context.settings.runRoot}/containers/${id}`;
}
export function exitDirectory(context: Context): string {
  return `${context.settings.runRoot}/exits`;
}
export function logPath(context: Context, id: string): string {
  return `${containerDirectory(context, id)}/${id}.log`;
}
