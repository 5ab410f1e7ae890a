/** The build cache as it is listed and pruned: results of steps, and the folders of cache mounts. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildCacheRecord, Builds } from '../../api/index.ts';
import { diskUsage } from '../../linux/index.ts';
import { chainIds, type Digest, digestHex } from '../../oci/index.ts';
import { Fault, parseApiTime, parseGoDuration } from '../../std/index.ts';
import type { StepRecord } from '../result/results.ts';
import { rootChain } from '../result/root.ts';
import type { BuilderContext } from './builder-context.ts';

/** A listed record and how to delete it; returns the bytes that came free. */
export interface CacheEntry {
  record: BuildCacheRecord;
  remove: () => Promise<number>;
}

type PruneOptions = Parameters<Builds['prune']>[0];

/** The oldest first. */
export async function cacheEntries(context: BuilderContext): Promise<CacheEntry[]> {
  const entries = [...stepEntries(context), ...(await mountEntries(context)), ...sourceEntries(context)];
  return entries.sort((a, b) => (usedAt(a.record) < usedAt(b.record) ? -1 : 1));
}

function stepEntries({ solving: { results }, snapshots, content, images }: BuilderContext): CacheEntry[] {
  const holdings = images.holdings();
  const imageChains = new Set(holdings.flatMap(({ chain }) => chain));
  const imageBlobs = new Set<string>(holdings.flatMap(({ blobs }) => blobs));
  const records = results.list().sort((a, b) => a.diffIds.length - b.diffIds.length);
  const byChain = new Map<string, StepRecord>();
  for (const record of records) byChain.set(rootChain(record) ?? '', record);
  const seen = new Set<string>();
  return records.map((record) => {
    const chain = rootChain(record);
    const layer = record.layers.at(-1);
    const isFirst = chain !== undefined && !seen.has(chain);
    if (chain !== undefined) seen.add(chain);
    const blob = layer !== undefined && !imageBlobs.has(layer.digest) && content.has(layer.digest) ? layer.size : 0;
    const size = isFirst && snapshots.has(chain) ? snapshots.layerSize(chain) + blob : 0;
    const parent = byChain.get(rootChain({ ...record, diffIds: record.diffIds.slice(0, -1) }) ?? 'none');
    return {
      record: {
        id: idOf(record.key),
        type: 'regular',
        description: record.description,
        size,
        createdAt: record.createdAt,
        lastUsedAt: record.usageCount === 0 ? undefined : record.lastUsedAt,
        usageCount: record.usageCount,
        inUse: false,
        shared: chain !== undefined && imageChains.has(chain),
        parents: parent === undefined ? [] : [idOf(parent.key)],
      },
      remove: () => results.forget([record.key]),
    };
  });
}

async function mountEntries({ solving: { cacheMounts } }: BuilderContext): Promise<CacheEntry[]> {
  const entries: CacheEntry[] = [];
  for (const { name, path, id, target, createdAt, lastUsedAt, usageCount, inUse } of cacheMounts.list()) {
    const size = await diskUsage(path);
    entries.push({
      record: {
        id: name.slice(0, idLength),
        type: 'exec.cachemount',
        description: `cached mount ${target} with id ${JSON.stringify(id)}`,
        size,
        createdAt,
        lastUsedAt,
        usageCount,
        inUse,
        shared: false,
        parents: [],
      },
      remove: async () => ((await cacheMounts.remove(name)) ? size : 0),
    });
  }
  return entries;
}

/** Repositories are what checkouts are made from; in BuildKit's words they are no checkouts but shared. */
function sourceEntries({ sources }: BuilderContext): CacheEntry[] {
  return sources.list().map(({ id, kind, description, size, createdAt, lastUsedAt, usageCount, inUse }) => ({
    record: {
      id,
      type: kind === 'http' ? 'regular' : 'source.git.checkout',
      description,
      size,
      createdAt,
      lastUsedAt,
      usageCount,
      inUse,
      shared: false,
      parents: [],
    },
    remove: async () => {
      await sources.forget([id]);
      return size;
    },
  }));
}

/** What of the disk is the cache's alone: layers, blobs and folders that no image has. */
export async function cacheUsage({ folder, solving, snapshots, content, images, sources }: BuilderContext): Promise<{
  records: number;
  chains: ReadonlySet<string>;
  blobs: ReadonlySet<string>;
  folders: { path: string; size: number }[];
}> {
  const holdings = images.holdings();
  const imageChains = new Set(holdings.flatMap(({ chain }) => chain));
  const imageBlobs = new Set<string>(holdings.flatMap(({ blobs }) => blobs));
  const chains = new Set<string>();
  const blobs = new Set<string>();
  const records = solving.results.list();
  for (const { diffIds, layers } of records) {
    for (const chain of chainIds(diffIds)) if (snapshots.has(chain) && !imageChains.has(chain)) chains.add(chain);
    for (const { digest } of layers) if (content.has(digest) && !imageBlobs.has(digest)) blobs.add(digest);
  }
  const folders: { path: string; size: number }[] = [];
  for (const name of ['cache-mounts', 'contexts', 'exports', 'sources']) {
    const path = join(folder, name);
    if (existsSync(path)) folders.push({ path, size: await diskUsage(path) });
  }
  const others = solving.cacheMounts.list().length + sources.list().length;
  return { records: records.length + others, chains, blobs, folders };
}

/**
 * Deletes what is asked for, what was not used for longest first, until `keepBytes` are left. Without `all`, what images share stays, as in
 * BuildKit. What goes on to need a deleted layer keeps it. @throws Fault invalid for a filter that cannot be read
 */
export async function pruneCache(
  context: BuilderContext,
  { all, keepBytes, filters }: PruneOptions,
  now: Date,
): Promise<{ deleted: string[]; reclaimed: number }> {
  const entries = await cacheEntries(context);
  const isWanted = cacheFilter(filters, now);
  let left = entries.reduce((sum, { record }) => sum + record.size, 0);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const { record, remove } of entries) {
    if (keepBytes !== undefined && left <= keepBytes) break;
    if (record.inUse || (record.shared && !all) || !isWanted(record)) continue;
    const freed = await remove();
    if (record.type === 'exec.cachemount' && freed === 0 && record.size > 0) continue;
    deleted.push(record.id);
    reclaimed += freed;
    left -= record.size;
  }
  return { deleted, reclaimed };
}

const flags: Readonly<Record<string, (record: BuildCacheRecord) => boolean>> = {
  inuse: ({ inUse }) => inUse,
  shared: ({ shared }) => shared,
  private: ({ shared }) => !shared,
  mutable: ({ type }) => type === 'exec.cachemount' || type === 'source.local',
  immutable: ({ type }) => type !== 'exec.cachemount' && type !== 'source.local',
};

/** Filters of `docker builder prune`. All must hold; of one key any value. @throws Fault invalid */
export function cacheFilter(filters: PruneOptions['filters'], now: Date): (record: BuildCacheRecord) => boolean {
  const tests = [...filters].map(([key, values]) => filterTest(key, [...values], now));
  return (record) => tests.every((test) => test(record));
}

function filterTest(key: string, values: readonly string[], now: Date): (record: BuildCacheRecord) => boolean {
  const flag = Object.hasOwn(flags, key) ? flags[key] : undefined;
  if (flag !== undefined) {
    const wanted = !values.some((value) => value === 'false' || value === '0');
    return (record) => flag(record) === wanted;
  }
  switch (key) {
    case 'until':
    case 'unused-for': {
      const before = Math.min(...values.map((value) => untilTime(key, value, now)));
      return (record) => Date.parse(usedAt(record)) <= before;
    }
    case 'id':
      return ({ id }) => values.some((value) => id.startsWith(value));
    case 'parents':
    case 'parent':
      return ({ parents }) => values.some((value) => parents.some((id) => id.startsWith(value)));
    case 'type':
      return ({ type }) => values.includes(type);
    case 'description':
      return ({ description }) => values.some((value) => description.includes(value));
    default:
      throw new Fault('invalid', `invalid filter '${key}'`);
  }
}

/** A duration before now, or a time. */
function untilTime(key: string, value: string, now: Date): number {
  const duration = parseGoDuration(value);
  if (duration !== undefined) return now.getTime() - duration / 1e6;
  const time = parseApiTime(value);
  if (time === undefined)
    throw new Fault('invalid', `invalid filter '${key}=${value}': want a duration (24h) or a time`);
  return Number(time / 1_000_000n);
}

function usedAt({ lastUsedAt, createdAt }: BuildCacheRecord): string {
  return lastUsedAt ?? createdAt;
}

const idLength = 25;

/** As long as BuildKit's. */
function idOf(key: Digest): string {
  return digestHex(key).slice(0, idLength);
}
