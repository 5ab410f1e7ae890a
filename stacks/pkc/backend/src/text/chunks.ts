/** A text in passages that can be cited: by headings and paragraphs. Pure. */

export interface Chunk {
  /** The headings above it: `Garden › Roses`. */
  section: string;
  content: string;
}

const wanted = 900;
const longest = 1600;

/** In order, and none only where there is no text; none is longer than 1,600 characters. @param size characters that a passage should have */
export function chunksOf(text: string, size = wanted): Chunk[] {
  const chunks: Chunk[] = [];
  const headings: { level: number; text: string }[] = [];
  const limit = Math.min(longest, Math.max(200, size));
  let current = '';
  const section = (): string => headings.map((each) => each.text).join(' › ');
  const flush = (): void => {
    if (current.trim() !== '') chunks.push({ section: section(), content: current.trim() });
    current = '';
  };
  for (const block of text.replaceAll('\r\n', '\n').split(/\n{2,}|(?=^#{1,6} )/m)) {
    const heading = /^(#{1,6})[ \t]+([^\n]+)\n?/.exec(block);
    if (heading !== null) {
      flush();
      const level = heading[1]!.length;
      while ((headings.at(-1)?.level ?? 0) >= level) headings.pop();
      headings.push({ level, text: heading[2]!.replace(/[ \t]*#*$/, '').slice(0, 100) });
    }
    const rest = heading === null ? block : block.slice(heading[0].length);
    for (const piece of pieces(rest, limit)) {
      if (current !== '' && current.length + piece.length > limit) flush();
      current = current === '' ? piece : `${current}\n\n${piece}`;
    }
  }
  flush();
  // Headings alone are a passage, too.
  if (chunks.length === 0 && text.trim() !== '') chunks.push({ section: '', content: text.trim().slice(0, longest) });
  return chunks;
}

/** At the ends of sentences or words where it must be cut. */
function pieces(text: string, limit: number): string[] {
  const found: string[] = [];
  let rest = text.trim();
  while (rest.length > limit) {
    const head = rest.slice(0, limit);
    const end = Math.max(head.lastIndexOf('. '), head.lastIndexOf('\n')) + 1 || head.lastIndexOf(' ') + 1 || limit;
    found.push(rest.slice(0, end).trim());
    rest = rest.slice(end).trim();
  }
  if (rest !== '') found.push(rest);
  return found;
}
