/** For this folder's tests: reports of a build, made by hand. Times are milliseconds since it began. */
import type { SolveStatus, SolveVertex, VertexLog, VertexStatus, VertexWarning } from '../../../buildkit/index.ts';
import type { Nanos } from '../../../std/index.ts';

const began = 1_700_000_000_000_000_000n;

export function instant(ms: number): Nanos {
  return began + BigInt(Math.round(ms * 1e6));
}

export function digest(number: number): string {
  return `sha256:${String(number).padStart(64, '0')}`;
}

const nothing: SolveStatus = { vertexes: [], statuses: [], logs: [], warnings: [] };

export function vertex(
  number: number,
  name: string,
  more: { start?: number; end?: number; cached?: boolean; error?: string } = {},
): SolveStatus {
  const told: SolveVertex = {
    digest: digest(number),
    inputs: [],
    name,
    cached: more.cached ?? false,
    started: more.start === undefined ? undefined : instant(more.start),
    completed: more.end === undefined ? undefined : instant(more.end),
    error: more.error ?? '',
  };
  return { ...nothing, vertexes: [told] };
}

export function log(number: number, ms: number, text: string | Uint8Array, stream = 1): SolveStatus {
  const told: VertexLog = { vertex: digest(number), stream, data: Buffer.from(text), timestamp: instant(ms) };
  return { ...nothing, logs: [told] };
}

export function status(
  number: number,
  id: string,
  {
    at,
    start,
    end,
    current = 0,
    total = 0,
  }: { at: number; start: number; end?: number; current?: number; total?: number },
): SolveStatus {
  const told: VertexStatus = {
    id,
    vertex: digest(number),
    name: '',
    current,
    total,
    timestamp: instant(at),
    started: instant(start),
    completed: end === undefined ? undefined : instant(end),
  };
  return { ...nothing, statuses: [told] };
}

export function warning(number: number, short: string, more: Partial<VertexWarning> = {}): SolveStatus {
  const told: VertexWarning = {
    vertex: digest(number),
    level: 1,
    short,
    detail: [],
    url: '',
    source: undefined,
    ranges: [],
    ...more,
  };
  return { ...nothing, warnings: [told] };
}
