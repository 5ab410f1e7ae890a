/** Questions to registries that change nothing here: distribution inspect, search. */
import { acceptFilters, booleanFilter, type Filters } from '../api/index.ts';
import {
  parseManifest,
  parseObject,
  parseReference,
  type Platform,
  type Reference,
  withDefaultTag,
} from '../oci/index.ts';
import type { Credentials, Registry } from '../registry/index.ts';
import { collectBytes, Fault } from '../std/index.ts';
import { pullFault } from './pull-errors.ts';

const configLimit = 8 << 20;

export async function inspectDistribution(
  registry: Registry,
  ref: string,
  credentials: Credentials | undefined,
  signal: AbortSignal,
): Promise<object> {
  const reference = withDefaultTag(parseReference(ref));
  try {
    return await inspect(registry, reference, credentials, signal);
  } catch (error) {
    throw pullFault(error, reference);
  }
}

async function inspect(
  registry: Registry,
  reference: Reference,
  credentials: Credentials | undefined,
  signal: AbortSignal,
): Promise<object> {
  const { descriptor, bytes } = await registry.resolve(reference, credentials, signal);
  const parsed = parseManifest(bytes, descriptor.mediaType);
  let platforms: Platform[];
  if (parsed.kind === 'index') {
    platforms = parsed.index.manifests.flatMap((each) => (each.platform === undefined ? [] : [each.platform]));
  } else {
    const { config } = parsed.manifest;
    const stream = registry.blob(reference, config, { credentials }, signal);
    const value = parseObject(await collectBytes(stream, configLimit), 'image config');
    const { os, architecture, variant } = value as Partial<Record<string, string>>;
    platforms =
      os === undefined || architecture === undefined
        ? []
        : [{ architecture, os, ...(variant === undefined ? {} : { variant }) }];
  }
  return { Descriptor: descriptor, Platforms: platforms };
}

export async function searchImages(
  registry: Registry,
  options: { term: string; limit: number; filters: Filters },
  signal: AbortSignal,
): Promise<object[]> {
  const { filters } = options;
  acceptFilters(filters, ['is-automated', 'is-official', 'stars']);
  const official = booleanFilter(filters, 'is-official');
  const automated = booleanFilter(filters, 'is-automated');
  const stars = [...(filters.get('stars') ?? [])].map((text) => {
    if (!/^\d+$/.test(text)) throw new Fault('invalid', `invalid filter 'stars=${text}'`);
    return Number(text);
  });
  if (automated === true) return [];
  const found = await registry.search(options.term, options.limit, signal);
  return found.filter(
    (result) =>
      (official === undefined || result.is_official === official) && stars.every((least) => result.star_count >= least),
  );
}
