/** Links between documents, resolved when they are read: a link to a note that is written later leads there. */
import type { DocumentItem, Graph, Links } from '../../../api.ts';
import { notFound } from '../http/problem.ts';
import { normalTitle } from '../text/links.ts';
import type { Database } from './database.ts';
import { item, itemColumns, uuid } from './documents.ts';

const mostNodes = 2000;
const mostEdges = 10_000;

type Row = Omit<DocumentItem, 'excerpt'>;

/** Of links `l` to live documents `d`: a title means the one that was changed last. */
const targets = `
  SELECT l.document_id AS source, l.kind, l.target, d.id AS document FROM links l JOIN LATERAL
    (SELECT id FROM documents WHERE normal_title = l.target AND deleted_at IS NULL ORDER BY updated_at DESC, id LIMIT 1) d ON true WHERE l.kind = 'title'
  UNION ALL SELECT l.document_id, l.kind, l.target, d.id FROM links l JOIN LATERAL
    (SELECT id FROM documents WHERE path = l.target AND deleted_at IS NULL ORDER BY updated_at DESC, id LIMIT 1) d ON true WHERE l.kind = 'path'
  UNION ALL SELECT l.document_id, l.kind, l.target, d.id FROM links l JOIN LATERAL
    (SELECT o.id FROM documents o WHERE o.deleted_at IS NULL AND (o.hash = l.target OR EXISTS
      (SELECT FROM versions v WHERE v.document_id = o.id AND v.hash = l.target)) ORDER BY (o.hash = l.target) DESC, o.updated_at DESC, o.id LIMIT 1) d ON true
    WHERE l.kind = 'card'`;

/** @throws Refusal 404 */
export async function linksOfDocument(database: Database, id: string): Promise<Links> {
  const [own] = await database.query<{ hash: string; normal_title: string; path: string | null }>(
    'SELECT hash, normal_title, path FROM documents WHERE id = $1',
    [uuid(id)],
  );
  if (own === undefined) throw notFound('The document');
  const outgoing = await database.query<{ target: string; document: string | null }>(
    `SELECT l.target, t.document FROM links l LEFT JOIN (${targets.replaceAll('links l', '(SELECT * FROM links WHERE document_id = $1) l')}) t
       ON t.kind = l.kind AND t.target = l.target WHERE l.document_id = $1 ORDER BY l.target`,
    [id],
  );
  const incoming = await database.query<Row>(
    `SELECT DISTINCT ${itemColumns} FROM links l JOIN documents d ON d.id = l.document_id JOIN cards c ON c.hash = d.hash
     WHERE d.deleted_at IS NULL AND d.id <> $1 AND (
       (l.kind = 'title' AND l.target = $2) OR (l.kind = 'path' AND l.target = $3)
       OR (l.kind = 'card' AND l.target IN (SELECT hash FROM versions WHERE document_id = $1)))
     ORDER BY updated_at DESC LIMIT 500`,
    [id, own.normal_title, own.path],
  );
  const ids = outgoing.flatMap(({ document }) => document ?? []);
  const documents = new Map((await items(database, ids)).map((each) => [each.id, each]));
  return {
    outgoing: outgoing.map(({ target, document }) => ({
      target,
      document: document === null ? null : (documents.get(document) ?? null),
    })),
    incoming: incoming.map(item),
  };
}

async function items(database: Database, ids: readonly string[]): Promise<DocumentItem[]> {
  if (ids.length === 0) return [];
  return (
    await database.query<Row>(`SELECT ${itemColumns} FROM documents d JOIN cards c USING (hash) WHERE d.id = ANY($1)`, [
      ids,
    ])
  ).map(item);
}

/** @throws Refusal 404 */
export async function resolveTitle(database: Database, title: string): Promise<DocumentItem> {
  const [row] = await database.query<Row>(
    `SELECT ${itemColumns} FROM documents d JOIN cards c USING (hash)
     WHERE d.normal_title = $1 AND d.deleted_at IS NULL ORDER BY d.updated_at DESC, d.id LIMIT 1`,
    [normalTitle(title).replaceAll('\u0000', '')],
  );
  if (row === undefined) throw notFound(`A document called ${JSON.stringify(title)}`);
  return item(row);
}

export async function graphOf(database: Database): Promise<Graph> {
  const edges = await database.query<{ from: string; to: string }>(
    `SELECT DISTINCT t.source AS "from", t.document AS "to" FROM (${targets}) t JOIN documents s ON s.id = t.source
     WHERE s.deleted_at IS NULL AND t.source <> t.document LIMIT ${mostEdges}`,
  );
  const counts = new Map<string, number>();
  for (const { from, to } of edges) for (const id of [from, to]) counts.set(id, (counts.get(id) ?? 0) + 1);
  const linked = [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, mostNodes)
    .map(([id]) => id);
  const rows = await database.query<{ id: string; title: string; type: 'note' | 'file'; total: number }>(
    `SELECT id, title, type, (SELECT count(*) FROM documents WHERE deleted_at IS NULL) AS total FROM documents
     WHERE deleted_at IS NULL ORDER BY (id = ANY($1::uuid[])) DESC, updated_at DESC LIMIT ${mostNodes}`,
    [linked],
  );
  const shown = new Set(rows.map(({ id }) => id));
  return {
    nodes: rows.map(({ id, title, type }) => ({ id, title, type, links: counts.get(id) ?? 0 })),
    edges: edges.filter(({ from, to }) => shown.has(from) && shown.has(to)),
    truncated: (rows[0]?.total ?? 0) > rows.length,
  };
}
