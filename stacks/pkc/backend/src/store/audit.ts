/** What was done, and when: kept beside what it was done to. */
import type { AuditEntry, Page } from '../../../api.ts';
import type { Client, Database } from './database.ts';
import { pageOf, type Paging } from './paging.ts';

export interface Done {
  action: string;
  document_id?: string;
  title?: string;
  hash?: string;
  detail?: string;
}

export async function audit(client: Client, { action, document_id: id, title, hash, detail }: Done): Promise<void> {
  await client.query('INSERT INTO audit (action, document_id, title, hash, detail) VALUES ($1, $2, $3, $4, $5)', [
    action,
    id ?? null,
    title ?? null,
    hash ?? null,
    detail?.toWellFormed().replaceAll('\u0000', '').slice(0, 2000) ?? null,
  ]);
}

export async function auditPage(database: Database, paging: Paging): Promise<Page<AuditEntry>> {
  const [count] = await database.query<{ count: number }>('SELECT count(*) AS count FROM audit');
  const items = await database.query<AuditEntry>(
    `SELECT id, to_json(at) #>> '{}' AS at, action, document_id, title, hash, detail FROM audit ORDER BY id DESC LIMIT $1 OFFSET $2`,
    [paging.size, paging.offset],
  );
  return pageOf(items, paging, count?.count ?? 0);
}
