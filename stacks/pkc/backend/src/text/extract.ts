/** A file's words, for the search: what a person would read of it. Pure. */
import { isTextual } from './media-type.ts';

/** PostgreSQL's index takes less than a megabyte of different words of one document. */
const longest = 300_000;

export function searchText(type: string, content: Uint8Array): string {
  if (!isTextual(type)) return '';
  const text = Buffer.from(content.subarray(0, longest * 2)).toString('utf8');
  const plain =
    type === 'text/html' || type === 'image/svg+xml' || type === 'application/xml' ? withoutTags(text) : text;
  // PostgreSQL stores no NUL; a lone half of a pair is nobody's letter.
  const clean = plain.slice(0, longest).toWellFormed().replaceAll('\u0000', ' ');
  return clean.trim() === '' ? '' : clean;
}

function withoutTags(text: string): string {
  return text
    .replace(/<(script|style)\b[^]*?(?:<\/\1\s*>|$)/gi, ' ')
    .replace(/<!--[^]*?(?:-->|$)/g, ' ')
    .replace(/<[^>]*(?:>|$)/g, ' ')
    .replace(/&(?:lt|gt|amp|quot|#39|nbsp);/g, (entity) => entities[entity] ?? ' ')
    .replace(/[ \t]+/g, ' ');
}

const entities: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&amp;': '&',
  '&quot;': '"',
  '&#39;': "'",
  '&nbsp;': ' ',
};

/** The first heading, else the first line, else nothing. */
export function titleOf(markdown: string): string | undefined {
  const body = markdown.replace(/^---\n[^]*?\n---\n/, '');
  const heading = /^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*$/m.exec(body.slice(0, 4000))?.[1];
  const line =
    heading ??
    body
      .split('\n')
      .map((each) => each.replace(/^[\s>*#-]+/, '').trim())
      .find((each) => each !== '');
  const title = line?.replace(/[*_`]|\[\[|\]\]/g, '').trim();
  return title === undefined || title === '' ? undefined : title.slice(0, 200).toWellFormed();
}
