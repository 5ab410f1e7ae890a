/** Databases with data for tests, each test its own. `import { postgres } from 'wherry/testing'`. */
export { Database, database, type DatabaseOptions, Fork, type ForkOptions } from './database.ts';
export { Postgres, postgres, PostgresFork, type PostgresOptions } from './postgres.ts';
export type { Recipe } from './recipe.ts';
export { owned, sweep } from './sweep.ts';
