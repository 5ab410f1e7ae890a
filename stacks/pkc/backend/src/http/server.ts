/** The HTTP interface of ../../api.ts: routes to what the rooms do. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import findMyWay, { type HTTPMethod } from 'find-my-way';
import type { Ask, Edit, NewDocument, Status, Uploaded } from '../../../api.ts';
import { answer, ask, checkedAsk, modelsOf } from '../ask/ask.ts';
import type { Indexer } from '../ask/indexer.ts';
import type { Ollama } from '../ask/ollama.ts';
import type { Config, Live } from '../config.ts';
import { exportArchive } from '../export/archive.ts';
import { audit, auditPage } from '../store/audit.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Cards } from '../store/cards.ts';
import type { Database } from '../store/database.ts';
import type { Documents } from '../store/documents.ts';
import { graphOf, linksOfDocument, resolveTitle } from '../store/graph.ts';
import { pageOf, pagingOf } from '../store/paging.ts';
import { searchDocuments, type Wanted } from '../store/search.ts';
import { displayName, relativePath } from '../text/filename.ts';
import { type FormFile, jsonBody, readForm } from './body.ts';
import { sendContent } from './content.ts';
import { guard } from './guard.ts';
import { invalid, notFound, problemOf, Refusal } from './problem.ts';

export const version = '0.1.0';

export interface Rooms {
  config: Config;
  live: () => Live;
  database: Database;
  blobs: Blobs;
  cards: Cards;
  documents: Documents;
  ollama: Ollama;
  indexer: Indexer;
  log: (text: string) => void;
}

interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
  parameters: Readonly<Record<string, string | undefined>>;
  /** Aborted when the client goes. */
  signal: AbortSignal;
}

/** What is returned is the answer's JSON; undefined: the handler has answered. */
type Handler = (call: Call) => Promise<unknown>;

export function createPkcServer(rooms: Rooms): Server {
  const router = findMyWay({ ignoreTrailingSlash: true, maxParamLength: 500 });
  for (const [route, handler] of Object.entries(handlers(rooms))) {
    const [method, path] = route.split(' ') as [HTTPMethod, string];
    router.on(method === ('GET' as HTTPMethod) ? ['GET', 'HEAD'] : method, path, () => {}, { handler });
  }
  const server = createServer(
    { requestTimeout: 0, headersTimeout: 20_000, maxHeaderSize: 32_768 },
    (request, response) => {
      void answerRequest(rooms, router, request, response);
    },
  );
  // An upload may take hours, but not in silence.
  server.setTimeout(300_000);
  return server;
}

async function answerRequest(
  rooms: Rooms,
  router: ReturnType<typeof findMyWay>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('the client went away')));
  try {
    const { method = 'GET', headers } = request;
    const allowed = guard(
      { method, host: headers.host, origin: headers.origin, site: headers['sec-fetch-site'] },
      rooms.config,
    );
    response.setHeader('Vary', 'Origin');
    if (allowed !== undefined) {
      response.setHeader('Access-Control-Allow-Origin', allowed);
      if (method === 'OPTIONS')
        return void response
          .writeHead(204, {
            'Access-Control-Allow-Methods': 'GET, POST, PUT, DELETE',
            'Access-Control-Allow-Headers': 'Content-Type',
            'Access-Control-Max-Age': '600',
          })
          .end();
    }
    if (!URL.canParse(`http://x${request.url ?? ''}`)) throw invalid('The address cannot be read.');
    const url = new URL(`http://x${request.url ?? ''}`);
    const found = router.find(method as HTTPMethod, url.pathname);
    if (found === null) throw notFound(`${method} ${url.pathname}`);
    const { handler } = found.store as { handler: Handler };
    const call = { request, response, query: url.searchParams, parameters: found.params, signal: gone.signal };
    const body = await handler(call);
    if (body !== undefined) sendJson(response, response.statusCode, body);
  } catch (error) {
    fail(rooms, request, response, error);
  }
}

function fail({ log }: Rooms, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const { status, problem, isUnforeseen } = problemOf(error);
  const isGone = response.destroyed || request.destroyed;
  if (isUnforeseen && !isGone)
    log(`${request.method} ${request.url?.split('?')[0]} failed: ${(error as Error).stack ?? String(error)}`);
  if (response.headersSent) return void response.destroy();
  for (const name of response.getHeaderNames())
    if (/^content-|^etag$|^cache-control$/.test(name)) response.removeHeader(name);
  // What is still being sent is not waited for.
  if (!request.complete) response.setHeader('Connection', 'close');
  sendJson(response, status, problem);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

async function sendLines(response: ServerResponse, lines: AsyncIterable<object>): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'application/x-ndjson; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
  });
  async function* text(): AsyncGenerator<string> {
    for await (const line of lines) yield `${JSON.stringify(line)}\n`;
  }
  await pipeline(Readable.from(text()), response);
}

function handlers(rooms: Rooms): Record<string, Handler> {
  const { database, blobs, cards, documents, ollama, indexer, live } = rooms;
  const around = { database, ollama, live };

  const hashOf = ({ parameters }: Call): string => {
    const hash = (parameters['hash'] ?? '').toLowerCase();
    if (!/^[\da-f]{64}$/.test(hash))
      throw notFound(`A card ${JSON.stringify(parameters['hash'])} (a hash has 64 hexadecimal digits)`);
    return hash;
  };
  const idOf = ({ parameters }: Call): string => parameters['id'] ?? '';
  const send = async (call: Call, how: Parameters<typeof sendContent>[3]): Promise<undefined> => {
    const hash = hashOf(call);
    await sendContent({ ...call, blobs }, hash, await cards.content(hash), how);
  };
  const take = async (
    file: FormFile,
    options: { path?: string | undefined; metadata?: string | undefined; cause: 'upload' | 'import' },
  ) => {
    // What is refused is read to its end all the same: a browser listens to the answer only when it has sent all.
    const bytes = file.bytes.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
    await using arrived = await blobs.receive(bytes, live().maxUploadBytes);
    const stored = await documents.upload(arrived, {
      filename: displayName(file.filename) ?? null,
      path: relativePath(options.path ?? file.filename) ?? null,
      metadata: metadataOf(options.metadata),
      cause: options.cause,
    });
    indexer.poke();
    return { hash: arrived.hash, ...stored };
  };
  const takeOne =
    (field: string, extra?: (fields: ReadonlyMap<string, string>) => string | undefined): Handler =>
    async ({ request, response }) => {
      let stored: Awaited<ReturnType<typeof take>> | undefined;
      let metadata: string | undefined;
      const { fields, files } = await readForm(request, async (file, before) => {
        if (stored !== undefined) throw invalid(`One file at a time: the form has more than one ${field}.`);
        if (file.field !== field)
          throw invalid(`The form's file must be called ${field}, not ${JSON.stringify(file.field)}.`);
        metadata = extra?.(before);
        stored = await take(file, { metadata, cause: 'upload' });
      });
      if (files === 0 || stored === undefined) throw invalid(`The form has no file called ${field}.`);
      // Metadata may come after the file.
      const late = extra?.(fields);
      if (late !== undefined && late !== metadata)
        await database.query('UPDATE cards SET metadata = $2 WHERE hash = $1', [
          stored.hash,
          JSON.stringify(metadataOf(late)),
        ]);
      response.statusCode = stored.existed ? 200 : 201;
      const { hash, content_type: type, g_time } = stored;
      return { hash, content_type: type, g_time };
    };
  const search = (call: Call): Wanted => {
    const type = call.query.get('type');
    const sort = call.query.get('sort') ?? 'relevance';
    if (type !== null && type !== '' && type !== 'note' && type !== 'file') throw invalid('type must be note or file.');
    if (sort !== 'relevance' && sort !== 'updated' && sort !== 'title')
      throw invalid('sort must be relevance, updated or title.');
    return { query: call.query.get('query') ?? '', type: type === null || type === '' ? undefined : type, sort };
  };
  const status = async (): Promise<Status> => {
    const models = await modelsOf(around);
    const base = { version, ollama: { ok: models.available, message: models.message } };
    try {
      const [row] = await database.query<{ documents: number }>(
        'SELECT count(*) AS documents FROM documents WHERE deleted_at IS NULL',
      );
      const [count, bytes] = await Promise.all([cards.count(), cards.bytes()]);
      return {
        status: 'healthy',
        ...base,
        documents: row?.documents ?? 0,
        cards: count,
        bytes,
        database: { ok: true, message: null },
      };
    } catch (error) {
      const { message } = problemOf(error).problem.error;
      return { status: 'degraded', ...base, documents: 0, cards: 0, bytes: 0, database: { ok: false, message } };
    }
  };
  const health: Handler = async () => {
    await database.ping();
    return { status: 'healthy' };
  };
  const settings = async () => {
    const { title, chatModel, embeddingModel, maxUploadBytes } = live();
    return {
      version,
      title,
      chat_model: chatModel ?? null,
      embedding_model: embeddingModel ?? null,
      max_upload_bytes: maxUploadBytes,
    };
  };
  const embedder = async (): Promise<string> => {
    const { embedding_model: model, message } = await modelsOf(around);
    if (model === null)
      throw new Refusal(
        503,
        'no_embedding_model',
        `There is no embedding model. ${message ?? 'Pull one (nomic-embed-text), and name it as EMBEDDING_MODEL in stacks/pkc/.env.'}`,
      );
    return model;
  };

  return {
    'GET /v1/health': health,
    'GET /v1/status': status,
    'GET /v1/config': settings,

    'POST /v1/card': takeOne('content'),
    'POST /v1/files': takeOne('file', (fields) => fields.get('metadata')),
    'GET /v1/card/:hash/content': (call) => send(call, call.query.get('as_text') === 'true' ? 'text' : 'content'),
    'GET /v1/files/:hash': (call) => send(call, 'content'),
    'GET /v1/card/:hash/view': (call) => send(call, 'view'),
    'GET /v1/card/:hash/metadata': (call) => cards.metadata(hashOf(call)),
    'GET /v1/card/:hash/content-type': async (call) => ({
      content_type: (await cards.content(hashOf(call))).content_type,
    }),
    'DELETE /v1/card/:hash': async (call) => {
      await documents.removeCard(hashOf(call));
      return { hash: hashOf(call), deleted: true };
    },
    'GET /v1/cards': ({ query }) => cards.list(pagingOf(query)),
    'GET /v1/cards/count': async () => ({ count: await cards.count() }),
    'GET /v1/cards/search': async ({ query }) => {
      const text = query.get('query') ?? '';
      if (text.trim() === '') throw invalid('query must not be empty.');
      const paging = pagingOf(query);
      const found = await searchDocuments(database, { query: text, type: undefined, sort: 'relevance' }, paging);
      const items = await Promise.all(found.items.map(({ hash }) => cards.metadata(hash)));
      return pageOf(
        items.map(({ hash, content_type, g_time, size, filename, document_id }) => ({
          hash,
          content_type,
          g_time,
          size,
          filename,
          document_id,
        })),
        paging,
        found.total_items,
      );
    },
    'GET /v1/cards/search-by-hash/:partial': async ({ parameters, query }) => {
      const partial = (parameters['partial'] ?? '').toLowerCase();
      if (!/^[\da-f]{1,64}$/.test(partial)) throw invalid('A part of a hash has 1 to 64 hexadecimal digits.');
      return cards.list(pagingOf(query), partial);
    },
    'DELETE /v1/cards': async ({ query }) => {
      if (query.get('confirmation') !== 'CONFIRM_DELETE_ALL')
        throw invalid('To put everything in the trash, confirm it: ?confirmation=CONFIRM_DELETE_ALL.');
      return { deleted: await documents.removeAll() };
    },

    'GET /v1/documents': (call) => searchDocuments(database, search(call), pagingOf(call.query, 50)),
    'POST /v1/documents': async ({ request, response }) => {
      const made = await documents.create((await jsonBody<NewDocument>(request)) as NewDocument);
      indexer.poke();
      response.statusCode = 201;
      return made;
    },
    'GET /v1/documents/:id': (call) => documents.get(idOf(call)),
    'PUT /v1/documents/:id': async (call) => {
      const made = await documents.edit(idOf(call), (await jsonBody<Edit>(call.request)) as Edit);
      indexer.poke();
      return made;
    },
    'DELETE /v1/documents/:id': async (call) => {
      await documents.remove(idOf(call));
      call.response.writeHead(204).end();
    },
    'POST /v1/documents/:id/undelete': (call) => documents.undelete(idOf(call)),
    'GET /v1/documents/:id/versions': (call) => documents.versions(idOf(call)),
    'POST /v1/documents/:id/restore': async (call) => {
      const { hash } = await jsonBody<{ hash: string }>(call.request);
      if (typeof hash !== 'string') throw invalid('hash must be that of a version.');
      return documents.restore(idOf(call), hash);
    },
    'GET /v1/documents/:id/links': (call) => linksOfDocument(database, idOf(call)),
    'GET /v1/resolve': ({ query }) => resolveTitle(database, query.get('title') ?? ''),
    'GET /v1/graph': () => graphOf(database),
    'GET /v1/trash': ({ query }) => documents.trash(pagingOf(query, 50)),
    'DELETE /v1/trash/:id': async (call) => {
      await documents.purge(idOf(call));
      call.response.writeHead(204).end();
    },
    'GET /v1/audit': ({ query }) => auditPage(database, pagingOf(query, 50)),

    'POST /v1/upload': async ({ request }): Promise<Uploaded> => {
      const stored: Uploaded['stored'][number][] = [];
      const refused: Uploaded['refused'][number][] = [];
      await readForm(request, async (file, fields) => {
        const name = displayName(file.filename) ?? 'a file without a name';
        try {
          const path = fields.get('path');
          const {
            hash,
            content_type: type,
            g_time,
            document,
            existed,
          } = await take(file, { path, cause: relativePath(path) === undefined ? 'upload' : 'import' });
          stored.push({ hash, content_type: type, g_time, document, existed });
        } catch (error) {
          const { status: code, problem } = problemOf(error);
          if (code >= 500 && code !== 507) throw error;
          refused.push({ name, message: problem.error.message });
        }
      });
      return { stored, refused };
    },
    'GET /v1/export': async ({ request, response }) => {
      await database.transaction((client) => audit(client, { action: 'export' }));
      const day = new Date().toISOString().slice(0, 10);
      response.writeHead(200, {
        'Content-Type': 'application/zip',
        'Content-Disposition': `attachment; filename="pkc-${day}.zip"`,
        'Cache-Control': 'no-store',
      });
      if (request.method === 'HEAD') return void response.end();
      await pipeline(exportArchive(database, blobs), response);
      return undefined;
    },

    'GET /v1/models': () => modelsOf(around),
    'POST /v1/models/pull': async ({ request, response, signal }) => {
      const { name } = await jsonBody<{ name: string }>(request);
      if (typeof name !== 'string' || !/^[\w./:-]{1,200}$/.test(name))
        throw invalid('name must be that of a model, like qwen3:0.6b.');
      await database.transaction((client) => audit(client, { action: 'pull_model', detail: name }));
      await sendLines(response, ollama.pull(name, signal));
    },
    'POST /v1/ask': async ({ request, response, signal }) => {
      const asked = checkedAsk(await jsonBody<Ask>(request));
      await database.transaction((client) => audit(client, { action: 'ask', detail: asked.question }));
      await sendLines(response, ask(around, asked, signal));
    },

    'GET /api/v1/health': health,
    'GET /api/v1/status': status,
    'GET /api/v1/documents': ({ query }) =>
      searchDocuments(database, { query: '', type: undefined, sort: 'updated' }, pagingOf(query, 50)),
    'GET /api/v1/vector-stats': async () => {
      const [row] = await database.query<{ chunks: number; documents: number }>(
        'SELECT count(*) AS chunks, count(DISTINCT hash) AS documents FROM passages',
      );
      const { embedding_model: model } = await modelsOf(around);
      return { total_chunks: row?.chunks ?? 0, total_documents: row?.documents ?? 0, embedding_model: model };
    },
    'POST /api/v1/upload': takeOne('file'),
    'POST /api/v1/index': async ({ request }) => {
      const { hash } = await jsonBody<{ hash: string }>(request);
      if (typeof hash !== 'string' || !/^[\da-f]{64}$/i.test(hash))
        throw invalid('hash must have 64 hexadecimal digits.');
      await cards.metadata(hash.toLowerCase());
      return { hash: hash.toLowerCase(), chunks: await indexer.index(hash.toLowerCase(), await embedder()) };
    },
    'POST /api/v1/index-all': async ({ request }) => {
      const { chunk_size: size } = await jsonBody<{ chunk_size: number }>(request);
      if (size !== undefined && (!Number.isSafeInteger(size) || size < 100 || size > 10_000))
        throw invalid('chunk_size must be a whole number from 100 to 10000.');
      const model = await embedder();
      const rows = await database.query<{ hash: string }>(
        `SELECT DISTINCT d.hash FROM documents d JOIN cards c USING (hash) WHERE d.deleted_at IS NULL AND c.body <> ''`,
      );
      let chunks = 0;
      for (const { hash } of rows) chunks += await indexer.index(hash, model, size);
      return { documents: rows.length, chunks };
    },
    'POST /api/v1/clear': async () => {
      const gone = await database.query('DELETE FROM passages RETURNING 1 AS one');
      return { cleared: gone.length };
    },
    'POST /api/v1/query': async ({ request, signal }) => {
      const { query, max_sources: most } = await jsonBody<{ query: string; max_sources: number }>(request);
      if (typeof query !== 'string' || query.trim() === '') throw invalid('query must be text that is not empty.');
      return answer(around, query, most ?? 5, signal);
    },
  };
}

/** What a client says of a file, as it says it. @throws Refusal 400 for what is no JSON object */
function metadataOf(text: string | undefined): Record<string, unknown> {
  if (text === undefined || text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // As below.
  }
  throw invalid('metadata must be a JSON object.');
}
