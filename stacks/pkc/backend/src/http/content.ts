/** A card's bytes, in whole or in part (RFC 9110 §14), and never as a page that could act in the application's name. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { Blobs } from '../store/blobs.ts';
import type { StoredContent } from '../store/cards.ts';

/** For a viewer in a frame: shown, and nothing of it run, sent or loaded from elsewhere. */
const sandboxed =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'";
/** Browsers show PDFs with a viewer of their own, which a sandbox would stop; it runs in its own origin. */
const forPdf =
  "default-src 'none'; object-src 'self'; plugin-types application/pdf; style-src 'unsafe-inline'; frame-ancestors 'self'";

export async function sendContent(
  { request, response, blobs }: { request: IncomingMessage; response: ServerResponse; blobs: Blobs },
  hash: string,
  card: StoredContent,
  how: 'content' | 'view' | 'text',
): Promise<void> {
  const { size, content, filename } = card;
  const isPdf = card.content_type === 'application/pdf';
  const type = how === 'text' ? 'text/plain; charset=utf-8' : withCharset(card.content_type);
  const range = rangeOf(request.headers.range, size);
  response.setHeader('Content-Type', type);
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Content-Security-Policy', how === 'view' && isPdf ? forPdf : sandboxed);
  response.setHeader('Cross-Origin-Resource-Policy', 'same-site');
  response.setHeader('ETag', `"${hash}"`);
  response.setHeader('Cache-Control', 'private, max-age=31536000, immutable');
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader(
    'Content-Disposition',
    disposition(how === 'content' && !isInline(card.content_type) ? 'attachment' : 'inline', filename),
  );
  if (request.headers['if-none-match'] === `"${hash}"`) return void response.writeHead(304).end();
  if (range === 'unsatisfiable') return void response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (range !== undefined) response.setHeader('Content-Range', `bytes ${start}-${end}/${size}`);
  response.setHeader('Content-Length', end - start + 1);
  response.statusCode = range === undefined ? 200 : 206;
  if (request.method === 'HEAD' || size === 0) return void response.end();
  if (content !== null) return void response.end(content.subarray(start, end + 1));
  await pipeline(blobs.read(hash, { start, end }), response);
}

/** What a page may show by itself, as an image or a sound. */
function isInline(type: string): boolean {
  return (
    /^(?:image|audio|video)\//.test(type) ||
    type.startsWith('text/') ||
    type === 'application/json' ||
    type === 'application/pdf'
  );
}

function withCharset(type: string): string {
  return type.startsWith('text/') || /^application\/(?:json|xml|yaml|toml)$/.test(type)
    ? `${type}; charset=utf-8`
    : type;
}

/** RFC 6266, with the name of RFC 8187 for all but plain letters. */
export function disposition(kind: 'inline' | 'attachment', name: string | null): string {
  if (name === null) return kind;
  const plain = name.replace(/[^\w .()-]/g, '_');
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** One range; of several, and of what is no range, all is sent. */
export function rangeOf(
  header: string | undefined,
  size: number,
): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const length = Math.min(Number(match[2]), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  if (start >= size) return 'unsatisfiable';
  return start > end ? undefined : { start, end };
}
