/** `--change` of commit and import: the Dockerfile instructions that only touch the config, one per string. */
import type { ContainerConfig, HealthConfig } from '../api/index.ts';
import { Fault, parseGoDuration } from '../std/index.ts';

/** `config` with the instructions applied in order. @throws Fault invalid */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const result: ContainerConfig = { ...config };
  for (const change of changes) {
    const match = /^\s*([A-Za-z]+)(?:\s+([\s\S]*))?$/.exec(change);
    if (match === null)
      throw new Fault('invalid', `Cannot apply change ${JSON.stringify(change)}: it is no instruction`);
    applyOne(result, match[1]!.toUpperCase(), (match[2] ?? '').trim(), change);
  }
  return result;
}

function applyOne(config: ContainerConfig, instruction: string, rest: string, change: string): void {
  if (rest === '' && instruction !== 'CMD' && instruction !== 'ENTRYPOINT')
    throw new Fault('invalid', `${instruction} requires at least one argument`);
  switch (instruction) {
    case 'CMD':
      config.Cmd = command(rest);
      return;
    case 'ENTRYPOINT':
      // Docker's merge puts back the one there was.
      if (rest !== '') config.Entrypoint = command(rest);
      return;
    case 'ENV': {
      const variables = new Map((config.Env ?? []).map((each) => [each.slice(0, each.indexOf('=')), each]));
      for (const [key, value] of pairs(rest)) variables.set(key, `${key}=${value}`);
      config.Env = [...variables.values()];
      return;
    }
    case 'LABEL':
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs(rest)) };
      return;
    case 'EXPOSE': {
      const ports: Record<string, object> = { ...config.ExposedPorts };
      for (const word of words(rest)) for (const port of portRange(word)) ports[port] = {};
      config.ExposedPorts = ports;
      return;
    }
    case 'VOLUME': {
      const volumes: Record<string, object> = { ...config.Volumes };
      for (const path of jsonList(rest) ?? words(rest)) volumes[path] = {};
      config.Volumes = volumes;
      return;
    }
    case 'USER':
      config.User = words(rest)[0]!;
      return;
    case 'WORKDIR': {
      const path = words(rest)[0]!;
      config.WorkingDir = path.startsWith('/') ? path : `${(config.WorkingDir ?? '').replace(/\/$/, '')}/${path}`;
      return;
    }
    case 'ONBUILD':
      config.OnBuild = [...(config.OnBuild ?? []), rest];
      return;
    case 'STOPSIGNAL':
      config.StopSignal = words(rest)[0]!;
      return;
    case 'SHELL': {
      const shell = jsonList(rest);
      if (shell === undefined) throw new Fault('invalid', 'SHELL requires the arguments to be in JSON form');
      config.Shell = shell;
      return;
    }
    case 'HEALTHCHECK':
      config.Healthcheck = healthcheck(rest, change);
      return;
    default:
      throw new Fault('invalid', `${instruction} is not a valid change command`);
  }
}

/** As in Docker, nothing at all is the shell without a command. */
function command(rest: string): string[] {
  return jsonList(rest) ?? ['/bin/sh', '-c', ...(rest === '' ? [] : [rest])];
}

function jsonList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `a=b c="d e"`, or the old `a b c` which is one pair. */
function pairs(rest: string): [string, string][] {
  const all = words(rest);
  if (!all[0]!.includes('=')) {
    const space = /\s+/.exec(rest);
    if (space === null)
      throw new Fault(
        'invalid',
        `Syntax error - can't find = in ${JSON.stringify(rest)}. Must be of the form: name=value`,
      );
    return [[rest.slice(0, space.index), rest.slice(space.index + space[0].length)]];
  }
  return all.map((word) => {
    const equals = word.indexOf('=');
    if (equals <= 0)
      throw new Fault(
        'invalid',
        `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`,
      );
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** Words with quotes and backslashes taken away. */
function words(text: string): string[] {
  const found: string[] = [];
  let word = '';
  let inside = false;
  let quote = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (quote === "'" ? char === quote : quote !== '' && char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      inside = true;
    } else if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      word += text[++at]!;
      inside = true;
    } else if (quote === '' && /\s/.test(char)) {
      if (inside) found.push(word);
      word = '';
      inside = false;
    } else {
      word += char;
      inside = true;
    }
  }
  if (inside) found.push(word);
  return found.length === 0 ? [''] : found;
}

function portRange(word: string): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first > last || last > 65535) throw new Fault('invalid', `Invalid containerPort: ${word}`);
  const protocol = (match[3] ?? 'tcp').toLowerCase();
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

function healthcheck(rest: string, change: string): HealthConfig {
  const health: HealthConfig = {};
  let left = rest;
  for (let flag = /^--([a-z-]+)=(\S+)\s+/.exec(left); flag !== null; flag = /^--([a-z-]+)=(\S+)\s+/.exec(left)) {
    const [whole, name, value] = flag as unknown as [string, string, string];
    const nanoseconds = parseGoDuration(value);
    if (name === 'retries' && /^\d+$/.test(value)) health.Retries = Number(value);
    else if (nanoseconds === undefined)
      throw new Fault('invalid', `Cannot apply change ${JSON.stringify(change)}: bad value for --${name}`);
    else if (name === 'interval') health.Interval = nanoseconds;
    else if (name === 'timeout') health.Timeout = nanoseconds;
    else if (name === 'start-period') health.StartPeriod = nanoseconds;
    else if (name === 'start-interval') health.StartInterval = nanoseconds;
    else throw new Fault('invalid', `Unknown flag: ${name}`);
    left = left.slice(whole.length);
  }
  const kind = /^(NONE|CMD)\b\s*/i.exec(left);
  if (kind === null)
    throw new Fault('invalid', `Unknown type ${JSON.stringify(left.split(/\s/)[0])} in HEALTHCHECK (try CMD)`);
  if (kind[1]!.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  const test = left.slice(kind[0].length);
  const list = jsonList(test);
  if (test === '') throw new Fault('invalid', 'Missing command after HEALTHCHECK CMD');
  health.Test = list === undefined ? ['CMD-SHELL', test] : ['CMD', ...list];
  return health;
}
