/** Lists of tags (distribution-spec "Listing Tags"): upstream's, page by page; those of what is here where it cannot be asked. */
import { type Reference, referenceName } from '../oci/index.ts';
import { messageOf } from '../std/index.ts';
import type { Catalog } from './catalog.ts';
import { isOutage } from './refusal.ts';
import type { Upstream } from './upstream.ts';

export interface TagList {
  tags: string[];
  /** The query of the next page. */
  next: string | undefined;
  /** Why there may be others; undefined when this is what upstream says. */
  doubt: string | undefined;
}

const mostTags = 10_000;

/** @throws Fault not-found, … as upstream answers */
export async function listTags(
  { upstream, catalog }: { upstream: Upstream; catalog: Catalog },
  reference: Reference,
  query: string,
  signal: AbortSignal,
): Promise<TagList> {
  try {
    return { ...(await upstream.tagPage(reference, query, signal)), doubt: undefined };
  } catch (error) {
    const here = isOutage(error) ? catalog.tags(referenceName(reference)) : [];
    if (here.length === 0) throw error;
    return { ...page(here, new URLSearchParams(query)), doubt: `${messageOf(error)}; these tags are in the cache` };
  }
}

/** @param tags in order */
function page(tags: readonly string[], query: URLSearchParams): Pick<TagList, 'tags' | 'next'> {
  const wanted = Number(query.get('n') ?? mostTags);
  const most = Number.isInteger(wanted) && wanted >= 0 ? Math.min(wanted, mostTags) : mostTags;
  const last = query.get('last') ?? '';
  const rest = tags.filter((tag) => tag > last);
  const shown = rest.slice(0, most);
  const more = shown.length > 0 && shown.length < rest.length;
  return {
    tags: shown,
    next: more ? new URLSearchParams({ n: String(most), last: shown.at(-1)! }).toString() : undefined,
  };
}
