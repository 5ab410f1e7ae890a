/** What an image says of its containers, in Docker's words and in the order they are written. */
import type { ImageConfig } from '../../oci/index.ts';

export interface HealthcheckConfig {
  Test?: readonly string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

export interface ContainerConfig {
  User?: string;
  ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  Env?: readonly string[];
  Entrypoint?: readonly string[];
  Cmd?: readonly string[];
  Volumes?: Readonly<Record<string, Record<string, never>>>;
  WorkingDir?: string;
  Labels?: Readonly<Record<string, string>>;
  StopSignal?: string;
  ArgsEscaped?: boolean;
  Healthcheck?: HealthcheckConfig;
  OnBuild?: readonly string[];
  Shell?: readonly string[];
}

const order: readonly (keyof ContainerConfig)[] = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
];

/** The same with nothing empty in it, fields in Docker's order and maps sorted: the same configuration is the same bytes. */
export function settledConfig(config: ContainerConfig): ContainerConfig {
  const entries = order.flatMap((key) => {
    const value = config[key];
    return value === undefined || isEmpty(value) ? [] : [[key, sortMap(value)]];
  });
  return Object.fromEntries(entries);
}

/** A base image's, of which only what Docker knows is kept. */
export function configOf(image: ImageConfig): ContainerConfig {
  return settledConfig(image.config ?? {});
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function sortMap(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'Test' in value) return value;
  const byBytes = ([a]: [string, unknown], [b]: [string, unknown]): number =>
    Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Object.fromEntries(Object.entries(value).sort(byBytes));
}
