/** Finding documents by their words, as one types, and by the beginning of a hash. */
import type { DocumentItem, Page } from '../../../api.ts';
import { excerptOf, plainText, wordsOf } from '../text/words.ts';
import type { Database } from './database.ts';
import { itemColumns } from './documents.ts';
import { pageOf, type Paging } from './paging.ts';

export interface Wanted {
  query: string;
  type: 'note' | 'file' | undefined;
  sort: 'relevance' | 'updated' | 'title';
}

/** So many matches are weighed against each other; more are not counted: a word that everything has finds nothing in particular. */
const candidates = 1000;

type Found = Omit<DocumentItem, 'excerpt'> & { body: string; total: number };

export async function searchDocuments(database: Database, wanted: Wanted, paging: Paging): Promise<Page<DocumentItem>> {
  const query = wanted.query.trim().slice(0, 500).replaceAll('\u0000', '');
  if (query === '') return listDocuments(database, wanted, paging);
  const words = tsQuery(query);
  if (words === '') return pageOf([], paging, 0);
  const isHash = /^[\da-f]{4,64}$/i.test(query);
  const order = {
    relevance: `(d.hash LIKE $2) DESC, ts_rank(d.words, q) DESC, d.updated_at DESC, d.id`,
    updated: 'd.updated_at DESC, d.id',
    title: 'd.normal_title, d.id',
  }[wanted.sort];
  const live = 'd.deleted_at IS NULL AND ($1::text IS NULL OR d.type = $1)';
  // Titles first: of a common word, those that are named by it must be among the candidates.
  const found = await database.query<Found>(
    `WITH pool AS (
       (SELECT d.id FROM documents d WHERE d.normal_title LIKE $3 AND ${live} LIMIT 100)
       UNION (SELECT d.id FROM documents d WHERE d.hash LIKE $2 AND ${live} LIMIT 100)
       UNION (SELECT d.id FROM documents d WHERE d.words @@ to_tsquery('simple', $4) AND ${live} LIMIT ${candidates})
     ),
     ranked AS (
       SELECT d.id, row_number() OVER (ORDER BY ${order}) AS place, count(*) OVER () AS total
       FROM pool JOIN documents d USING (id), to_tsquery('simple', $4) q
     )
     SELECT ${itemColumns}, left(c.body, 20000) AS body, ranked.total FROM ranked JOIN documents d USING (id) JOIN cards c ON c.hash = d.hash
     WHERE place > $5 AND place <= $6 ORDER BY place`,
    [
      wanted.type ?? null,
      // Nothing else is called that.
      isHash ? `${query.toLowerCase()}%` : '-',
      `${query.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`,
      words,
      paging.offset,
      paging.offset + paging.size,
    ],
  );
  const marked = wordsOf(query);
  return pageOf(
    found.map(({ body, total, ...row }) => ({
      ...row,
      excerpt: excerptOf(row.type === 'note' ? plainText(body) : body, total === 0 ? [] : marked),
    })),
    paging,
    found[0]?.total ?? 0,
  );
}

async function listDocuments(database: Database, { type, sort }: Wanted, paging: Paging): Promise<Page<DocumentItem>> {
  const order = sort === 'title' ? 'd.normal_title, d.id' : 'd.updated_at DESC, d.id';
  const [count] = await database.query<{ count: number }>(
    'SELECT count(*) AS count FROM documents WHERE deleted_at IS NULL AND ($1::text IS NULL OR type = $1)',
    [type ?? null],
  );
  const rows = await database.query<Omit<DocumentItem, 'excerpt'>>(
    `SELECT ${itemColumns} FROM documents d JOIN cards c USING (hash)
     WHERE d.deleted_at IS NULL AND ($1::text IS NULL OR d.type = $1) ORDER BY ${order} LIMIT $2 OFFSET $3`,
    [type ?? null, paging.size, paging.offset],
  );
  return pageOf(
    rows.map((row) => ({ ...row, excerpt: [] })),
    paging,
    count?.count ?? 0,
  );
}

/** As people write a search: words, "phrases", -without; the last word may be unfinished. In to_tsquery's own language. Pure. */
export function tsQuery(text: string): string {
  const terms: string[] = [];
  for (const match of text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/g)) {
    const [, minus, phrase, word] = match;
    const lexemes = ((phrase ?? word ?? '').match(/[\p{L}\p{N}]+/gu) ?? [])
      .slice(0, 20)
      .map((each) => `'${each.toLowerCase()}'`);
    if (lexemes.length === 0 || terms.length >= 30) continue;
    const isOpen = phrase === undefined && match.index + match[0].length === text.length;
    if (isOpen) lexemes[lexemes.length - 1] += ':*';
    const term = lexemes.length === 1 ? lexemes[0]! : `(${lexemes.join(' <-> ')})`;
    terms.push(minus === '-' ? `!${term}` : term);
  }
  return terms.join(' & ');
}
