/** What a builder tells of its progress (moby.buildkit.v1.StatusResponse), with times as instants. */
import type { Nanos } from '../../std/index.ts';
import type { timestamp } from '../message/common.ts';
import type { statusResponse } from '../message/control.ts';
import type { Message } from '../protobuf/field.ts';

/** One report; a vertex is told again at each change. */
export interface SolveStatus {
  vertexes: readonly SolveVertex[];
  statuses: readonly VertexStatus[];
  logs: readonly VertexLog[];
  warnings: readonly VertexWarning[];
}

export interface SolveVertex {
  digest: string;
  inputs: readonly string[];
  name: string;
  cached: boolean;
  started: Nanos | undefined;
  completed: Nanos | undefined;
  /** '' while there is none. */
  error: string;
}

export interface VertexStatus {
  id: string;
  vertex: string;
  name: string;
  /** Bytes, where `total` or `current` are not 0. */
  current: number;
  total: number;
  timestamp: Nanos;
  started: Nanos | undefined;
  completed: Nanos | undefined;
}

export interface VertexLog {
  vertex: string;
  /** 1 for standard output, 2 for standard error. */
  stream: number;
  data: Uint8Array;
  timestamp: Nanos;
}

export interface VertexWarning {
  vertex: string;
  level: number;
  short: string;
  detail: readonly string[];
  url: string;
  source: SourceText | undefined;
  ranges: readonly SourceRange[];
}

export interface SourceText {
  filename: string;
  text: string;
  language: string;
}

/** Lines from 1, characters from 0; the end is the last line, not one past it. */
export interface SourceRange {
  start: { line: number; character: number };
  end: { line: number; character: number };
}

export function solveStatus({ vertexes, statuses, logs, warnings }: Message<typeof statusResponse>): SolveStatus {
  return {
    vertexes: vertexes.map((each) => ({ ...each, started: instant(each.started), completed: instant(each.completed) })),
    statuses: statuses.map((each) => ({
      ...each,
      timestamp: instant(each.timestamp) ?? 0n,
      started: instant(each.started),
      completed: instant(each.completed),
    })),
    logs: logs.map(({ vertex, stream, message, timestamp: at }) => ({
      vertex,
      stream,
      data: message,
      timestamp: instant(at) ?? 0n,
    })),
    warnings: warnings.map(({ vertex, level, short, detail, url, info, ranges }) => ({
      vertex,
      level,
      short: textOf(short),
      detail: detail.map(textOf),
      url,
      source:
        info === undefined ? undefined : { filename: info.filename, text: textOf(info.data), language: info.language },
      ranges: ranges.map(({ start, end }) => ({ start: start ?? nowhere, end: end ?? nowhere })),
    })),
  };
}

const nowhere = { line: 0, character: 0 };

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

export function instant(at: Message<typeof timestamp> | undefined): Nanos | undefined {
  return at === undefined ? undefined : at.seconds * 1_000_000_000n + BigInt(at.nanos);
}
