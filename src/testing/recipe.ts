/** What a database is made of. Whatever decides what is in it decides its template's name. */
import { createHash } from 'node:crypto';
import type { CommandLine, Condition, Container, Limits, RunOptions } from '../sdk/index.ts';

export interface Recipe {
  /** In the names of its templates; the newest three of a name are kept. The image's if not given. */
  name?: string;
  image: string;
  env?: Readonly<Record<string, string>>;
  command?: CommandLine;
  entrypoint?: readonly string[];
  user?: string;
  workdir?: string;
  /** Written before the first start. */
  files?: Readonly<Record<string, string | Uint8Array>>;
  /** Published on free ports of loopback, for the seed and for each fork. */
  ports?: readonly number[];
  limits?: Limits;
  /** When it can be filled, and when a fork can be used. */
  ready?: Condition;
  /**
   * Fills it, once. Its text is part of the template's name: what it reads from elsewhere (migrations, fixtures) is to be said in `key`.
   */
  seed?: (container: Container) => Promise<void> | void;
  /** What else decides what is in it: contents of files, a version. Anything that JSON can say. */
  key?: unknown;
  /**
   * The data is not where the image declares volumes: those stay empty, and a fork is there at once, for it shares the data's layers until
   * it writes. Otherwise what is in volumes is copied for each fork, by the daemon.
   */
  emptyVolumes?: boolean;
  /** How long it may take to stop after it was filled. 60 s if not given. */
  stopTimeoutMs?: number;
  /** false where the image has no `sh`: then only a sweep removes what a process that was killed left. */
  hold?: boolean;
  auth?: RunOptions['auth'];
}

/** @param base the id of the image: a newer one makes a new template. */
export function recipeKey(recipe: Recipe, base: string): string {
  const { name, env, command, entrypoint, user, workdir, files, seed, key, emptyVolumes } = recipe;
  const contents = Object.entries(files ?? {}).map(([path, content]) => [
    path,
    Buffer.from(content).toString('base64'),
  ]);
  const parts = {
    base,
    name,
    env,
    command,
    entrypoint,
    user,
    workdir,
    contents,
    seed: seed?.toString(),
    key,
    emptyVolumes,
  };
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 20);
}

/** As repositories are named. */
export function templateName({ name, image }: Recipe): string {
  const plain = (name ?? image.replace(/^.*\//, '').replace(/[:@].*$/, ''))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-');
  return `wherry-template/${plain.replaceAll(/^-+|-+$/g, '') || 'database'}`;
}
