/** Passages that may answer a question: by their words always, and by meaning where an embedding model is there. */
import type { Citation } from '../../../api.ts';
import { gTime } from '../store/cards.ts';
import type { Database } from '../store/database.ts';
import { chunksOf } from '../text/chunks.ts';
import { coverage, wordsOf } from '../text/words.ts';
import type { Ollama } from './ollama.ts';
import { cosine, quantized } from './vectors.ts';

const mostDocuments = 60;
const batch = 5000;

interface Passage {
  hash: string;
  g_time: string;
  document_id: string;
  title: string;
  section: string;
  content: string;
  score: number;
}

export interface Meaning {
  ollama: Ollama;
  model: string;
}

/** The best first; none where nothing fits. */
export async function retrieve(
  database: Database,
  question: string,
  { most, meaning }: { most: number; meaning: Meaning | undefined },
  signal: AbortSignal,
): Promise<Citation[]> {
  const byWords = await wordPassages(database, question);
  // What fails of the meaning takes nothing away from the words.
  const byMeaning =
    meaning === undefined ? [] : await meaningPassages(database, question, meaning, signal).catch(() => []);
  return merged(byWords, byMeaning)
    .slice(0, most)
    .map(({ score, ...passage }) => ({ ...passage, relevance_score: Math.round(Math.min(1, score) * 1000) / 1000 }));
}

async function wordPassages(database: Database, question: string): Promise<Passage[]> {
  const words = wordsOf(question);
  if (words.length === 0) return [];
  // Each word, and what begins with it: "rose" finds "roses"; a word that everything has weighs little.
  const anyOf = words.map((word) => `'${word}':*`).join(' | ');
  const rows = await database.query<Omit<Passage, 'section' | 'content' | 'score'> & { body: string }>(
    `WITH pool AS (SELECT id FROM documents, to_tsquery('simple', $1) q WHERE words @@ q AND deleted_at IS NULL LIMIT 4000),
     best AS (SELECT d.id, ts_rank(d.words, q, 1) AS rank FROM pool JOIN documents d USING (id), to_tsquery('simple', $1) q ORDER BY rank DESC LIMIT ${mostDocuments})
     SELECT d.hash, ${gTime('c.first_seen')} AS g_time, d.id AS document_id, d.title, left(c.body, 200000) AS body
     FROM best JOIN documents d USING (id) JOIN cards c ON c.hash = d.hash ORDER BY rank DESC`,
    [anyOf],
  );
  const weights = rarity(
    words,
    rows.map(({ title, body }) => `${title} ${body}`.toLowerCase()),
  );
  return rows
    .flatMap(({ body, ...document }) =>
      chunksOf(body).map((chunk) => ({
        ...document,
        ...chunk,
        score: Math.max(
          coverage(chunk.content, weights),
          coverage(`${document.title} ${chunk.section} ${chunk.content}`, weights) * 0.95,
        ),
      })),
    )
    .filter(({ score }) => score > 0.15)
    .toSorted((a, b) => b.score - a.score)
    .slice(0, 50);
}

/** Words that few of the candidates have tell more. */
function rarity(words: readonly string[], texts: readonly string[]): Map<string, number> {
  return new Map(
    words.map((word) => {
      const count = texts.filter((text) => text.includes(word)).length;
      return [word, Math.log(1 + (texts.length + 1) / (count + 0.5))];
    }),
  );
}

async function meaningPassages(
  database: Database,
  question: string,
  { ollama, model }: Meaning,
  signal: AbortSignal,
): Promise<Passage[]> {
  const [first] = await ollama.embed(model, [question], signal);
  const asked = quantized(first!);
  let best: { hash: string; number: number; score: number }[] = [];
  let after = { hash: '', number: -1 };
  for (;;) {
    const rows = await database.query<{ hash: string; number: number; vector: Buffer }>(
      `SELECT p.hash, p.number, p.vector FROM passages p WHERE p.model = $1 AND (p.hash, p.number) > ($2, $3) ORDER BY p.hash, p.number LIMIT ${batch}`,
      [model, after.hash, after.number],
    );
    for (const { hash, number, vector } of rows) best.push({ hash, number, score: cosine(asked, vector) });
    best = best.toSorted((a, b) => b.score - a.score).slice(0, 50);
    if (rows.length < batch) break;
    after = rows.at(-1)!;
  }
  const rows = await database.query<Omit<Passage, 'score'> & { number: number }>(
    `SELECT DISTINCT ON (p.hash, p.number) p.hash, p.number, p.section, p.content, ${gTime('c.first_seen')} AS g_time, d.id AS document_id, d.title
     FROM passages p JOIN cards c USING (hash) JOIN documents d ON d.hash = p.hash AND d.deleted_at IS NULL
     WHERE p.model = $1 AND (p.hash, p.number) IN (SELECT * FROM unnest($2::text[], $3::int[]))`,
    [model, best.map(({ hash }) => hash), best.map(({ number }) => number)],
  );
  const found = new Map(rows.map((row) => [`${row.hash} ${row.number}`, row]));
  return best.flatMap(({ hash, number, score }) => {
    const row = found.get(`${hash} ${number}`);
    if (row === undefined || score < 0.3) return [];
    const { number: _, ...passage } = row;
    return [{ ...passage, score }];
  });
}

/** Reciprocal ranks of both lists, told as the better of the two scores. */
function merged(first: readonly Passage[], second: readonly Passage[]): Passage[] {
  if (second.length === 0) return [...first];
  const ranks = new Map<string, { passage: Passage; rank: number }>();
  for (const list of [first, second])
    for (const [place, passage] of list.entries()) {
      const key = `${passage.hash} ${passage.content.slice(0, 200)}`;
      const before = ranks.get(key);
      const better = before === undefined || passage.score > before.passage.score ? passage : before.passage;
      ranks.set(key, { passage: better, rank: (before?.rank ?? 0) + 1 / (20 + place) });
    }
  return [...ranks.values()].toSorted((a, b) => b.rank - a.rank).map(({ passage }) => passage);
}
