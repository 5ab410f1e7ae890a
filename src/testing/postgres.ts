/** PostgreSQL for tests: the official image, or one with its interface (`wherry image bootstrap postgres:15`). */
import { type Container, Fault } from '../sdk/index.ts';
import { Database, type DatabaseOptions, type Fork } from './database.ts';
import { postgresAnswers } from './postgres-answers.ts';
import type { Recipe } from './recipe.ts';

export interface PostgresOptions extends DatabaseOptions {
  /** "postgres:17" if not given. */
  image?: string;
  /** In the names of its templates: one for each suite of tests whose seeds differ. */
  name?: string;
  user?: string;
  password?: string;
  database?: string;
  /** SQL, or a function that fills it (with migrations, say). What a function reads from elsewhere is to be said in `key`. */
  seed?: string | readonly string[] | ((postgres: Postgres) => Promise<void>);
  /** What else decides what is in it. */
  key?: unknown;
  env?: Readonly<Record<string, string>>;
  /** Of the server: `{ max_connections: 200 }`. */
  settings?: Readonly<Record<string, string | number | boolean>>;
  limits?: Recipe['limits'];
}

interface Account {
  user: string;
  password: string;
  database: string;
}

/** A PostgreSQL that can be used. */
export class Postgres {
  readonly container: Container;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;

  constructor(container: Container, { user, password, database }: Account) {
    this.container = container;
    ({ host: this.host, port: this.port } = container.port(serverPort));
    this.user = user;
    this.password = password;
    this.database = database;
  }

  /** For clients: "postgresql://test:test@127.0.0.1:32768/test". */
  get url(): string {
    const [user, password, database] = [this.user, this.password, this.database].map(encodeURIComponent);
    return `postgresql://${user}:${password}@${this.host}:${this.port}/${database}`;
  }

  /** Runs SQL with `psql` in the container: for seeds and for looking. @returns rows by lines, columns parted by `|`. @throws Fault */
  async sql(text: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.container.exec(
      ['psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-U', this.user, '-d', this.database],
      { stdin: text, env: { PGPASSWORD: this.password } },
    );
    if (exitCode !== 0) throw new Fault('invalid', `Cannot run SQL: ${stderr.trim()}`);
    return stdout.replace(/\n$/, '');
  }
}

/** One of its own, with the data that was seeded. */
export class PostgresFork extends Postgres implements AsyncDisposable {
  readonly #fork: Fork;

  constructor(fork: Fork, account: Account) {
    super(fork.container, account);
    this.#fork = fork;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#fork[Symbol.asyncDispose]();
  }
}

const serverPort = 5432;

/** What is lost when the power fails is made anew. */
const careless = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' };

export function postgres(options: PostgresOptions = {}): Database<PostgresFork> {
  const { image = 'postgres:17', name, user = 'test', password = 'test', database = user, seed, key, limits } = options;
  const account: Account = { user, password, database };
  const settings = Object.entries({ ...careless, ...options.settings }).flatMap(([each, value]) => [
    '-c',
    `${each}=${value}`,
  ]);
  const recipe: Recipe = {
    image,
    ...(name === undefined ? {} : { name }),
    ...(limits === undefined ? {} : { limits }),
    env: {
      POSTGRES_USER: user,
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: database,
      // Small segments: the first write to a file of the template copies it.
      POSTGRES_INITDB_ARGS: '--wal-segsize=1 --no-sync',
      // Not in the image's volume: layers are shared, volumes would be copied.
      PGDATA: '/pgdata',
      ...options.env,
    },
    command: ['postgres', ...settings],
    emptyVolumes: true,
    ports: [serverPort],
    ready: {
      intervalMs: 20,
      check: (container, signal) => postgresAnswers({ ...container.port(serverPort), user, database }, signal),
    },
    seed: (container) => fill(new Postgres(container, account), seed),
    key: [typeof seed === 'function' ? seed.toString() : seed, key],
  };
  return new Database(recipe, options, (fork) => new PostgresFork(fork, account));
}

async function fill(server: Postgres, seed: PostgresOptions['seed']): Promise<void> {
  if (typeof seed === 'function') await seed(server);
  else for (const text of typeof seed === 'string' ? [seed] : (seed ?? [])) await server.sql(text);
}
