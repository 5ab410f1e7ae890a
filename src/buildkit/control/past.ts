/** moby.buildkit.v1.Control's part about what was built (`docker buildx history`). */
import { type Method, streaming, unary } from '../grpc/service.ts';
import { historyFilter } from '../history/filter.ts';
import type { BuildHistory, HistoryEvent, Recorder } from '../history/history.ts';
import type { BuildRecord } from '../history/record.ts';
import { empty } from '../message/common.ts';
import {
  historyEvent,
  historyEventType,
  type historyRecord,
  historyRequest,
  type solveRequest,
  updateHistoryRequest,
} from '../message/control.ts';
import type { Message, MessageInit } from '../protobuf/field.ts';
import { at } from './status.ts';

const service = '/moby.buildkit.v1.Control';

export function pastMethods(history: BuildHistory): [string, Method][] {
  return [
    [
      `${service}/ListenBuildHistory`,
      streaming(historyRequest, historyEvent, (request, call) => listen(history, request, call.signal)),
    ],
    [
      `${service}/UpdateBuildHistory`,
      unary(updateHistoryRequest, empty, async ({ ref, pinned, delete: isDeleted, finalize }) => {
        if (isDeleted) history.delete(ref);
        else if (!finalize) await history.pin(ref, pinned);
        return {};
      }),
    ],
  ];
}

/** What is kept of a client's Solve; undefined for those that clients make for themselves. */
export function recorded(history: BuildHistory, request: Message<typeof solveRequest>): Recorder | undefined {
  if (request.internal || request.ref === '') return undefined;
  const single = request.exporter === '' ? [] : [{ type: request.exporter, attributes: request.exporterAttributes }];
  return history.begin({
    ref: request.ref,
    frontend: request.frontend,
    attributes: Object.fromEntries(request.frontendAttributes),
    exporters: (request.exporters.length > 0 ? request.exporters : single).map(({ type, attributes }) => ({
      type,
      attributes: Object.fromEntries(attributes),
    })),
  });
}

async function* listen(
  history: BuildHistory,
  { activeOnly, ref, earlyExit, filter, limit }: Message<typeof historyRequest>,
  signal: AbortSignal,
): AsyncGenerator<MessageInit<typeof historyEvent>, void, void> {
  const passes = historyFilter(filter);
  const isWanted = (record: BuildRecord): boolean =>
    (ref === '' || record.ref === ref) && !(activeOnly && record.completedAt !== null) && passes(record);
  const { events, stop } = history.listen();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const found = history.records().filter(isWanted);
    for (const record of limit > 0 ? found.slice(0, limit) : found)
      yield eventMessage({ type: record.completedAt === null ? 'started' : 'complete', record });
    if (earlyExit) return;
    for await (const event of events) {
      const isEnd = activeOnly && event.type !== 'started' && (ref === '' || event.record.ref === ref);
      if (isEnd || isWanted(event.record)) yield eventMessage(event);
    }
  } finally {
    stop();
    signal.removeEventListener('abort', stop);
  }
}

function eventMessage({ type, record }: HistoryEvent): MessageInit<typeof historyEvent> {
  return { type: historyEventType[type], record: recordMessage(record) };
}

function recordMessage(record: BuildRecord): MessageInit<typeof historyRecord> {
  const { ref, frontend, attributes, exporters, error, createdAt, completedAt, response, steps } = record;
  return {
    ref,
    frontend,
    frontendAttributes: new Map(Object.entries(attributes)),
    exporters: exporters.map((each) => ({ type: each.type, attributes: new Map(Object.entries(each.attributes)) })),
    ...(error === null
      ? {}
      : {
          error: {
            code: error.code,
            message: error.message,
            details: error.details.map(({ typeUrl, value }) => ({ typeUrl, value: Buffer.from(value, 'base64') })),
          },
        }),
    createdAt: at(createdAt),
    completedAt: completedAt === null ? undefined : at(completedAt),
    exporterResponse: new Map(Object.entries(response)),
    generation: record.generation,
    pinned: record.pinned,
    cachedSteps: steps.cached,
    totalSteps: steps.total,
    completedSteps: steps.completed,
    warnings: record.warnings,
  };
}
