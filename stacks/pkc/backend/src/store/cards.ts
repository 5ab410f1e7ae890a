/** Cards: content by its SHA-256, in the database or, when large, beside it. */
import type { CardItem, CardMetadata, CardStored, Page } from '../../../api.ts';
import { notFound } from '../http/problem.ts';
import { searchText } from '../text/extract.ts';
import { mediaType } from '../text/media-type.ts';
import type { Arrived, Blobs } from './blobs.ts';
import type { Client, Database } from './database.ts';
import { pageOf, type Paging } from './paging.ts';

/** `g_time`, of a timestamptz named `column`. */
export const gTime = (column: string): string =>
  `'sha256|' || to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '|UTC'`;

export interface StoredContent {
  size: number;
  content_type: string;
  filename: string | null;
  /** null: read it from the files. */
  content: Buffer | null;
}

export class Cards {
  readonly #database: Database;
  readonly #blobs: Blobs;

  constructor(database: Database, blobs: Blobs) {
    this.#database = database;
    this.#blobs = blobs;
  }

  /**
   * Stores what arrived, and with it, in the same transaction, what `then` makes of it. Content that is here is not stored again.
   * The file has its name before the row that names it is there, and nobody deletes the same hash meanwhile.
   */
  async store<T>(
    arrived: Arrived,
    {
      filename,
      metadata,
      type,
    }: { filename: string | null; metadata: Readonly<Record<string, unknown>>; type?: string },
    then: (client: Client, card: CardStored & { existed: boolean; body: string }) => Promise<T>,
  ): Promise<T> {
    const { hash, size, head, beginning, isSmall } = arrived;
    const contentType = type ?? mediaType(head, filename ?? undefined, isSmall && head.length === size);
    const body = searchText(contentType, beginning);
    return this.#database.alone(hash, async () => {
      await arrived.keep();
      return this.#database.transaction(async (client) => {
        const { rows } = await client.query<CardStored & { existed: boolean; body: string }>(
          `WITH made AS (
             INSERT INTO cards (hash, size, content_type, content, filename, metadata, body)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash) DO NOTHING RETURNING *
           )
           SELECT hash, content_type, ${gTime('first_seen')} AS g_time, false AS existed, body FROM made
           UNION ALL
           SELECT hash, content_type, ${gTime('first_seen')}, true, body FROM cards WHERE hash = $1`,
          [
            hash,
            size,
            contentType,
            isSmall ? beginning : null,
            filename,
            JSON.stringify(metadata).replaceAll('\\u0000', ''),
            body,
          ],
        );
        return then(client, rows[0]!);
      });
    });
  }

  /** @throws Refusal 404 */
  async content(hash: string): Promise<StoredContent> {
    const [found] = await this.#database.query<StoredContent>(
      'SELECT size, content_type, filename, content FROM cards WHERE hash = $1',
      [hash],
    );
    if (found === undefined) throw notFound(`The card ${hash}`);
    return found;
  }

  /** @throws Refusal 404 */
  async metadata(hash: string): Promise<CardMetadata> {
    const [found] = await this.#database.query<CardMetadata>(
      `SELECT c.hash, c.content_type, ${gTime('c.first_seen')} AS g_time, c.size, c.filename, c.metadata,
         (SELECT id FROM documents WHERE hash = c.hash ORDER BY deleted_at NULLS FIRST, created_at LIMIT 1) AS document_id
       FROM cards c WHERE c.hash = $1`,
      [hash],
    );
    if (found === undefined) throw notFound(`The card ${hash}`);
    return found;
  }

  /** The newest content of what is not in the trash, the last first; `partial` is the beginning of a hash, or any part of one. */
  async list(paging: Paging, partial?: string): Promise<Page<CardItem>> {
    const where = partial === undefined ? '' : `AND d.hash LIKE $3`;
    const values = partial === undefined ? [] : [`${partial.length >= 4 ? '' : '%'}${partial}%`];
    const [count] = await this.#database.query<{ count: number }>(
      `SELECT count(DISTINCT d.hash) AS count FROM documents d WHERE d.deleted_at IS NULL ${where.replace('$3', '$1')}`,
      values,
    );
    const items = await this.#database.query<CardItem>(
      `SELECT hash, content_type, g_time, size, filename, document_id FROM (
         SELECT DISTINCT ON (d.hash) c.hash, c.content_type, ${gTime('c.first_seen')} AS g_time, c.size, c.filename, d.id AS document_id, d.updated_at
         FROM documents d JOIN cards c USING (hash) WHERE d.deleted_at IS NULL ${where} ORDER BY d.hash, d.updated_at DESC
       ) found ORDER BY updated_at DESC, hash LIMIT $1 OFFSET $2`,
      [paging.size, paging.offset, ...values],
    );
    return pageOf(items, paging, count?.count ?? 0);
  }

  async count(): Promise<number> {
    const [row] = await this.#database.query<{ count: number }>(
      'SELECT count(DISTINCT hash) AS count FROM documents WHERE deleted_at IS NULL',
    );
    return row?.count ?? 0;
  }

  async bytes(): Promise<number> {
    const [row] = await this.#database.query<{ bytes: number }>(
      'SELECT coalesce(sum(size), 0)::bigint AS bytes FROM cards',
    );
    return row?.bytes ?? 0;
  }

  /** Those of `hashes` that no version names any more. */
  async forget(hashes: readonly string[]): Promise<void> {
    for (const hash of new Set(hashes)) {
      await this.#database.alone(hash, async () => {
        const gone = await this.#database.query<{ hash: string }>(
          `DELETE FROM cards WHERE hash = $1
             AND NOT EXISTS (SELECT FROM versions WHERE hash = $1) AND NOT EXISTS (SELECT FROM documents WHERE hash = $1)
           RETURNING hash`,
          [hash],
        );
        if (gone.length > 0) await this.#blobs.remove(hash);
      });
    }
  }

  /** Files whose row never came: the process ended between the two. @returns how many went */
  async collect(): Promise<number> {
    let count = 0;
    for await (const hash of this.#blobs.all()) {
      await this.#database.alone(hash, async () => {
        const [row] = await this.#database.query('SELECT 1 FROM cards WHERE hash = $1 AND content IS NULL', [hash]);
        if (row !== undefined) return;
        await this.#blobs.remove(hash);
        count++;
      });
    }
    return count;
  }
}
