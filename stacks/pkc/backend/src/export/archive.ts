/** Everything as plain files in one zip, streamed: current documents by their titles, older versions under `history`, and a manifest. */
import { PassThrough, type Readable } from 'node:stream';
import yazl from 'yazl';
import type { Blobs } from '../store/blobs.ts';
import type { Database } from '../store/database.ts';
import { exportName } from '../text/filename.ts';

interface Row {
  id: string;
  type: 'note' | 'file';
  title: string;
  path: string | null;
  hash: string;
  number: number;
  versions: number;
  cause: string;
  at: Date;
  iso: string;
  filename: string | null;
  content_type: string;
  size: number;
  isStored: boolean;
}

const batch = 200;

/** What is in the trash is not in it. */
export function exportArchive(database: Database, blobs: Blobs): Readable {
  const zip = new yazl.ZipFile();
  const output = new PassThrough();
  zip.outputStream.pipe(output);
  zip.on('error', (error: Error) => output.destroy(error));
  void fill(zip, database, blobs).catch((error: unknown) => output.destroy(error as Error));
  return output;
}

async function fill(zip: yazl.ZipFile, database: Database, blobs: Blobs): Promise<void> {
  const names = new Set<string>();
  const manifest: object[] = [];
  let after = { id: '00000000-0000-0000-0000-000000000000', number: 0 };
  for (;;) {
    const rows = await database.query<Row>(
      `SELECT d.id, d.type, v.title, d.path, v.hash, v.number, d.versions, v.cause, v.at, to_json(v.at) #>> '{}' AS iso, c.filename, c.content_type, c.size,
         c.content IS NOT NULL AS "isStored"
       FROM versions v JOIN documents d ON d.id = v.document_id JOIN cards c ON c.hash = v.hash
       WHERE d.deleted_at IS NULL AND (d.id, v.number) > ($1, $2) ORDER BY d.id, v.number LIMIT ${batch}`,
      [after.id, after.number],
    );
    for (const row of rows) {
      const file = unique(names, nameOf(row));
      manifest.push({
        document: row.id,
        title: row.title,
        type: row.type,
        version: row.number,
        newest: row.number === row.versions,
        file,
        hash: row.hash,
        size: row.size,
        content_type: row.content_type,
        at: row.iso,
        cause: row.cause,
      });
      await add(zip, file, row, { database, blobs });
    }
    if (rows.length < batch) break;
    after = rows.at(-1)!;
  }
  const text = JSON.stringify(
    { format: 'pkc-export-1', exported_at: new Date().toISOString(), versions: manifest },
    undefined,
    1,
  );
  zip.addBuffer(Buffer.from(text), 'manifest.json');
  zip.end();
}

/** One after the other: the next begins when this one has been read. */
async function add(
  zip: yazl.ZipFile,
  file: string,
  row: Row,
  { database, blobs }: { database: Database; blobs: Blobs },
): Promise<void> {
  if (row.isStored) {
    const [card] = await database.query<{ content: Buffer }>('SELECT content FROM cards WHERE hash = $1', [row.hash]);
    zip.addBuffer(card?.content ?? Buffer.alloc(0), file, { mtime: row.at });
    return;
  }
  const stream = blobs.read(row.hash);
  const ended = new Promise<void>((resolve, reject) => stream.once('close', resolve).once('error', reject));
  zip.addReadStream(stream, file, { mtime: row.at, size: row.size, compress: false });
  await ended;
}

function nameOf({ type, title, path, filename, number, versions }: Row): string {
  const base =
    path === null
      ? exportName(type === 'note' ? `${title}.md` : (filename ?? title))
      : path.split('/').map(exportName).join('/');
  if (number === versions) return base;
  const dot = base.lastIndexOf('.');
  const [stem, extension] = dot > base.lastIndexOf('/') ? [base.slice(0, dot), base.slice(dot)] : [base, ''];
  return `history/${stem} (version ${number})${extension}`;
}

/** Two documents may have one title; no two files of an archive have one name, whatever their case. */
function unique(names: Set<string>, wanted: string): string {
  const dot = wanted.lastIndexOf('.');
  const [stem, extension] = dot > wanted.lastIndexOf('/') ? [wanted.slice(0, dot), wanted.slice(dot)] : [wanted, ''];
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${stem} ${count}${extension}`;
    if (name.toLowerCase() === 'manifest.json' || names.has(name.toLowerCase())) continue;
    names.add(name.toLowerCase());
    return name;
  }
}
