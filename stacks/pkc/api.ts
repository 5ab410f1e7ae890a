/**
 * The HTTP interface between PKC's frontend and its backend: the shapes of JSON bodies, and nothing that runs.
 *
 * Two things are told apart. A **card** is content: bytes, named by their SHA-256, never changed. A **document** is what a person
 * calls a note or a file: a lasting id whose versions are cards. An edit adds a version; nothing is lost by it. Every card that
 * enters through `/v1/card` gets a document of its own, so that both views show the same things.
 *
 * Every error has the body `Problem`, whatever its status; `message` is for the person: what is wrong and what to do.
 * Times are RFC 3339 in UTC unless they are a `g_time`. Sizes are bytes. Pages count from 1.
 *
 * The interface of existing PKC clients (kept, so that they work):
 *
 *     POST   /v1/card                       multipart `content` (a file, or a text field) → CardStored
 *     GET    /v1/card/{hash}/content        the bytes (Range, ETag, HEAD); ?as_text=true: as text/plain
 *     GET    /v1/card/{hash}/metadata       CardMetadata
 *     GET    /v1/card/{hash}/content-type   {"content_type": string}
 *     DELETE /v1/card/{hash}                {"hash": string, "deleted": true}; to the trash
 *     GET    /v1/cards?page&page_size       Page<CardItem>
 *     GET    /v1/cards/search?query         Page<CardItem>     GET /v1/cards/search-by-hash/{partial} Page<CardItem>
 *     GET    /v1/cards/count                {"count": number}
 *     DELETE /v1/cards?confirmation=CONFIRM_DELETE_ALL         {"deleted": number}; to the trash
 *     POST   /v1/files                      multipart `file`, `metadata` (JSON text) → CardStored;  GET /v1/files/{hash} the bytes
 *     GET    /v1/health                     {"status":"healthy"}, 503 with a Problem when the database does not answer
 *     GET    /v1/status                     Status             GET /v1/config  Config
 *     GET    /api/v1/health  /status  /documents  /vector-stats
 *     POST   /api/v1/upload (multipart `file`)  /index {hash}  /index-all {chunk_size}  /clear
 *     POST   /api/v1/query {query, max_sources} → Answer
 *
 * What our frontend uses besides:
 *
 *     GET    /v1/documents?query&type&sort&page&page_size   Page<DocumentItem>; `query` searches as you type, also by partial hash;
 *                                                           type: note|file; sort: relevance|updated|title
 *     POST   /v1/documents                  NewDocument → Document (201)
 *     GET    /v1/documents/{id}             Document
 *     PUT    /v1/documents/{id}             Edit → Document; 409 with code "conflict" when `base` is not the newest version
 *     DELETE /v1/documents/{id}             to the trash (204);  POST /v1/documents/{id}/undelete → Document
 *     DELETE /v1/trash/{id}                 for ever (204);      GET /v1/trash  Page<DocumentItem>
 *     GET    /v1/documents/{id}/versions    Version[], newest first
 *     POST   /v1/documents/{id}/restore     {"hash"} → Document, with a new version of that content
 *     GET    /v1/documents/{id}/links       Links
 *     GET    /v1/resolve?title=             DocumentItem, the document that `[[title]]` opens; 404 when there is none
 *     GET    /v1/graph                      Graph
 *     POST   /v1/upload                     multipart, any number of `file` parts in one request, each preceded by an optional `path`
 *                                           field (the file's relative path) → Uploaded; one bad file does not undo the others
 *     GET    /v1/card/{hash}/view           the bytes for a viewer in a frame: under `Content-Security-Policy: sandbox; default-src 'none'; …`,
 *                                           nosniff, so that no HTML or SVG ever runs in the application's origin
 *     GET    /v1/export                     a zip of everything as plain files, streamed
 *     GET    /v1/models                     Models;              POST /v1/models/pull {"name"} → NDJSON of PullProgress
 *     POST   /v1/ask                        Ask → NDJSON of AskEvent
 *     GET    /v1/audit?page&page_size       Page<AuditEntry>, newest first
 */

export interface Problem {
  readonly error: { readonly code: string; readonly message: string };
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly page: number;
  readonly page_size: number;
  readonly total_items: number;
  readonly total_pages: number;
  readonly has_next: boolean;
  readonly has_previous: boolean;
}

export interface CardStored {
  /** 64 hexadecimal digits. */
  readonly hash: string;
  readonly content_type: string;
  /** `sha256|2025-07-25T11:20:54.123456|UTC`: the algorithm, when the card was first seen, the zone. */
  readonly g_time: string;
}

export interface CardItem extends CardStored {
  readonly size: number;
  readonly filename: string | null;
  readonly document_id: string | null;
}

export interface CardMetadata extends CardItem {
  /** What the client gave with the file; never interpreted. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface DocumentItem {
  readonly id: string;
  readonly title: string;
  /** A note is Markdown written here; everything else is a file. */
  readonly type: 'note' | 'file';
  readonly content_type: string;
  /** The newest version. */
  readonly hash: string;
  readonly size: number;
  readonly versions: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly deleted_at: string | null;
  /** A few words around what was found, in pieces; `found` marks the matches. Empty without a query. */
  readonly excerpt: readonly { readonly text: string; readonly found: boolean }[];
}

export interface Document extends DocumentItem {
  /** The text of a note; null for files, whose bytes are at /v1/card/{hash}/content. */
  readonly content: string | null;
  readonly g_time: string;
  /** Where it came from: a relative path at import, or null. */
  readonly path: string | null;
}

export interface NewDocument {
  /** Absent: the first heading or line of the content. */
  readonly title?: string;
  /** Markdown. */
  readonly content: string;
}

export interface Edit {
  readonly title?: string;
  readonly content?: string;
  /** The hash that the edit began from. */
  readonly base: string;
}

export interface Version {
  /** Counts from 1. */
  readonly number: number;
  readonly hash: string;
  readonly title: string;
  readonly size: number;
  readonly at: string;
  /** `create`, `edit`, `restore`, `upload` or `import`. */
  readonly cause: string;
}

export interface Links {
  /** From this document; `document` is null where the target does not exist (yet). */
  readonly outgoing: readonly { readonly target: string; readonly document: DocumentItem | null }[];
  /** To this document. */
  readonly incoming: readonly DocumentItem[];
}

export interface Graph {
  readonly nodes: readonly {
    readonly id: string;
    readonly title: string;
    readonly type: 'note' | 'file';
    readonly links: number;
  }[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
  /** True when there were more nodes than the answer holds (the best linked and newest are kept). */
  readonly truncated: boolean;
}

export interface Uploaded {
  readonly stored: readonly (CardStored & { readonly document: DocumentItem; readonly existed: boolean })[];
  readonly refused: readonly { readonly name: string; readonly message: string }[];
}

export interface Models {
  /** False: no Ollama answers; `message` says what to do. Everything but answers in prose works without it. */
  readonly available: boolean;
  readonly message: string | null;
  readonly version: string | null;
  readonly models: readonly { readonly name: string; readonly size: number; readonly embedding: boolean }[];
  /** What is asked when the question names none; null when there is none. */
  readonly chat_model: string | null;
  readonly embedding_model: string | null;
}

/** A line of POST /v1/models/pull. `completed` and `total` are bytes of the layer under way, null between layers. */
export type PullProgress =
  | {
      readonly type: 'progress';
      readonly status: string;
      readonly completed: number | null;
      readonly total: number | null;
    }
  | { readonly type: 'done' }
  | { readonly type: 'error'; readonly message: string };

export interface Ask {
  readonly question: string;
  readonly model?: string;
  /** What was said before in this conversation, oldest first. */
  readonly history?: readonly { readonly role: 'user' | 'assistant'; readonly content: string }[];
  /** 1 to 20, 6 when absent. */
  readonly max_sources?: number;
}

export interface Citation {
  readonly hash: string;
  readonly g_time: string;
  readonly section: string;
  readonly content: string;
  /** 0 to 1. */
  readonly relevance_score: number;
  readonly document_id: string | null;
  readonly title: string;
}

/** A line of POST /v1/ask: first the citations, then the answer in pieces (or, without a model, a note that says so), then the end. */
export type AskEvent =
  | { readonly type: 'citations'; readonly citations: readonly Citation[] }
  | { readonly type: 'model'; readonly name: string }
  /** Nobody answers in prose; `message` says why and what to do. The citations stand. */
  | { readonly type: 'no_model'; readonly message: string }
  | { readonly type: 'token'; readonly text: string }
  | { readonly type: 'done' }
  /** What was answered so far stays; `message` says what happened. */
  | { readonly type: 'error'; readonly message: string };

export interface Answer {
  readonly answer: string;
  readonly citations: readonly Omit<Citation, 'document_id' | 'title'>[];
}

export interface AuditEntry {
  readonly id: number;
  readonly at: string;
  /** `create`, `edit`, `restore`, `upload`, `delete`, `undelete`, `purge`, `ask`, `export`, `import`, `pull_model`, … */
  readonly action: string;
  readonly document_id: string | null;
  readonly title: string | null;
  readonly hash: string | null;
  readonly detail: string | null;
}

export interface Status {
  readonly status: 'healthy' | 'degraded';
  readonly version: string;
  readonly documents: number;
  readonly cards: number;
  /** Bytes in the database and in the documents volume. */
  readonly bytes: number;
  readonly database: { readonly ok: boolean; readonly message: string | null };
  readonly ollama: { readonly ok: boolean; readonly message: string | null };
}

/** What the person who runs PKC settled: the environment, and a mounted .env file that is read anew for every request. */
export interface Config {
  readonly version: string;
  readonly title: string;
  readonly chat_model: string | null;
  readonly embedding_model: string | null;
  readonly max_upload_bytes: number;
}
