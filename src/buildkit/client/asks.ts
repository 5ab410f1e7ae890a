/** What is asked of a builder beside builds: who it is, and what is in its cache (`docker buildx du`). */
import type { Nanos } from '../../std/index.ts';
import { GrpcClient } from '../grpc/client.ts';
import {
  diskUsageRequest,
  diskUsageResponse,
  listWorkersRequest,
  listWorkersResponse,
  type usageRecord,
} from '../message/control.ts';
import type { Message } from '../protobuf/field.ts';
import type { Connect } from './build.ts';
import { instant } from './status.ts';

export interface UsageRecord {
  id: string;
  mutable: boolean;
  inUse: boolean;
  shared: boolean;
  size: number;
  createdAt: Nanos | undefined;
  lastUsedAt: Nanos | undefined;
  usageCount: number;
  description: string;
  recordType: string;
  parents: readonly string[];
}

const control = '/moby.buildkit.v1.Control';

export interface WorkerTold {
  labels: ReadonlyMap<string, string>;
  platforms: readonly { os: string; architecture: string; variant: string }[];
}

/** Who builds. @throws Fault */
export async function askWorker(connect: Connect): Promise<WorkerTold> {
  using client = new GrpcClient(await connect('grpc', {}));
  const tables = { request: listWorkersRequest, response: listWorkersResponse };
  const { record } = await client.unary(`${control}/ListWorkers`, tables, {});
  return record[0] ?? { labels: new Map(), platforms: [] };
}

/** The smallest first. @throws Fault */
export async function askUsage(connect: Connect, filters: readonly string[]): Promise<UsageRecord[]> {
  using client = new GrpcClient(await connect('grpc', {}));
  const tables = { request: diskUsageRequest, response: diskUsageResponse };
  const { record } = await client.unary(`${control}/DiskUsage`, tables, { filter: filters });
  return record.map(usage).sort((a, b) => a.size - b.size || (a.id < b.id ? 1 : -1));
}

function usage({ createdAt, lastUsedAt, ...record }: Message<typeof usageRecord>): UsageRecord {
  return { ...record, createdAt: instant(createdAt), lastUsedAt: instant(lastUsedAt) };
}
