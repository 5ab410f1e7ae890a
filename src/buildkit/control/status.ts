/** Build events as moby.buildkit.v1.StatusResponse, what clients draw their progress from. */
import { createHash } from 'node:crypto';
import type { BuildEvent, BuildSourceRange } from '../../api/index.ts';
import { type Nanos, parseRfc3339 } from '../../std/index.ts';
import type { timestamp } from '../message/common.ts';
import type { statusResponse } from '../message/control.ts';
import type { MessageInit } from '../protobuf/field.ts';

export type StatusMessage = MessageInit<typeof statusResponse>;

/** What a vertex is called for the client. */
export type VertexName = (digest: string) => string;

/** A step of that build, as its client knows it. */
export function vertexName(build: string, digest: string): string {
  return `sha256:${createHash('sha256').update(`${build} ${digest}`).digest('hex')}`;
}

/** Steps are unique in their build; a client can follow several at once (`docker buildx bake`), and tells them by their digests alone. */
export function vertexNames(build: string): VertexName {
  const names = new Map<string, string>();
  return (digest) => {
    let name = names.get(digest);
    if (name === undefined) {
      name = vertexName(build, digest);
      names.set(digest, name);
    }
    return name;
  };
}

/** undefined: nothing that these clients know. */
export function statusMessage(event: BuildEvent, nameOf: VertexName): StatusMessage | undefined {
  switch (event.kind) {
    case 'vertex': {
      const { name, cached, error } = event;
      const digest = nameOf(event.digest);
      const inputs = event.inputs.map(nameOf);
      return {
        vertexes: [{ digest, name, inputs, cached, error, started: at(event.started), completed: at(event.completed) }],
      };
    }
    case 'status': {
      const { id, name, current, total } = event;
      const vertex = nameOf(event.vertex);
      const times = { timestamp: at(event.timestamp), started: at(event.started), completed: at(event.completed) };
      return { statuses: [{ vertex, id, name, current, total, ...times }] };
    }
    case 'log': {
      const { data, stream } = event;
      const vertex = nameOf(event.vertex);
      return { logs: [{ vertex, message: data, stream: stream === 'stdout' ? 1 : 2, timestamp: at(event.timestamp) }] };
    }
    case 'warning': {
      const { level, short, detail, url, range, text } = event;
      const vertex = nameOf(event.vertex);
      const place = range === undefined ? {} : { info: sourceInfoOf(range.file, text), ranges: [rangeOf(range)] };
      return {
        warnings: [
          { vertex, level, url, short: Buffer.from(short), detail: detail.map((line) => Buffer.from(line)), ...place },
        ],
      };
    }
    default:
      return undefined;
  }
}

export function at(time: string | undefined): MessageInit<typeof timestamp> | undefined {
  const nanos: Nanos | undefined = time === undefined ? undefined : parseRfc3339(time);
  if (nanos === undefined) return undefined;
  return { seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) };
}

export function sourceInfoOf(file: string, text: string): { filename: string; data: Uint8Array; language: string } {
  return { filename: file, data: Buffer.from(text), language: 'Dockerfile' };
}

interface Place {
  line: number;
  character: number;
}

/** Lines from 1 and characters from 0, as in solver/pb. */
export function rangeOf({ start, end }: BuildSourceRange): { start: Place; end: Place } {
  const place = ({ line, column }: BuildSourceRange['start']): Place => ({ line, character: Math.max(0, column - 1) });
  return { start: place(start), end: place(end) };
}
