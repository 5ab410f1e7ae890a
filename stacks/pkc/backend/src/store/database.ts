/** PostgreSQL: connections that come back, transactions, and the shape brought up to date. */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { DatabaseSettings } from '../config.ts';
import { Refusal } from '../http/problem.ts';
import { migrations } from './migrations.ts';

export type Client = Pick<pg.ClientBase, 'query'>;

// Sizes are below 2^53; dates are told as PostgreSQL has them, with microseconds.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** Any number that no other program on the same database uses. */
const migrationLock = 7_246_113;
const connectMs = 5_000;
const connections = 12;
const mostAlone = connections / 2;
const longestRetryMs = 5_000;

export class Database {
  readonly #pool: pg.Pool;
  readonly #log: (text: string) => void;
  readonly #waiting: (() => void)[] = [];
  #alone = 0;
  #isReady = false;
  #problem = 'it was not reached yet';
  #isClosed = false;

  constructor(settings: DatabaseSettings, log: (text: string) => void) {
    const { host, port, database, user, password } = settings;
    this.#log = log;
    this.#pool = new pg.Pool({
      host,
      port,
      database,
      user,
      password: async () => password(),
      max: connections,
      connectionTimeoutMillis: connectMs,
      // Kept: while the engine restarts, no name is answered, and what is connected goes on.
      idleTimeoutMillis: 0,
      keepAlive: true,
      application_name: 'pkc',
      statement_timeout: 120_000,
    });
    // A connection that breaks while nobody uses it; the next query takes another.
    this.#pool.on('error', (error) => log(`a connection to the database broke: ${error.message}`));
  }

  /** Tries until it succeeds, however long that takes. @throws Error when the database is newer than this program */
  async connect(): Promise<void> {
    for (let wait = 200; !this.#isClosed; wait = Math.min(wait * 1.7, longestRetryMs)) {
      try {
        await this.#migrate();
        this.#isReady = true;
        this.#log('the database is ready');
        return;
      } catch (error) {
        if (error instanceof NewerDatabase) throw error;
        const { message } = error as Error;
        if (message !== this.#problem) this.#log(`the database does not answer: ${message}`);
        this.#problem = message;
        await sleep(wait);
      }
    }
  }

  /** @throws Refusal 503 before the first connection; what PostgreSQL says */
  async query<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    this.#requireReady();
    return (await this.#pool.query<Row>(text, [...values])).rows;
  }

  async transaction<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return this.#with(async (client) => {
      await client.query('BEGIN');
      try {
        const result = await work(client);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {});
        throw error;
      }
    });
  }

  /** One at a time for each hash, over transactions and files: what is stored and what is deleted never cross. */
  async alone<T>(hash: string, work: () => Promise<T>): Promise<T> {
    // `work` takes a connection of its own: were all of them held by who waits for a second one, nobody would get on.
    while (this.#alone >= mostAlone) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#alone++;
    try {
      return await this.#aloneNow(hash, work);
    } finally {
      this.#alone--;
      this.#waiting.shift()?.();
    }
  }

  async #aloneNow<T>(hash: string, work: () => Promise<T>): Promise<T> {
    return this.#with(async (client) => {
      const key = BigInt.asIntN(64, BigInt(`0x${hash.slice(0, 16)}`)).toString();
      await client.query('SELECT pg_advisory_lock($1)', [key]);
      try {
        return await work();
      } finally {
        await client.query('SELECT pg_advisory_unlock($1)', [key]).catch(() => {});
      }
    });
  }

  /** @throws as query */
  async ping(): Promise<void> {
    await this.query('SELECT 1');
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.end();
  }

  async #with<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    this.#requireReady();
    const client = await this.#pool.connect();
    let failure: unknown;
    const broken = (error: Error): void => {
      failure = error;
    };
    client.on('error', broken);
    try {
      return await work(client);
    } finally {
      client.off('error', broken);
      client.release(failure instanceof Error ? failure : undefined);
    }
  }

  #requireReady(): void {
    if (!this.#isReady)
      throw new Refusal(
        503,
        'database_away',
        'The database is not there yet. Nothing is lost; this page tries again by itself. `wherry compose -p pkc ps` shows what runs.',
      );
  }

  async #migrate(): Promise<void> {
    const client = await this.#pool.connect();
    try {
      await client.query('SELECT pg_advisory_lock($1)', [migrationLock]);
      try {
        await client.query(
          'CREATE TABLE IF NOT EXISTS shape (step int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())',
        );
        const { rows } = await client.query<{ step: number | null }>('SELECT max(step) AS step FROM shape');
        const done = rows[0]?.step ?? 0;
        if (done > migrations.length) throw new NewerDatabase(done);
        for (let step = done + 1; step <= migrations.length; step++) {
          await client.query('BEGIN');
          try {
            await client.query(migrations[step - 1]!);
            await client.query('INSERT INTO shape (step) VALUES ($1)', [step]);
            await client.query('COMMIT');
          } catch (error) {
            await client.query('ROLLBACK');
            throw error;
          }
          this.#log(`the database was brought to step ${step}`);
        }
      } finally {
        await client.query('SELECT pg_advisory_unlock($1)', [migrationLock]);
      }
    } finally {
      client.release();
    }
  }
}

export class NewerDatabase extends Error {
  constructor(step: number) {
    super(
      `the database is of a newer PKC (step ${step}; this one knows ${migrations.length}): nothing was changed. Start the newer version again.`,
    );
  }
}
