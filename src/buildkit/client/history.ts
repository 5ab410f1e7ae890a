/** What is asked of a builder about what it built (`docker buildx history`). */
import type { Nanos } from '../../std/index.ts';
import { GrpcClient } from '../grpc/client.ts';
import { empty } from '../message/common.ts';
import {
  historyEvent,
  historyEventType,
  historyRequest,
  statusRequest,
  statusResponse,
  updateHistoryRequest,
} from '../message/control.ts';
import type { Connect } from './build.ts';
import { instant, solveStatus, type SolveStatus } from './status.ts';

export interface PastBuild {
  ref: string;
  /** What it was called with: options of dockerfile.v0. */
  attributes: ReadonlyMap<string, string>;
  /** Names of the image that was asked for. */
  names: readonly string[];
  createdAt: Nanos | undefined;
  /** undefined: it goes on. */
  completedAt: Nanos | undefined;
  error: { code: number; message: string } | undefined;
  steps: { total: number; completed: number; cached: number };
  warnings: number;
}

const control = '/moby.buildkit.v1.Control';

/** The newest first. @throws Fault */
export async function askHistory(
  connect: Connect,
  { filters, limit = 0 }: { filters: readonly string[]; limit?: number },
): Promise<PastBuild[]> {
  using client = new GrpcClient(await connect('grpc', {}));
  using call = client.call(`${control}/ListenBuildHistory`, { request: historyRequest, response: historyEvent });
  await call.send({ earlyExit: true, filter: filters, limit });
  call.end();
  const builds: PastBuild[] = [];
  for await (const { type, record } of call.messages) {
    if (record === undefined || type === historyEventType.deleted) continue;
    builds.push({
      ref: record.ref,
      attributes: record.frontendAttributes,
      names: record.exporters.flatMap(({ attributes }) => (attributes.get('name') ?? '').split(',')).filter(Boolean),
      createdAt: instant(record.createdAt),
      completedAt: instant(record.completedAt),
      error: record.error === undefined ? undefined : { code: record.error.code, message: record.error.message },
      steps: { total: record.totalSteps, completed: record.completedSteps, cached: record.cachedSteps },
      warnings: record.warnings,
    });
  }
  return builds;
}

/** What it told, from its beginning; of one that goes on, to its end. @throws Fault */
export async function askProgress(
  connect: Connect,
  ref: string,
  onStatus: (status: SolveStatus) => void,
): Promise<void> {
  using client = new GrpcClient(await connect('grpc', {}));
  using call = client.call(`${control}/Status`, { request: statusRequest, response: statusResponse });
  await call.send({ ref });
  call.end();
  for await (const message of call.messages) onStatus(solveStatus(message));
}

/** @throws Fault */
export async function forgetBuilds(connect: Connect, refs: readonly string[]): Promise<void> {
  using client = new GrpcClient(await connect('grpc', {}));
  const tables = { request: updateHistoryRequest, response: empty };
  for (const ref of refs) await client.unary(`${control}/UpdateBuildHistory`, tables, { ref, delete: true });
}
