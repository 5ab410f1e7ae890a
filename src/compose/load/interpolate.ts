/** Variables in a file's values, and the types that their texts become where a rule names one. */
import { Fault } from '../../std/index.ts';
import { isMap, type Path, pathText, Rules, type Tree } from '../tree.ts';
import type { SourceFile } from './source-file.ts';
import { InvalidTemplate, MissingVariable, substitute, type Substitution } from './template.ts';

type Cast = (text: string, warn: (message: string) => void) => Tree;

const integer: Cast = (text) => {
  if (!/^[-+]?\d+$/.test(text)) throw new Error(`${JSON.stringify(text)} is no integer`);
  return Number(text);
};

const float: Cast = (text) => {
  if (!/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(text)) throw new Error(`${JSON.stringify(text)} is no number`);
  return Number(text);
};

const boolean: Cast = (text, warn) => {
  const word = text.toLowerCase();
  if (word === 'true' || word === 'false') return word === 'true';
  const old = ['y', 'yes', 'on'].includes(word) ? true : ['n', 'no', 'off'].includes(word) ? false : undefined;
  if (old === undefined) throw new Error(`invalid boolean: ${text}`);
  warn(`${JSON.stringify(text)} for boolean is not supported by YAML 1.2, please use \`${String(old)}\``);
  return old;
};

const service = (path: string): string => `services.*.${path}`;
const each = (cast: Cast, ...paths: string[]): [string, Cast][] => paths.map((path) => [path, cast]);

const casts: Rules<Cast> = Rules.of<Cast>(
  Object.fromEntries([
    ...each(
      integer,
      ...[
        'cpu_count',
        'cpu_period',
        'cpu_quota',
        'cpu_rt_period',
        'cpu_rt_runtime',
        'cpu_shares',
        'deploy.replicas',
        'deploy.update_config.parallelism',
        'deploy.rollback_config.parallelism',
        'deploy.restart_policy.max_attempts',
        'deploy.placement.max_replicas_per_node',
        'healthcheck.retries',
        'oom_score_adj',
        'pids_limit',
        'ports.*.target',
        'scale',
        'ulimits.*',
        'ulimits.*.hard',
        'ulimits.*.soft',
      ].map(service),
    ),
    ...each(
      float,
      ...[
        'cpu_percent',
        'cpus',
        'deploy.update_config.max_failure_ratio',
        'deploy.rollback_config.max_failure_ratio',
      ].map(service),
    ),
    ...each(
      boolean,
      ...[
        'init',
        'healthcheck.disable',
        'oom_kill_disable',
        'privileged',
        'read_only',
        'stdin_open',
        'tty',
        'volumes.*.read_only',
        'volumes.*.volume.nocopy',
      ].map(service),
      ...['external', 'internal', 'attachable', 'enable_ipv4', 'enable_ipv6'].map((key) => `networks.*.${key}`),
      ...['volumes', 'secrets', 'configs'].map((key) => `${key}.*.external`),
    ),
  ]),
);

/** @throws Fault invalid with the place of what is no template, has no value or is of no use there */
export function interpolate(
  value: Tree,
  file: SourceFile,
  substitution: Substitution,
  warn: (message: string) => void,
): Tree {
  return walk(value, casts, [], { file, substitution, warn });
}

interface Surroundings {
  file: SourceFile;
  substitution: Substitution;
  warn: (message: string) => void;
}

function walk(value: Tree, rules: Rules<Cast> | undefined, path: Path, surroundings: Surroundings): Tree {
  if (typeof value === 'string') return replaced(value, rules?.rule, path, surroundings);
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (typeof item === 'string' || typeof item === 'object')
        value[index] = walk(item, rules?.below(index), [...path, index], surroundings);
    }
  } else if (isMap(value)) {
    for (const key in value) {
      const item = value[key]!;
      if (typeof item === 'string' || typeof item === 'object')
        value[key] = walk(item, rules?.below(key), [...path, key], surroundings);
    }
  }
  return value;
}

function replaced(text: string, cast: Cast | undefined, path: Path, { file, substitution, warn }: Surroundings): Tree {
  if (cast === undefined && !text.includes('$')) return text;
  try {
    const value = substitute(text, substitution);
    return cast === undefined ? value : cast(value, warn);
  } catch (error) {
    if (error instanceof Fault) throw error;
    const place = pathText(path);
    if (error instanceof InvalidTemplate)
      throw file.fault(
        path,
        `invalid interpolation format for ${place}.\nYou may need to escape any $ with another $.\n${text}`,
      );
    const cause = (error as Error).message;
    const what = error instanceof MissingVariable ? cause : `failed to cast to expected type: ${cause}`;
    throw file.fault(path, `error while interpolating ${place}: ${what}`);
  }
}
