/** Embeds what is new, in the background and one after the other, where an embedding model is there. */
import type { Database } from '../store/database.ts';
import { chunksOf } from '../text/chunks.ts';
import type { Ollama } from './ollama.ts';
import { quantized } from './vectors.ts';

const atOnce = 16;
const pauseMs = 30_000;

export class Indexer {
  readonly #database: Database;
  readonly #ollama: Ollama;
  readonly #model: () => string | undefined;
  readonly #log: (text: string) => void;
  readonly #ended = new AbortController();
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(
    database: Database,
    ollama: Ollama,
    options: { model: () => string | undefined; log: (text: string) => void },
  ) {
    this.#database = database;
    this.#ollama = ollama;
    this.#model = options.model;
    this.#log = options.log;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** There may be something new. */
  poke(): void {
    this.#wake?.();
  }

  /** One card, at once. @returns how many passages it has @throws OllamaFault */
  async index(hash: string, model: string, chunkSize?: number): Promise<number> {
    const [card] = await this.#database.query<{ body: string }>('SELECT body FROM cards WHERE hash = $1', [hash]);
    const chunks = chunksOf(card?.body ?? '', chunkSize);
    const vectors: Buffer[] = [];
    for (let at = 0; at < chunks.length; at += atOnce) {
      const texts = chunks
        .slice(at, at + atOnce)
        .map(({ section, content }) => (section === '' ? content : `${section}\n${content}`));
      const made = await this.#ollama.embed(model, texts, this.#ended.signal);
      vectors.push(...made.map(quantized));
    }
    await this.#database.transaction(async (client) => {
      await client.query('DELETE FROM passages WHERE model = $1 AND hash = $2', [model, hash]);
      await client.query(
        `INSERT INTO passages (hash, model, number, section, content, vector)
         SELECT $1, $2, ordinality - 1, section, content, vector FROM unnest($3::text[], $4::text[], $5::bytea[]) WITH ORDINALITY AS u (section, content, vector, ordinality)`,
        [hash, model, chunks.map(({ section }) => section), chunks.map(({ content }) => content), vectors],
      );
    });
    return chunks.length;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#ended.signal.aborted) {
      try {
        const model = this.#model();
        const [next] =
          model === undefined
            ? []
            : await this.#database.query<{ hash: string }>(
                `SELECT c.hash FROM cards c WHERE c.body <> '' AND EXISTS (SELECT FROM documents d WHERE d.hash = c.hash AND d.deleted_at IS NULL)
             AND NOT EXISTS (SELECT FROM passages p WHERE p.hash = c.hash AND p.model = $1) LIMIT 1`,
                [model],
              );
        if (next !== undefined && (await this.index(next.hash, model!)) > 0) continue;
      } catch (error) {
        if (!this.#ended.signal.aborted) this.#log(`embeddings wait: ${(error as Error).message}`);
      }
      await this.#pause();
    }
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs);
      timer.unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#ended.signal.aborted) this.#wake();
    });
    this.#wake = undefined;
  }
}
