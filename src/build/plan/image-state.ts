/** An image's configuration as a fold over instructions. Each function gives the image after one of them; nothing is changed in place. */
import { formatGoDuration } from '../../std/index.ts';
import { goQuote, type Healthcheck } from '../../dockerfile/index.ts';
import type { HistoryEntry } from '../../oci/index.ts';
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

const comment = 'buildkit.dockerfile.v0';

/** One more line of history. */
export function remember(image: PlannedImage, createdBy: string, step?: StepId): PlannedImage {
  const entry: HistoryEntry = {
    created_by: createdBy,
    comment,
    ...(step === undefined ? { empty_layer: true } : {}),
  };
  return { ...image, history: [...image.history, { entry, step }] };
}

export function withConfig(image: PlannedImage, changes: ContainerConfig): PlannedImage {
  return { ...image, config: settledConfig({ ...image.config, ...changes }) };
}

export function withEnv(image: PlannedImage, pairs: readonly (readonly [string, string])[]): PlannedImage {
  const env = [...(image.config.Env ?? [])];
  for (const [key, value] of pairs) {
    const at = env.findIndex((one) => one.split('=', 1)[0] === key);
    if (at < 0) env.push(`${key}=${value}`);
    else env[at] = `${key}=${value}`;
  }
  return withConfig(image, { Env: env });
}

export function env(image: PlannedImage, pairs: readonly (readonly [string, string])[]): PlannedImage {
  return remember(withEnv(image, pairs), `ENV ${pairs.map((pair) => pair.join('=')).join(' ')}`);
}

export function label(image: PlannedImage, pairs: readonly (readonly [string, string])[]): PlannedImage {
  const labelled = withConfig(image, { Labels: { ...image.config.Labels, ...Object.fromEntries(pairs) } });
  return remember(labelled, `LABEL ${pairs.map((pair) => pair.join('=')).join(' ')}`);
}

export function cmd(image: PlannedImage, args: readonly string[]): PlannedImage {
  return remember(withConfig(image, { Cmd: args, ArgsEscaped: true }), `CMD ${quoteList(args)}`);
}

/** A command the base image brought is for its own entrypoint; one that this stage set stays. */
export function entrypoint(image: PlannedImage, args: readonly string[], hasOwnCmd: boolean): PlannedImage {
  const changes = hasOwnCmd ? { Entrypoint: args } : { Entrypoint: args, Cmd: [] };
  return remember(withConfig(image, changes), `ENTRYPOINT ${quoteList(args)}`);
}

export function shell(image: PlannedImage, args: readonly string[]): PlannedImage {
  return remember(withConfig(image, { Shell: args }), `SHELL [${args.join(' ')}]`);
}

export function user(image: PlannedImage, name: string): PlannedImage {
  return remember(withConfig(image, { User: name }), `USER ${name}`);
}

/** `step` made the folder; there is none for `/`. */
export function workdir(image: PlannedImage, path: string, step: StepId | undefined): PlannedImage {
  return remember(withConfig(image, { WorkingDir: path }), `WORKDIR ${path}`, step);
}

export function volume(image: PlannedImage, paths: readonly string[]): PlannedImage {
  const added = Object.fromEntries(paths.map((path) => [path, {}]));
  const changed = withConfig(image, { Volumes: { ...image.config.Volumes, ...added } });
  return remember(changed, `VOLUME [${paths.join(' ')}]`);
}

/** Ports as `80/tcp`, ranges already taken apart. */
export function expose(image: PlannedImage, ports: readonly string[]): PlannedImage {
  const added = Object.fromEntries(ports.map((port) => [port, {}]));
  const changed = withConfig(image, { ExposedPorts: { ...image.config.ExposedPorts, ...added } });
  return remember(changed, `EXPOSE [${ports.join(' ')}]`);
}

export function stopSignal(image: PlannedImage, signal: string): PlannedImage {
  return remember(withConfig(image, { StopSignal: signal }), `STOPSIGNAL ${signal}`);
}

export function healthcheck(image: PlannedImage, health: Healthcheck): PlannedImage {
  const config: HealthcheckConfig = { Test: health.test };
  if (health.interval !== 0) config.Interval = health.interval;
  if (health.timeout !== 0) config.Timeout = health.timeout;
  if (health.startPeriod !== 0) config.StartPeriod = health.startPeriod;
  if (health.startInterval !== 0) config.StartInterval = health.startInterval;
  if (health.retries !== 0) config.Retries = health.retries;
  const durations = [health.interval, health.timeout, health.startPeriod, health.startInterval];
  const shown = durations.map((duration) => `"${formatGoDuration(duration)}"`).join(' ');
  const createdBy = `HEALTHCHECK &{${quoteList(health.test)} ${shown} ${quoteRune(health.retries)}}`;
  return remember(withConfig(image, { Healthcheck: config }), createdBy);
}

export function maintainer(image: PlannedImage, name: string): PlannedImage {
  return remember({ ...image, author: name }, `MAINTAINER ${name}`);
}

/** Kept for those who build on it, and nothing in history. */
export function onbuild(image: PlannedImage, expression: string): PlannedImage {
  return withConfig(image, { OnBuild: [...(image.config.OnBuild ?? []), expression] });
}

/** Names with the values they came to; what has none is only named. */
export function arg(image: PlannedImage, args: readonly { name: string; value: string | undefined }[]): PlannedImage {
  const shown = args.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`));
  return remember(image, `ARG ${shown.join(' ')}`);
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
