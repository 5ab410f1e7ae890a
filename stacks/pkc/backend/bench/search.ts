/**
 * Search over 100,000 notes, by HTTP: node bench/search.ts URL-OF-POSTGRES URL-OF-BACKEND [notes]. Fills a database that has fewer notes.
 * Prints percentiles of several kinds of queries in milliseconds.
 */
import pg from 'pg';

const [database, backend, wanted = '100000'] = process.argv.slice(2);
if (database === undefined || backend === undefined)
  throw new Error('usage: node bench/search.ts postgres://… http://… [notes]');

/** The same words in every run: the n-th is as common as words of a language are (Zipf). */
let seed = 42;
const random = (): number => {
  seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
  return seed / 2 ** 31;
};
const syllables = [
  'ka',
  'ro',
  'mi',
  'ten',
  'sol',
  've',
  'da',
  'lun',
  'pir',
  'os',
  'ghe',
  'tam',
  'bri',
  'ul',
  'ne',
  'xa',
];
const words = Array.from({ length: 30_000 }, (_, index) => {
  let [text, rest] = ['', index + 16];
  for (; rest > 0; rest = Math.floor(rest / 16)) text += syllables[rest % 16]!;
  return text;
});
const word = (): string =>
  words[Math.min(words.length - 1, Math.floor(Math.exp(random() * Math.log(words.length))) - 1)] ?? words[0]!;
const sentence = (): string => Array.from({ length: 8 + Math.floor(random() * 10) }, word).join(' ');

const client = new pg.Client({ connectionString: database });
await client.connect();
const { rows } = await client.query<{ count: string }>('SELECT count(*) AS count FROM documents');
for (let made = Number(rows[0]!.count); made < Number(wanted); made += 1000) {
  const notes = Array.from({ length: 1000 }, (_, index) => {
    const title = Array.from({ length: 3 }, word).join(' ');
    const body = `# ${title}\n\n${Array.from({ length: 4 + Math.floor(random() * 12) }, sentence).join('. ')} (${made + index})`;
    return { title, body };
  });
  await client.query(
    `WITH notes AS (SELECT title, body, encode(sha256(convert_to(body, 'UTF8')), 'hex') AS hash FROM unnest($1::text[], $2::text[]) AS n (title, body)),
     stored AS (INSERT INTO cards (hash, size, content_type, content, body) SELECT hash, octet_length(body), 'text/markdown', convert_to(body, 'UTF8'), body FROM notes ON CONFLICT DO NOTHING),
     shown AS (INSERT INTO documents (type, title, normal_title, hash, words)
       SELECT 'note', title, lower(title), hash, setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', body), 'D') FROM notes RETURNING id, hash, title)
     INSERT INTO versions (document_id, number, hash, title, cause) SELECT id, 1, hash, title, 'create' FROM shown`,
    [notes.map(({ title }) => title), notes.map(({ body }) => body)],
  );
  if (made % 10_000 < 1000) process.stderr.write(`${made} notes\n`);
}
await client.query('ANALYZE');
await client.end();

const kinds: Record<string, () => string> = {
  'a common word': () => words[Math.floor(random() * 5)]!,
  'a rare word': () => words[5000 + Math.floor(random() * 20_000)]!,
  'two words': () => `${word()} ${word()}`,
  'as one types (2 letters)': () => word().slice(0, 2),
  'as one types (4 letters)': () => word().slice(0, 4),
  'a phrase': () => `"${word()} ${word()}"`,
  'a question': () => sentence(),
  'part of a hash': () =>
    Math.floor(random() * 2 ** 24)
      .toString(16)
      .padStart(6, '0'),
};
const all: number[] = [];
for (const [kind, query] of Object.entries(kinds)) {
  const times: number[] = [];
  for (let round = 0; round < 60; round++) {
    const started = performance.now();
    const answer = await fetch(`${backend}/v1/documents?page_size=30&query=${encodeURIComponent(query())}`);
    if (!answer.ok) throw new Error(await answer.text());
    await answer.arrayBuffer();
    times.push(performance.now() - started);
  }
  all.push(...times);
  print(kind, times);
}
print('all', all);

function print(kind: string, times: number[]): void {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(1);
  process.stdout.write(
    `${kind.padEnd(26)} median ${at(0.5).padStart(7)}   p95 ${at(0.95).padStart(7)}   worst ${at(1).padStart(7)} ms\n`,
  );
}
