/** The build cache, listed and pruned (`docker buildx du`, `docker buildx prune`). */
import type { Nanos } from '../../std/index.ts';
import { GrpcClient } from '../grpc/client.ts';
import { diskUsageRequest, diskUsageResponse, pruneRequest, usageRecord } from '../message/control.ts';
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

export interface PruneAsk {
  all: boolean;
  /** containerd's filters: "type==regular", "id~=abc". */
  filters: readonly string[];
  /** Nanoseconds; what was used since then stays. */
  keepDuration: number;
  /** Bytes; 0 is not said. */
  reservedSpace: number;
  maxUsedSpace: number;
  minFreeSpace: number;
}

const control = '/moby.buildkit.v1.Control';

/** The smallest first. @throws Fault */
export async function askUsage(connect: Connect, filters: readonly string[]): Promise<UsageRecord[]> {
  using client = new GrpcClient(await connect('grpc', {}));
  const tables = { request: diskUsageRequest, response: diskUsageResponse };
  const { record } = await client.unary(`${control}/DiskUsage`, tables, { filter: filters });
  return record.map(usage).sort((a, b) => a.size - b.size || (a.id < b.id ? 1 : -1));
}

/** What went, as it goes. @throws Fault */
export async function* askPrune(connect: Connect, ask: PruneAsk): AsyncGenerator<UsageRecord, void, void> {
  using client = new GrpcClient(await connect('grpc', {}));
  using call = client.call(`${control}/Prune`, { request: pruneRequest, response: usageRecord });
  const { filters, ...rest } = ask;
  await call.send({ filter: filters, ...rest });
  call.end();
  for await (const record of call.messages) yield usage(record);
}

function usage({ createdAt, lastUsedAt, ...record }: Message<typeof usageRecord>): UsageRecord {
  return { ...record, createdAt: instant(createdAt), lastUsedAt: instant(lastUsedAt) };
}
