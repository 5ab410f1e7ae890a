/** The tags of a repository (distribution-spec "Listing Tags"), page by page, with bounds on all that a registry may send. */
import { parseObject, type Reference } from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { registryFault } from './fault.ts';
import type { Session } from './session.ts';

const pageBytes = 16 << 20;
const pageLimit = 10_000;
/** No honest repository has more. */
const tagLimit = 1_000_000;

/** @throws RegistryFault; Fault invalid beyond the bounds */
export async function listTags(session: Session, reference: Reference, signal: AbortSignal): Promise<string[]> {
  const tags = new Set<string>();
  const seen = new Set<string>();
  let url: string | undefined = session.url(`/v2/${reference.path}/tags/list`);
  // A page that leads back would never end.
  while (url !== undefined && !seen.has(url)) {
    seen.add(url);
    const page = await readPage(session, reference, url, signal);
    for (const tag of page.tags) tags.add(tag);
    if (tags.size > tagLimit || seen.size > pageLimit) {
      throw new Fault(
        'invalid',
        `Cannot list the tags of ${reference.path}: more than ${tagLimit} tags or ${pageLimit} pages`,
      );
    }
    url = page.next;
  }
  return [...tags];
}

export interface TagPage {
  tags: string[];
  /** The query of the next page; undefined for the last. */
  next: string | undefined;
}

/** One page. @param query as the registry understands it (`n`, `last`, or what its last page named); "" for the first */
export async function listTagPage(
  session: Session,
  reference: Reference,
  query: string,
  signal: AbortSignal,
): Promise<TagPage> {
  const path = `/v2/${reference.path}/tags/list${query === '' ? '' : `?${query}`}`;
  const { tags, next } = await readPage(session, reference, session.url(path), signal);
  return { tags, next: next === undefined ? undefined : new URL(next).search.slice(1) };
}

async function readPage(
  session: Session,
  reference: Reference,
  url: string,
  signal: AbortSignal,
): Promise<{ tags: string[]; next: string | undefined }> {
  const response = await session.send({ method: 'GET', url, scope: `repository:${reference.path}:pull`, signal });
  if (response.status !== 200) throw await registryFault(response, 'NAME_UNKNOWN');
  const link = response.headers['link'] ?? '';
  const body = parseObject(await response.read(pageBytes), 'tag list');
  // null is Go's empty list.
  const page = (body['tags'] ?? []) as unknown;
  if (!Array.isArray(page)) throw new Fault('invalid', 'Cannot read tag list: "tags" is not a list');
  const tags = page.filter((tag): tag is string => typeof tag === 'string' && /^\w[\w.-]{0,127}$/.test(tag));
  return { tags, next: nextPage(link, url) };
}

/** Link (RFC 8288). A page elsewhere would take the credentials elsewhere. */
function nextPage(link: string, url: string): string | undefined {
  const next = /<([^>]+)>\s*;[^,]*\brel="?next"?/.exec(link)?.[1];
  if (next === undefined || !URL.canParse(next, url)) return undefined;
  const target = new URL(next, url);
  return target.origin === new URL(url).origin ? target.href : undefined;
}
