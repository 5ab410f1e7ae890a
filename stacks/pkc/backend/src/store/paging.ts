/** Pages of lists, counted from 1. */
import type { Page } from '../../../api.ts';
import { invalid } from '../http/problem.ts';

export interface Paging {
  page: number;
  size: number;
  offset: number;
}

/** @throws Refusal 400 */
export function pagingOf(query: URLSearchParams, usual = 20): Paging {
  const page = whole(query, 'page', 1, 1_000_000);
  const size = whole(query, 'page_size', usual, 500);
  return { page, size, offset: (page - 1) * size };
}

function whole(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = query.get(name);
  if (text === null || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > most)
    throw invalid(`${name} must be a whole number from 1 to ${most}, not ${JSON.stringify(text)}.`);
  return value;
}

export function pageOf<Item>(items: readonly Item[], { page, size }: Paging, total: number): Page<Item> {
  const pages = Math.ceil(total / size);
  return {
    items,
    page,
    page_size: size,
    total_items: total,
    total_pages: pages,
    has_next: page < pages,
    has_previous: page > 1 && pages > 0,
  };
}
