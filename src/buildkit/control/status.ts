/** Build events as moby.buildkit.v1.StatusResponse, what clients draw their progress from. */
import type { BuildEvent, BuildSourceRange } from '../../api/index.ts';
import { type Nanos, parseRfc3339 } from '../../std/index.ts';
import type { timestamp } from '../message/common.ts';
import type { statusResponse } from '../message/control.ts';
import type { MessageInit } from '../protobuf/field.ts';

export type StatusMessage = MessageInit<typeof statusResponse>;

/** undefined: nothing that these clients know. */
export function statusMessage(event: BuildEvent): StatusMessage | undefined {
  switch (event.kind) {
    case 'vertex': {
      const { digest, name, inputs, cached, error } = event;
      return {
        vertexes: [{ digest, name, inputs, cached, error, started: at(event.started), completed: at(event.completed) }],
      };
    }
    case 'status': {
      const { vertex, id, name, current, total } = event;
      const times = { timestamp: at(event.timestamp), started: at(event.started), completed: at(event.completed) };
      return { statuses: [{ vertex, id, name, current, total, ...times }] };
    }
    case 'log': {
      const { vertex, data, stream } = event;
      return { logs: [{ vertex, message: data, stream: stream === 'stdout' ? 1 : 2, timestamp: at(event.timestamp) }] };
    }
    case 'warning': {
      const { vertex, level, short, detail, url, range, text } = event;
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
