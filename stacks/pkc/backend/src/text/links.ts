/** Links in a note: to titles, to cards, and by relative paths. Code is no link. Pure. */
import { posix } from 'node:path';

export interface Link {
  kind: 'title' | 'card' | 'path';
  /** A title in lower case, 64 hexadecimal digits, or a path from the root of an import. */
  target: string;
}

const most = 500;

/** In order, each once. Takes time in proportion to the text, whatever is in it. @param path the note's own, for relative links */
export function linksOf(markdown: string, path?: string | null): Link[] {
  const text = withoutCode(markdown.slice(0, 1_000_000));
  const found = new Map<string, Link>();
  for (let at = 0; at < text.length && found.size < most; at++) {
    const link = text.startsWith('[[', at)
      ? titleAt(text, at)
      : text.startsWith('](', at)
        ? destinationAt(text, at, path)
        : undefined;
    if (link !== undefined) found.set(`${link.kind} ${link.target}`, link);
  }
  return [...found.values()];
}

function titleAt(text: string, at: number): Link | undefined {
  const title = /^\[\[([^\][|\n]{1,200})(?:\|[^\]\n]{0,200})?\]\]/.exec(text.slice(at, at + 410))?.[1];
  const target = title === undefined ? '' : normalTitle(title);
  return target === '' ? undefined : { kind: 'title', target };
}

function destinationAt(text: string, at: number, path: string | null | undefined): Link | undefined {
  const destination = /^\]\(<?([^()\s<>]{1,2000})>?(?:\s+"[^"\n]{0,200}")?\)/.exec(text.slice(at, at + 2300))?.[1];
  return destination === undefined ? undefined : linkTo(destination, path);
}

/** As titles are compared. */
export function normalTitle(title: string): string {
  return title.normalize('NFC').replace(/\s+/g, ' ').trim().toLowerCase();
}

function linkTo(destination: string, path: string | null | undefined): Link | undefined {
  const card = /^(?:card:|\/c\/|\/v1\/card\/)([\da-f]{64})(?:\/(?:content|view))?$/i.exec(destination)?.[1];
  if (card !== undefined) return { kind: 'card', target: card.toLowerCase() };
  if (path === undefined || path === null || /^[a-z][a-z\d+.-]*:|^[/#]/i.test(destination)) return undefined;
  let decoded: string;
  try {
    decoded = decodeURIComponent(destination.replace(/[#?].*$/, ''));
  } catch {
    return undefined;
  }
  const target = posix.normalize(posix.join(posix.dirname(path), decoded));
  return target.startsWith('..') || target === '.' ? undefined : { kind: 'path', target };
}

/** Without fenced blocks and spans of code (CommonMark 4.5 and 6.1). */
function withoutCode(text: string): string {
  const lines: string[] = [];
  let fence: string | undefined;
  for (const line of text.split('\n')) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    if (fence === undefined && mark !== undefined) fence = mark;
    else if (fence === undefined) lines.push(line);
    else if (mark !== undefined && mark[0] === fence[0] && mark.length >= fence.length && line.trim() === mark)
      fence = undefined;
  }
  return withoutSpans(lines.join('\n'));
}

function withoutSpans(text: string): string {
  const runs = [...text.matchAll(/`+/g)].map((match) => ({ at: match.index, end: match.index + match[0].length }));
  const following = new Map<number, number>();
  const next = runs.map(() => -1);
  for (let index = runs.length - 1; index >= 0; index--) {
    const length = runs[index]!.end - runs[index]!.at;
    next[index] = following.get(length) ?? -1;
    following.set(length, index);
  }
  let kept = '';
  let from = 0;
  for (let index = 0; index < runs.length; index++) {
    const closing = next[index]!;
    if (closing < 0) continue;
    kept += text.slice(from, runs[index]!.at);
    from = runs[closing]!.end;
    index = closing;
  }
  return kept + text.slice(from);
}
