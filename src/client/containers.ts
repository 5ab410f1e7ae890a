/** The container calls. `ref` is an id, a unique id prefix or a name. */
import type {
  ContainerCreateBody,
  ContainerInspect,
  ContainerStats,
  ContainerSummary,
  ContainerTop,
  ContainerUpdateBody,
  FilesystemChange,
  WaitCondition,
} from '../api/index.ts';
import { Fault } from '../std/index.ts';
import type { Caller, FilterValues, QueryValue } from './caller.ts';
import type { Hijacked } from './transport.ts';

export interface Created {
  Id: string;
  Warnings: string[] | null;
}
export interface WaitResult {
  StatusCode: number;
  Error?: { Message: string } | null;
}
export interface PathStat {
  name: string;
  size: number;
  /** Go's os.FileMode. */
  mode: number;
  mtime: string;
  linkTarget: string;
}
export interface AttachQuery {
  stream?: boolean;
  stdin?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  logs?: boolean;
  detachKeys?: string | undefined;
}
export interface LogQuery {
  follow?: boolean;
  stdout?: boolean;
  stderr?: boolean;
  since?: string | undefined;
  until?: string | undefined;
  timestamps?: boolean;
  tail?: string | undefined;
  details?: boolean;
}
export interface ContainerPruned {
  ContainersDeleted: string[] | null;
  SpaceReclaimed: number;
}

export type ContainerCalls = ReturnType<typeof containerCalls>;

export function containerCalls(caller: Caller) {
  return {
    list: (options: { all?: boolean; limit?: number; size?: boolean; filters?: FilterValues } = {}) =>
      caller.json<ContainerSummary[]>('containerList', {
        query: { all: options.all, limit: options.limit, size: options.size },
        filters: options.filters,
      }),
    create: (body: ContainerCreateBody, query: { name?: string; platform?: string } = {}) =>
      caller.json<Created>('containerCreate', { json: body, query }),
    inspect: (name: string, size = false) =>
      caller.json<ContainerInspect>('containerInspect', { name, query: { size } }),
    /** The daemon's text, for printing with the order of its keys. */
    inspectText: (name: string, size = false) => caller.text('containerInspect', { name, query: { size } }),
    start: (name: string, detachKeys?: string) => caller.done('containerStart', { name, query: { detachKeys } }),
    /** @returns false when it was stopped already. */
    stop: async (
      name: string,
      query: { t?: number | undefined; signal?: string | undefined } = {},
    ): Promise<boolean> => {
      const answer = await caller.call('containerStop', { name, query });
      for await (const chunk of answer.body) void chunk;
      return answer.status !== 304;
    },
    restart: (name: string, query: { t?: number | undefined; signal?: string | undefined } = {}) =>
      caller.done('containerRestart', { name, query }),
    kill: (name: string, signal?: string) => caller.done('containerKill', { name, query: { signal } }),
    pause: (name: string) => caller.done('containerPause', { name }),
    unpause: (name: string) => caller.done('containerUnpause', { name }),
    rename: (name: string, to: string) => caller.done('containerRename', { name, query: { name: to } }),
    update: (name: string, body: ContainerUpdateBody) =>
      caller.json<{ Warnings: string[] | null }>('containerUpdate', { name, json: body }),
    remove: (name: string, query: { force?: boolean; v?: boolean; link?: boolean } = {}) =>
      caller.done('containerRemove', { name, query }),
    prune: (filters?: FilterValues) => caller.json<ContainerPruned>('containerPrune', { filters }),
    /** Resolves once the daemon watches for the exit; `result` resolves with it. `hold`: whether the process stays alive for it. */
    wait: async (
      name: string,
      condition?: WaitCondition,
      signal?: AbortSignal,
    ): Promise<{ result: Promise<WaitResult>; hold: (on: boolean) => void }> => {
      const answer = await caller.call('containerWait', { name, query: { condition }, signal });
      const read = async (): Promise<WaitResult> => {
        let text = '';
        for await (const chunk of answer.body) text += Buffer.from(chunk).toString('utf8');
        return JSON.parse(text) as WaitResult;
      };
      const result = read();
      result.catch(() => {});
      return { result, hold: (on) => answer.hold(on) };
    },
    attach: (name: string, query: AttachQuery): Promise<Hijacked> =>
      caller.hijack('containerAttach', { name, query: { ...query } }),
    resize: (name: string, height: number, width: number) =>
      caller.done('containerResize', { name, query: { h: height, w: width } }),
    logs: async (name: string, query: LogQuery, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> =>
      (await caller.call('containerLogs', { name, query: { ...query }, signal })).body,
    stats: (name: string, query: Record<string, QueryValue>, signal?: AbortSignal) =>
      caller.lines<ContainerStats>('containerStats', { name, query, signal }),
    top: (name: string, psArgs?: string) =>
      caller.json<ContainerTop>('containerTop', { name, query: { ps_args: psArgs } }),
    changes: (name: string) => caller.json<FilesystemChange[] | null>('containerChanges', { name }),
    export: async (name: string): Promise<AsyncIterable<Uint8Array>> =>
      (await caller.call('containerExport', { name })).body,
    statPath: async (name: string, path: string): Promise<PathStat> => {
      const answer = await caller.call('archiveStat', { name, query: { path } });
      return decodeStat(answer.headers['x-docker-container-path-stat']);
    },
    getArchive: async (name: string, path: string) => {
      const answer = await caller.call('archiveGet', { name, query: { path } });
      return {
        stat: decodeStat(answer.headers['x-docker-container-path-stat']),
        /** Let go with `return()` when it was not read to its end. */
        tar: answer.body,
      };
    },
    putArchive: (name: string, query: Record<string, QueryValue>, tar: AsyncIterable<Uint8Array>) =>
      caller.done('archivePut', { name, query, stream: tar, headers: { 'Content-Type': 'application/x-tar' } }),
    commit: (query: Record<string, QueryValue>, config: object) =>
      caller.json<{ Id: string }>('commit', { query, json: config }),
  };
}

function decodeStat(header: string | undefined): PathStat {
  if (header === undefined)
    throw new Fault('invalid', 'The daemon did not describe the path (X-Docker-Container-Path-Stat)');
  return JSON.parse(Buffer.from(header, 'base64').toString('utf8')) as PathStat;
}
