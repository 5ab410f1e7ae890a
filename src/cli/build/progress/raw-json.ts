/** `--progress rawjson`: what was told, a line of JSON each, with the names that BuildKit's client gives it (buildkit, client/graph.go). */
import type { SolveStatus, SourceRange } from '../../../buildkit/index.ts';
import { formatNanos, type Nanos } from '../../../std/index.ts';

export function rawJsonLine({ vertexes, statuses, logs, warnings }: SolveStatus): string {
  const value = {
    vertexes: orNothing(
      vertexes.map(({ digest, inputs, name, started, completed, cached, error }) => ({
        digest,
        inputs: orNothing(inputs),
        name: orNothing(name),
        started: timeText(started),
        completed: timeText(completed),
        cached: cached || undefined,
        error: orNothing(error),
      })),
    ),
    statuses: orNothing(
      statuses.map(({ id, vertex, name, total, current, timestamp, started, completed }) => ({
        id,
        vertex,
        name: orNothing(name),
        total: total === 0 ? undefined : total,
        current,
        timestamp: timeText(timestamp),
        started: timeText(started),
        completed: timeText(completed),
      })),
    ),
    logs: orNothing(
      logs.map(({ vertex, stream, data, timestamp }) => ({
        vertex,
        stream: stream === 0 ? undefined : stream,
        data: base64(data),
        timestamp: timeText(timestamp),
      })),
    ),
    warnings: orNothing(
      warnings.map(({ vertex, level, short, detail, url, source, ranges }) => ({
        vertex,
        level: level === 0 ? undefined : level,
        short: base64(short),
        detail: orNothing(detail.map(base64)),
        url: orNothing(url),
        sourceInfo:
          source === undefined
            ? undefined
            : { filename: source.filename, data: base64(source.text), language: orNothing(source.language) },
        range: orNothing(ranges.map(({ start, end }) => ({ start: place(start), end: place(end) }))),
      })),
    ),
  };
  return `${goJson(value)}\n`;
}

function orNothing<T extends string | readonly unknown[]>(value: T): T | undefined {
  return value.length === 0 ? undefined : value;
}

function place({ line, character }: SourceRange['start']): object {
  return { line: line === 0 ? undefined : line, character: character === 0 ? undefined : character };
}

function timeText(at: Nanos | undefined): string | undefined {
  return at === undefined ? undefined : formatNanos(at);
}

function base64(data: string | Uint8Array): string {
  return Buffer.from(data).toString('base64');
}

/** As Go's encoder escapes. */
function goJson(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('>', '\\u003e').replaceAll('&', '\\u0026');
}
