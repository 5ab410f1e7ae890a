/** Which bytes of a body are wanted: Range, If-Range and If-None-Match (RFC 9110 §13, §14). */
import type { Span } from './transfer.ts';

export type Wanted =
  | { kind: 'whole' }
  | { kind: 'span'; span: Span }
  /** Nothing of the range is there. */
  | { kind: 'none' };

/** Several ranges, other units and what is malformed mean the whole: that is what a server may do with what it does not serve. */
export function wantedSpan(
  range: string | undefined,
  condition: string | undefined,
  etag: string,
  size: number,
): Wanted {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range?.trim() ?? '');
  if (match === null || (condition !== undefined && condition !== etag)) return { kind: 'whole' };
  const [first, last] = [match[1] ?? '', match[2] ?? ''];
  if (first === '') {
    if (last === '') return { kind: 'whole' };
    const suffix = Math.min(Number(last), size);
    return suffix === 0 ? { kind: 'none' } : { kind: 'span', span: { start: size - suffix, end: size } };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return { kind: 'whole' };
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  return start >= size ? { kind: 'none' } : { kind: 'span', span: { start, end } };
}

/** Whether If-None-Match names what is here. */
export function isKnown(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}
