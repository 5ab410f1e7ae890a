/** The documents: searched as one types, walked with the arrows. */
import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { DocumentItem, Page } from '../../../api.ts';
import { getJson } from '../lib/client.ts';
import { ago, size } from '../lib/format.ts';
import { navigate } from '../lib/router.ts';

const debounceMs = 120;
const pageSize = 50;

export interface ListProps {
  search: RefObject<HTMLInputElement>;
  current: string | undefined;
  /** Changes when the list may have. */
  tick: number;
}

export function List({ search, current, tick }: ListProps) {
  const [query, setQuery] = useState('');
  const [type, setType] = useState('');
  const [items, setItems] = useState<readonly DocumentItem[]>();
  const [total, setTotal] = useState(0);
  const [failure, setFailure] = useState<string>();
  const [page, setPage] = useState(1);
  const list = useRef<HTMLUListElement>(null);

  useEffect(() => {
    const stop = new AbortController();
    const timer = setTimeout(
      async () => {
        try {
          const parameters = new URLSearchParams({
            query,
            page: String(page),
            page_size: String(pageSize),
            ...(type === '' ? {} : { type }),
            ...(query === '' ? { sort: 'updated' } : {}),
          });
          const found = await getJson<Page<DocumentItem>>(`/v1/documents?${parameters.toString()}`, stop.signal);
          setItems((before) => (page === 1 ? found.items : [...(before ?? []), ...found.items]));
          setTotal(found.total_items);
          setFailure(undefined);
        } catch (error) {
          if (!stop.signal.aborted) setFailure((error as Error).message);
        }
      },
      query === '' ? 0 : debounceMs,
    );
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [query, type, page, tick]);

  const keyed = (event: KeyboardEvent): void => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const links = [...(list.current?.querySelectorAll('a') ?? [])];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    const next = event.key === 'ArrowDown' ? links[at + 1] : at <= 0 ? search.current : links[at - 1];
    event.preventDefault();
    next?.focus();
  };

  return (
    <nav class="list" aria-label="Documents" onKeyDown={keyed}>
      <div class="search">
        <input
          ref={search}
          type="search"
          placeholder="Search"
          aria-label="Search"
          autocomplete="off"
          spellcheck={false}
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setPage(1);
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && items?.[0] !== undefined) navigate(`/d/${items[0].id}`);
          }}
        />
        <div class="segments" role="group" aria-label="Kind">
          {(
            [
              ['', 'All'],
              ['note', 'Notes'],
              ['file', 'Files'],
            ] as const
          ).map(([value, label]) => (
            <button
              type="button"
              key={value}
              aria-pressed={type === value}
              onClick={() => {
                setType(value);
                setPage(1);
              }}
            >
              {label}
            </button>
          ))}
        </div>
      </div>
      <p class="count" role="status">
        {failure ??
          (items === undefined
            ? ''
            : query === ''
              ? `${total} ${total === 1 ? 'document' : 'documents'}`
              : `${total >= 1000 ? 'over 1,000' : total} found`)}
      </p>
      <ul ref={list}>
        {items?.map((each) => (
          <li key={each.id}>
            <a href={`/d/${each.id}`} aria-current={each.id === current ? 'page' : undefined}>
              <span class="title">{each.title}</span>
              {each.excerpt.length > 0 ? (
                <span class="excerpt">
                  {each.excerpt.map(({ text, found }, index) => (found ? <mark key={index}>{text}</mark> : text))}
                </span>
              ) : (
                <span class="meta">
                  {ago(each.updated_at)}
                  {each.type === 'file' ? ` · ${kindOf(each.content_type)} · ${size(each.size)}` : ''}
                </span>
              )}
            </a>
          </li>
        ))}
      </ul>
      {items !== undefined && items.length === 0 && (
        <p class="hint">
          {query === ''
            ? 'Nothing here yet. Write a note (n), or drop files anywhere on this page.'
            : 'Nothing has these words. Fewer of them, or the beginning of one, may find it.'}
        </p>
      )}
      {items !== undefined && items.length < total && items.length < 1000 && (
        <button type="button" class="more" onClick={() => setPage((before) => before + 1)}>
          More
        </button>
      )}
    </nav>
  );
}

export function kindOf(type: string): string {
  const known: Readonly<Record<string, string>> = {
    'application/pdf': 'PDF',
    'application/json': 'JSON',
    'text/html': 'HTML',
    'image/svg+xml': 'SVG',
    'text/plain': 'text',
    'application/octet-stream': 'file',
    'text/markdown': 'Markdown',
  };
  return known[type] ?? type.split('/').at(-1)!.replace(/^x-/, '');
}
