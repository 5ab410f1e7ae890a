/** Documents: notes and files with their versions. An edit adds; what is deleted is in the trash. */
import type { Document, DocumentItem, Edit, NewDocument, Page, Version } from '../../../api.ts';
import { invalid, notFound, Refusal } from '../http/problem.ts';
import { displayName } from '../text/filename.ts';
import { titleOf } from '../text/extract.ts';
import { linksOf, normalTitle } from '../text/links.ts';
import { audit } from './audit.ts';
import type { Arrived, Blobs } from './blobs.ts';
import { type Cards, gTime } from './cards.ts';
import type { Client, Database } from './database.ts';
import { pageOf, type Paging } from './paging.ts';

/** The largest note, in bytes: what is longer is a file. */
const longestNote = 5_000_000;

export const itemColumns = `d.id, d.title, d.type, c.content_type, d.hash, c.size, d.versions, to_json(d.created_at) #>> '{}' AS created_at,
  to_json(d.updated_at) #>> '{}' AS updated_at, to_json(d.deleted_at) #>> '{}' AS deleted_at`;

type Row = Omit<DocumentItem, 'excerpt'>;
export const item = (row: Row): DocumentItem => ({ ...row, excerpt: [] });

/** Title above text. A text with more words than an index takes is cut. */
const wordsSql = (title: string, body: string): string =>
  `setweight(to_tsvector('simple', ${title}), 'A') || setweight(to_tsvector('simple', left(${body}, 250000)), 'D')`;

export interface Upload {
  filename: string | null;
  path: string | null;
  metadata: Readonly<Record<string, unknown>>;
  cause: 'upload' | 'import';
}

export class Documents {
  readonly #database: Database;
  readonly #cards: Cards;
  readonly #blobs: Blobs;

  constructor(database: Database, cards: Cards, blobs: Blobs) {
    this.#database = database;
    this.#cards = cards;
    this.#blobs = blobs;
  }

  /** @throws Refusal 400, 413 */
  async create(asked: NewDocument): Promise<Document> {
    const content = noteContent(asked.content);
    const title = titled(asked.title ?? titleOf(content) ?? 'Untitled');
    await using arrived = await this.#blobs.receive(once(content), longestNote);
    const id = await this.#cards.store(
      arrived,
      { filename: null, metadata: {}, type: 'text/markdown' },
      async (client, card) => add(client, { ...card, type: 'note', title, path: null, cause: 'create', content }),
    );
    return await this.get(id);
  }

  /** A file, or a note that comes as one. Content that a document shows already makes no second one. */
  async upload(
    arrived: Arrived,
    { filename, path, metadata, cause }: Upload,
  ): Promise<{ document: DocumentItem; existed: boolean; content_type: string; g_time: string }> {
    const stored = await this.#cards.store(arrived, { filename, metadata }, async (client, card) => {
      const { rows } = await client.query<{ id: string; deleted_at: Date | null }>(
        `SELECT id, deleted_at FROM documents WHERE hash = $1 AND ($2::text IS NULL OR path IS NULL OR path = $2)
         ORDER BY deleted_at NULLS FIRST, created_at LIMIT 1`,
        [card.hash, path],
      );
      const [found] = rows;
      if (found !== undefined) {
        // Asked for again, it comes back from the trash.
        if (found.deleted_at !== null) {
          await client.query('UPDATE documents SET deleted_at = NULL, updated_at = clock_timestamp() WHERE id = $1', [
            found.id,
          ]);
          await audit(client, { action: 'undelete', document_id: found.id, hash: card.hash });
        }
        if (path !== null)
          await client.query('UPDATE documents SET path = $2 WHERE id = $1 AND path IS NULL', [found.id, path]);
        return { id: found.id, card, existed: true };
      }
      const isNote = card.content_type === 'text/markdown' && arrived.isSmall;
      const content = isNote ? arrived.beginning.toString('utf8') : undefined;
      const name = filename?.replace(/\.(?:md|markdown)$/i, '');
      const title = titled(
        (content === undefined ? filename : (name ?? titleOf(content))) ?? `File ${card.hash.slice(0, 12)}`,
      );
      const id = await add(client, { ...card, type: isNote ? 'note' : 'file', title, path, cause, content });
      return { id, card, existed: false };
    });
    const { content_type: contentType, g_time } = stored.card;
    return { document: await this.item(stored.id), existed: stored.existed, content_type: contentType, g_time };
  }

  /** @throws Refusal 404, 409 with code `conflict` */
  async edit(id: string, { title, content, base }: Edit): Promise<Document> {
    if (typeof base !== 'string') throw invalid('base must be the hash that the edit began from.');
    const before = await this.get(id);
    if (content !== undefined && before.type !== 'note')
      throw invalid('The content of a file is not edited here: upload its next version.');
    const next = content === undefined ? undefined : noteContent(content);
    const change = async (client: Client, hash: string, body: string): Promise<void> => {
      const row = await locked(client, id);
      if (row.hash !== base)
        throw new Refusal(
          409,
          'conflict',
          'It was changed elsewhere meanwhile. Compare the two texts, and save the one that you want.',
        );
      const newTitle = titled(title ?? row.title);
      if (row.hash === hash && row.title === newTitle) return;
      await version(client, {
        id,
        hash,
        title: newTitle,
        cause: 'edit',
        body,
        ...(next === undefined ? {} : { content: next }),
        path: before.path,
      });
    };
    if (next === undefined) {
      await this.#database.transaction(async (client) =>
        change(client, before.hash, await bodyOf(client, before.hash)),
      );
      return this.get(id);
    }
    await using arrived = await this.#blobs.receive(once(next), longestNote);
    await this.#cards.store(arrived, { filename: null, metadata: {}, type: 'text/markdown' }, (client, card) =>
      change(client, card.hash, card.body),
    );
    return await this.get(id);
  }

  /** A new version with the content of an old one. @throws Refusal 400, 404 */
  async restore(id: string, hash: string): Promise<Document> {
    await this.#database.transaction(async (client) => {
      const row = await locked(client, id);
      const { rows } = await client.query<{ title: string }>(
        'SELECT title FROM versions WHERE document_id = $1 AND hash = $2 ORDER BY number DESC LIMIT 1',
        [id, hash],
      );
      const [old] = rows;
      if (old === undefined) throw invalid('That content was never a version of this document.');
      if (row.hash === hash && row.title === old.title) return;
      const content = row.type === 'note' ? await text(client, hash) : undefined;
      const body = await bodyOf(client, hash);
      await version(client, {
        id,
        hash,
        title: old.title,
        cause: 'restore',
        body,
        ...(content === undefined ? {} : { content }),
        path: row.path,
      });
    });
    return this.get(id);
  }

  async remove(id: string): Promise<void> {
    await this.#database.transaction(async (client) => {
      const row = await locked(client, id);
      if (row.deleted_at !== null) return;
      await client.query('UPDATE documents SET deleted_at = clock_timestamp() WHERE id = $1', [id]);
      await audit(client, { action: 'delete', document_id: id, title: row.title, hash: row.hash });
    });
  }

  /** All documents that show this card. @throws Refusal 404 */
  async removeCard(hash: string): Promise<void> {
    await this.#cards.metadata(hash);
    const rows = await this.#database.query<{ id: string }>(
      'SELECT id FROM documents WHERE hash = $1 AND deleted_at IS NULL',
      [hash],
    );
    for (const { id } of rows) await this.remove(id);
  }

  /** @returns how many */
  async removeAll(): Promise<number> {
    return this.#database.transaction(async (client) => {
      const { rowCount } = await client.query(
        'UPDATE documents SET deleted_at = clock_timestamp() WHERE deleted_at IS NULL',
      );
      await audit(client, { action: 'delete', detail: `all ${rowCount ?? 0} documents, to the trash` });
      return rowCount ?? 0;
    });
  }

  async undelete(id: string): Promise<Document> {
    await this.#database.transaction(async (client) => {
      const row = await locked(client, id);
      if (row.deleted_at === null) return;
      await client.query('UPDATE documents SET deleted_at = NULL WHERE id = $1', [id]);
      await audit(client, { action: 'undelete', document_id: id, title: row.title, hash: row.hash });
    });
    return this.get(id);
  }

  /** For ever, with the content that no other document has. Only from the trash. @throws Refusal 404, 409 */
  async purge(id: string): Promise<void> {
    const hashes = await this.#database.transaction(async (client) => {
      const row = await locked(client, id);
      if (row.deleted_at === null)
        throw new Refusal(409, 'not_in_trash', 'Only what is in the trash can be deleted for ever. Delete it first.');
      const { rows } = await client.query<{ hash: string }>('SELECT hash FROM versions WHERE document_id = $1', [id]);
      await client.query('DELETE FROM documents WHERE id = $1', [id]);
      await audit(client, { action: 'purge', document_id: id, title: row.title, hash: row.hash });
      return rows.map(({ hash }) => hash);
    });
    await this.#cards.forget(hashes);
  }

  async get(id: string): Promise<Document> {
    const [row] = await this.#database.query<Row & { content: Buffer | null; g_time: string; path: string | null }>(
      `SELECT ${itemColumns}, ${gTime('c.first_seen')} AS g_time, d.path, CASE d.type WHEN 'note' THEN c.content END AS content
       FROM documents d JOIN cards c USING (hash) WHERE d.id = $1`,
      [uuid(id)],
    );
    if (row === undefined) throw notFound('The document');
    if (row.type === 'note' && row.content === null) {
      const parts: Buffer[] = [];
      for await (const part of this.#blobs.read(row.hash)) parts.push(part as Buffer);
      return { ...item(row), ...row, content: Buffer.concat(parts).toString('utf8') };
    }
    return { ...item(row), ...row, content: row.content?.toString('utf8') ?? null };
  }

  async item(id: string): Promise<DocumentItem> {
    const [row] = await this.#database.query<Row>(
      `SELECT ${itemColumns} FROM documents d JOIN cards c USING (hash) WHERE d.id = $1`,
      [uuid(id)],
    );
    if (row === undefined) throw notFound('The document');
    return item(row);
  }

  async trash(paging: Paging): Promise<Page<DocumentItem>> {
    const [count] = await this.#database.query<{ count: number }>(
      'SELECT count(*) AS count FROM documents WHERE deleted_at IS NOT NULL',
    );
    const rows = await this.#database.query<Row>(
      `SELECT ${itemColumns} FROM documents d JOIN cards c USING (hash) WHERE d.deleted_at IS NOT NULL ORDER BY d.deleted_at DESC LIMIT $1 OFFSET $2`,
      [paging.size, paging.offset],
    );
    return pageOf(rows.map(item), paging, count?.count ?? 0);
  }

  async versions(id: string): Promise<Version[]> {
    await this.item(id);
    return this.#database.query<Version>(
      `SELECT v.number, v.hash, v.title, c.size, to_json(v.at) #>> '{}' AS at, v.cause FROM versions v JOIN cards c USING (hash)
       WHERE v.document_id = $1 ORDER BY v.number DESC`,
      [id],
    );
  }
}

/** @throws Refusal 404 for what is no id of ours */
export function uuid(id: string): string {
  if (!/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)) throw notFound('The document');
  return id;
}

interface Locked {
  hash: string;
  title: string;
  type: 'note' | 'file';
  path: string | null;
  deleted_at: Date | null;
}

async function locked(client: Client, id: string): Promise<Locked> {
  const { rows } = await client.query<Locked>(
    'SELECT hash, title, type, path, deleted_at FROM documents WHERE id = $1 FOR UPDATE',
    [uuid(id)],
  );
  const [row] = rows;
  if (row === undefined) throw notFound('The document');
  return row;
}

async function add(
  client: Client,
  made: {
    hash: string;
    body: string;
    type: 'note' | 'file';
    title: string;
    path: string | null;
    cause: string;
    content?: string | undefined;
  },
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    `INSERT INTO documents (type, title, normal_title, hash, path, words) VALUES ($1, $2, $3, $4, $5, ${wordsSql('$2', '$6')}) RETURNING id`,
    [made.type, made.title, normalTitle(made.title), made.hash, made.path, made.body],
  );
  const { id } = rows[0]!;
  await client.query('INSERT INTO versions (document_id, number, hash, title, cause) VALUES ($1, 1, $2, $3, $4)', [
    id,
    made.hash,
    made.title,
    made.cause,
  ]);
  await setLinks(client, id, made.content, made.path);
  await audit(client, { action: made.cause, document_id: id, title: made.title, hash: made.hash });
  return id;
}

async function version(
  client: Client,
  made: { id: string; hash: string; title: string; cause: string; body: string; content?: string; path: string | null },
): Promise<void> {
  const { rows } = await client.query<{ versions: number }>(
    `UPDATE documents SET hash = $2, title = $3, normal_title = $4, versions = versions + 1, updated_at = clock_timestamp(),
       words = ${wordsSql('$3', '$5')} WHERE id = $1 RETURNING versions`,
    [made.id, made.hash, made.title, normalTitle(made.title), made.body],
  );
  await client.query('INSERT INTO versions (document_id, number, hash, title, cause) VALUES ($1, $2, $3, $4, $5)', [
    made.id,
    rows[0]!.versions,
    made.hash,
    made.title,
    made.cause,
  ]);
  if (made.content !== undefined) await setLinks(client, made.id, made.content, made.path);
  await audit(client, { action: made.cause, document_id: made.id, title: made.title, hash: made.hash });
}

async function setLinks(client: Client, id: string, content: string | undefined, path: string | null): Promise<void> {
  await client.query('DELETE FROM links WHERE document_id = $1', [id]);
  if (content === undefined) return;
  const links = linksOf(content, path);
  await client.query(
    'INSERT INTO links (document_id, kind, target) SELECT $1, * FROM unnest($2::text[], $3::text[]) ON CONFLICT DO NOTHING',
    [id, links.map(({ kind }) => kind), links.map(({ target }) => clean(target))],
  );
}

async function bodyOf(client: Client, hash: string): Promise<string> {
  const { rows } = await client.query<{ body: string }>('SELECT body FROM cards WHERE hash = $1', [hash]);
  return rows[0]?.body ?? '';
}

async function text(client: Client, hash: string): Promise<string | undefined> {
  const { rows } = await client.query<{ content: Buffer | null }>('SELECT content FROM cards WHERE hash = $1', [hash]);
  return rows[0]?.content?.toString('utf8');
}

function noteContent(content: unknown): string {
  if (typeof content !== 'string') throw invalid('content must be text.');
  if (Buffer.byteLength(content) > longestNote)
    throw new Refusal(413, 'too_large', `A note has at most ${longestNote} bytes. Upload it as a file instead.`);
  return content.toWellFormed();
}

function titled(given: unknown): string {
  if (typeof given !== 'string') throw invalid('title must be text.');
  return (
    displayName(given.replaceAll('/', '∕').replaceAll('\\', '∖'))?.replaceAll('∕', '/').replaceAll('∖', '\\') ??
    'Untitled'
  );
}

const clean = (value: string): string => value.toWellFormed().replaceAll('\u0000', '');

async function* once(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}
