/**
 * An image's configuration, instruction after instruction. It begins with one image and gives another: the same instructions in the same
 * order, the same image. What it writes in history are BuildKit's words.
 */
import { goQuote, type Healthcheck, SyntaxProblem } from '../../dockerfile/index.ts';
import type { HistoryEntry } from '../../oci/index.ts';
import { formatGoDuration } from '../../std/index.ts';
import { type ContainerConfig, type HealthcheckConfig, settledConfig } from './container-config.ts';
import type { StepId } from './step.ts';

export interface PlannedHistory {
  /** Without times: those are the solver's. */
  readonly entry: HistoryEntry;
  /** The step whose layer it tells of; `undefined` for one without a layer, or of the base image. */
  readonly step: StepId | undefined;
}

export interface PlannedImage {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | undefined;
  readonly author: string | undefined;
  readonly config: ContainerConfig;
  readonly history: readonly PlannedHistory[];
}

type Pairs = readonly (readonly [string, string])[];

const comment = 'buildkit.dockerfile.v0';
/** Characters of history, which repeats every ARG at every RUN: more than this no registry takes. */
const longestHistory = 8 * 1024 * 1024;

export class ImageFold {
  readonly #base: PlannedImage;
  readonly #settings: ContainerConfig;
  readonly #env: Map<string, string | undefined>;
  readonly #labels: Map<string, string>;
  readonly #ports: Set<string>;
  readonly #volumes: Set<string>;
  readonly #triggers: string[] = [];
  readonly #history: PlannedHistory[];
  #historySize = 0;
  #author: string | undefined;
  #hasOwnCmd = false;

  /** Triggers of the image it begins with are not its own. */
  constructor(base: PlannedImage) {
    const { Env = [], Labels = {}, ExposedPorts = {}, Volumes = {}, ...settings } = base.config;
    this.#base = base;
    this.#settings = settings;
    this.#env = new Map(Env.map(splitEnv));
    this.#labels = new Map(Object.entries(Labels));
    this.#ports = new Set(Object.keys(ExposedPorts));
    this.#volumes = new Set(Object.keys(Volumes));
    this.#history = [...base.history];
    this.#author = base.author;
  }

  get workingDir(): string {
    return this.#settings.WorkingDir ?? '/';
  }

  get user(): string {
    return this.#settings.User ?? '';
  }

  get shell(): readonly string[] {
    const { Shell = [] } = this.#settings;
    return Shell.length > 0 ? Shell : ['/bin/sh', '-c'];
  }

  /** The image as it is now. */
  image(): PlannedImage {
    const config: ContainerConfig = {
      ...this.#settings,
      Env: [...this.#env].map(([key, value]) => (value === undefined ? key : `${key}=${value}`)),
      Labels: Object.fromEntries(this.#labels),
      ExposedPorts: Object.fromEntries([...this.#ports].map((port) => [port, {}])),
      Volumes: Object.fromEntries([...this.#volumes].map((path) => [path, {}])),
      OnBuild: [...this.#triggers],
    };
    return { ...this.#base, author: this.#author, config: settledConfig(config), history: [...this.#history] };
  }

  /** One more line of history. @throws SyntaxProblem where it becomes too long */
  remember(createdBy: string, step?: StepId): void {
    this.#historySize += createdBy.length;
    if (this.#historySize > longestHistory) {
      throw new SyntaxProblem('history-too-large', 'the history of the image is larger than 8 MiB');
    }
    const entry: HistoryEntry = {
      created_by: createdBy,
      comment,
      ...(step === undefined ? { empty_layer: true } : {}),
    };
    this.#history.push({ entry, step });
  }

  setEnv(pairs: Pairs): void {
    for (const [key, value] of pairs) this.#env.set(key, value);
    this.remember(`ENV ${joinPairs(pairs)}`);
  }

  setLabels(pairs: Pairs): void {
    for (const [key, value] of pairs) this.#labels.set(key, value);
    this.remember(`LABEL ${joinPairs(pairs)}`);
  }

  setCmd(args: readonly string[]): void {
    this.#settings.Cmd = args;
    this.#settings.ArgsEscaped = true;
    this.#hasOwnCmd = true;
    this.remember(`CMD ${quoteList(args)}`);
  }

  /** A command the base image brought is for its own entrypoint; one that was set here stays. */
  setEntrypoint(args: readonly string[]): void {
    this.#settings.Entrypoint = args;
    if (!this.#hasOwnCmd) this.#settings.Cmd = [];
    this.remember(`ENTRYPOINT ${quoteList(args)}`);
  }

  setShell(args: readonly string[]): void {
    this.#settings.Shell = args;
    this.remember(`SHELL [${args.join(' ')}]`);
  }

  setUser(name: string): void {
    this.#settings.User = name;
    this.remember(`USER ${name}`);
  }

  /** `step` made the folder; there is none for `/`. */
  setWorkdir(path: string, step: StepId | undefined): void {
    this.#settings.WorkingDir = path;
    this.remember(`WORKDIR ${path}`, step);
  }

  addVolumes(paths: readonly string[]): void {
    for (const path of paths) this.#volumes.add(path);
    this.remember(`VOLUME [${paths.join(' ')}]`);
  }

  /** Ports as `80/tcp`, ranges already taken apart. */
  addPorts(ports: readonly string[]): void {
    for (const port of ports) this.#ports.add(port);
    this.remember(`EXPOSE [${ports.join(' ')}]`);
  }

  setStopSignal(signal: string): void {
    this.#settings.StopSignal = signal;
    this.remember(`STOPSIGNAL ${signal}`);
  }

  setHealthcheck(health: Healthcheck): void {
    const config: HealthcheckConfig = { Test: health.test };
    if (health.interval !== 0) config.Interval = health.interval;
    if (health.timeout !== 0) config.Timeout = health.timeout;
    if (health.startPeriod !== 0) config.StartPeriod = health.startPeriod;
    if (health.startInterval !== 0) config.StartInterval = health.startInterval;
    if (health.retries !== 0) config.Retries = health.retries;
    this.#settings.Healthcheck = config;
    const durations = [health.interval, health.timeout, health.startPeriod, health.startInterval];
    const shown = durations.map((duration) => `"${formatGoDuration(duration)}"`).join(' ');
    this.remember(`HEALTHCHECK &{${quoteList(health.test)} ${shown} ${quoteRune(health.retries)}}`);
  }

  setAuthor(name: string): void {
    this.#author = name;
    this.remember(`MAINTAINER ${name}`);
  }

  /** Kept for those who build on it, and nothing in history. */
  addTrigger(expression: string): void {
    this.#triggers.push(expression);
  }

  /** Names with the values they came to; what has none is only named. */
  declareArgs(args: readonly { name: string; value: string | undefined }[]): void {
    const shown = args.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
    this.remember(`ARG ${shown.join(' ')}`);
  }
}

/** The names and values of an image's environment; what has no `=` has no value. */
export function environmentOf({ config }: PlannedImage): Pairs {
  return (config.Env ?? []).map(splitEnv).map(([key, value]) => [key, value ?? ''] as const);
}

function splitEnv(entry: string): [string, string | undefined] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, undefined] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

function joinPairs(pairs: Pairs): string {
  return pairs.map((pair) => pair.join('=')).join(' ');
}

/** Go's `%q` of a list of strings. */
function quoteList(args: readonly string[]): string {
  return `[${args.map(goQuote).join(' ')}]`;
}

/** Go's `%q` of a number: the character of that code. That is how BuildKit writes retries. */
function quoteRune(code: number): string {
  if (code === 0x27) return "'\\''";
  if (code === 0x22) return "'\"'";
  const isCharacter = code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  return `'${goQuote(String.fromCodePoint(isCharacter ? code : 0xfffd)).slice(1, -1)}'`;
}
