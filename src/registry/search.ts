/** `docker search`: the index's old `/v1/search`. */
import { Fault } from '../std/index.ts';
import type { Hosts } from './hosts.ts';
import type { Transport } from './transport.ts';

export interface SearchResult {
  name: string;
  description: string;
  star_count: number;
  is_official: boolean;
  is_automated: boolean;
}

const defaultIndex = 'https://index.docker.io';
const defaultLimit = 25;
const answerLimit = 4 << 20;

export async function searchIndex(
  transport: Transport,
  hosts: Hosts,
  term: string,
  limit: number,
  signal: AbortSignal,
): Promise<SearchResult[]> {
  if (term === '') throw new Fault('invalid', 'Search term is missing');
  if (limit < 0 || limit > 100) throw new Fault('invalid', `limit ${limit} is outside the range of [1, 100]`);
  const slash = term.indexOf('/');
  const first = slash < 0 ? '' : term.slice(0, slash);
  const elsewhere = /[.:]/.test(first) || first === 'localhost';
  const bases = elsewhere ? await hosts.bases(first) : [{ url: defaultIndex, verify: true }];
  const query = `q=${encodeURIComponent(elsewhere ? term.slice(slash + 1) : term)}&n=${limit === 0 ? defaultLimit : limit}`;
  let failure: unknown;
  for (const base of bases) {
    try {
      const url = `${base.url}/v1/search?${query}`;
      const response = await transport.send({ method: 'GET', url, trust: base, signal });
      const body = await response.read(answerLimit);
      if (response.status !== 200) throw new Fault('internal', `Unexpected status code ${response.status}`);
      const { results } = JSON.parse(body.toString()) as { results?: Partial<SearchResult>[] };
      return (results ?? []).map((result) => ({
        star_count: result.star_count ?? 0,
        is_official: result.is_official ?? false,
        name: result.name ?? '',
        is_automated: false,
        description: result.description ?? '',
      }));
    } catch (error) {
      signal.throwIfAborted();
      failure = error;
    }
  }
  throw failure;
}
