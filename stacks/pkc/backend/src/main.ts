/** PKC's backend: serves at once, waits for its database as long as it takes, and ends when it is told to. */
import { Indexer } from './ask/indexer.ts';
import { Ollama } from './ask/ollama.ts';
import { readConfig, readLive } from './config.ts';
import { createPkcServer, version } from './http/server.ts';
import { Blobs } from './store/blobs.ts';
import { Cards } from './store/cards.ts';
import { Database } from './store/database.ts';
import { Documents } from './store/documents.ts';

/** How long requests have to end when the process is told to. */
const graceMs = 10_000;

const log = (text: string): void => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);

function fatal(error: unknown): never {
  process.stderr.write(`pkc: ${(error as Error).message}\n`);
  process.exit(1);
}

const config = await Promise.try(() => readConfig(process.env)).catch(fatal);
const live = () => readLive(config, process.env);
const database = new Database(config.database, log);
const blobs = new Blobs(config.documents);
await blobs
  .open()
  .catch((error: NodeJS.ErrnoException) =>
    fatal(new Error(`cannot write to DOCUMENTS_DIR (${config.documents}) as uid ${process.getuid?.()}: ${error.code}`)),
  );
const cards = new Cards(database, blobs);
const documents = new Documents(database, cards, blobs);
const ollama = new Ollama(config.ollama);
const indexer = new Indexer(database, ollama, { model: () => live().embeddingModel, log });
const server = createPkcServer({ config, live, database, blobs, cards, documents, ollama, indexer, log });
server.once('error', fatal);
server.listen(config.port, () => log(`pkc ${version} listens on port ${config.port}`));

let isEnding = false;
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.on(name, () => {
    if (isEnding) return;
    isEnding = true;
    log(`${name}: ending`);
    setTimeout(() => process.exit(0), graceMs).unref();
    server.close(() => void Promise.all([indexer.close(), database.close()]).then(() => process.exit(0)));
    server.closeIdleConnections();
  });
}

try {
  await database.connect();
  const gone = await cards.collect();
  if (gone > 0) log(`${gone} files of uploads that did not finish are gone`);
  indexer.start();
} catch (error) {
  fatal(error);
}
