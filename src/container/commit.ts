/** `commit`: a container's changes as a new image; `changes` are Dockerfile instructions that alter its configuration. */
import type { ContainerConfig } from '../api/index.ts';
import { Fault } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { containerEvent } from './event.ts';
import { mergeConfig } from './merge.ts';
import { pauseContainer, unpauseContainer } from './stop.ts';

export interface CommitOptions {
  repo: string | undefined;
  tag: string | undefined;
  comment: string;
  author: string;
  pause: boolean;
  changes: string[];
  config: ContainerConfig | undefined;
}

export async function commitContainer(context: Context, live: Live, options: CommitOptions): Promise<{ Id: string }> {
  const { record } = live;
  if (live.removing) throw new Fault('conflict', 'cannot commit container which is being removed');
  const config = applyChanges(mergeConfig(options.config ?? {}, imageConfig(record.config)), options.changes);
  const pauses = options.pause && live.run !== undefined && !live.run.paused;
  if (pauses) await pauseContainer(context, live);
  try {
    const id = await context.images.commit({
      parent: record.image,
      layer: context.snapshots.diff(record.id),
      config,
      createdBy: [record.path, ...record.args].join(' '),
      comment: options.comment,
      author: options.author,
      reference:
        options.repo === undefined || options.repo === '' ? undefined : { repo: options.repo, tag: options.tag },
      containerId: record.id,
    });
    containerEvent(context, record, 'commit', {
      comment: options.comment,
      imageID: id,
      imageRef: options.repo === undefined ? '' : `${options.repo}:${options.tag ?? 'latest'}`,
    });
    return { Id: id };
  } finally {
    if (pauses) await unpauseContainer(context, live);
  }
}

/** A container's configuration without what belongs to the one container. */
function imageConfig(config: ContainerConfig): ContainerConfig {
  const {
    Hostname: _h,
    Domainname: _d,
    AttachStdin: _i,
    AttachStdout: _o,
    AttachStderr: _e,
    Tty: _t,
    OpenStdin: _s,
    StdinOnce: _n,
    Image: _m,
    ...rest
  } = config;
  return rest;
}

/** The Dockerfile instructions that `commit --change` and `import --change` take, applied in order. Pure. @throws Fault invalid */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  const next: ContainerConfig = { ...config };
  for (const change of changes.flatMap((text) => text.split('\n')).filter((line) => line.trim() !== '')) {
    const match = /^\s*([A-Za-z]+)\s+([\s\S]+?)\s*$/.exec(change);
    if (match === null)
      throw new Fault('invalid', `Syntax error - can't find = in "${change}". Must be of the form: name=value`);
    const [, keyword = '', rest = ''] = match;
    switch (keyword.toUpperCase()) {
      case 'CMD':
        next.Cmd = commandOf(rest);
        break;
      case 'ENTRYPOINT':
        next.Entrypoint = commandOf(rest);
        break;
      case 'ENV':
        next.Env = withVariables(next.Env ?? [], pairs(rest));
        break;
      case 'LABEL':
        next.Labels = { ...next.Labels, ...Object.fromEntries(pairs(rest)) };
        break;
      case 'EXPOSE':
        next.ExposedPorts = {
          ...next.ExposedPorts,
          ...Object.fromEntries(rest.split(/\s+/).map((port) => [port.includes('/') ? port : `${port}/tcp`, {}])),
        };
        break;
      case 'VOLUME':
        next.Volumes = {
          ...next.Volumes,
          ...Object.fromEntries((jsonArray(rest) ?? rest.split(/\s+/)).map((path) => [path, {}])),
        };
        break;
      case 'USER':
        next.User = rest;
        break;
      case 'WORKDIR':
        next.WorkingDir = rest;
        break;
      case 'STOPSIGNAL':
        next.StopSignal = rest;
        break;
      case 'ONBUILD':
        next.OnBuild = [...(next.OnBuild ?? []), rest];
        break;
      case 'SHELL':
        next.Shell = jsonArray(rest) ?? next.Shell ?? null;
        break;
      case 'HEALTHCHECK':
        next.Healthcheck = /^none$/i.test(rest) ? { Test: ['NONE'] } : { Test: healthTest(rest) };
        break;
      default:
        throw new Fault('invalid', `${keyword.toLowerCase()} is not a valid change command`);
    }
  }
  return next;
}

function jsonArray(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

function commandOf(text: string): string[] {
  return jsonArray(text) ?? ['/bin/sh', '-c', text];
}

function healthTest(text: string): string[] {
  const rest = text.replace(/^CMD\s+/i, '');
  const list = jsonArray(rest);
  return list === undefined ? ['CMD-SHELL', rest] : ['CMD', ...list];
}

/** `K=V K2="a b"` or the legacy `K rest of line`. */
function pairs(text: string): [string, string][] {
  if (!/^[^\s=]+=/.test(text)) {
    const [, key = '', value = ''] = /^(\S+)\s*([\s\S]*)$/.exec(text) ?? [];
    return [[key, value]];
  }
  return [...text.matchAll(/([^\s=]+)=("(?:\\.|[^"\\])*"|'[^']*'|(?:\\.|[^\s\\])*)/g)].map(
    ([, key = '', value = '']) => {
      const quoted = /^(["'])([\s\S]*)\1$/.exec(value);
      return [key.replace(/^["']|["']$/g, ''), (quoted?.[2] ?? value).replace(/\\(.)/g, '$1')];
    },
  );
}

function withVariables(environment: readonly string[], added: readonly [string, string][]): string[] {
  const keys = new Set(added.map(([key]) => key));
  return [
    ...environment.filter((entry) => !keys.has(entry.split('=')[0]!)),
    ...added.map(([key, value]) => `${key}=${value}`),
  ];
}
