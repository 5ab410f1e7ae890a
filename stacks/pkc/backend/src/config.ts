/** What the person who runs PKC settled: the environment once, and a mounted .env file that is read anew each time. */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

export interface Config {
  port: number;
  database: DatabaseSettings;
  documents: string;
  ollama: OllamaSettings;
  envFile: string;
  /** Origins of web pages that may change things, besides the page's own. */
  origins: ReadonlySet<string>;
  /** Host names by which it may be asked, besides addresses and names of the local network. */
  hosts: ReadonlySet<string>;
}

export interface DatabaseSettings {
  host: string;
  port: number;
  database: string;
  user: string;
  /** Asked for at each connection: a secret may be replaced. @throws Error naming what is missing, never the secret */
  password: () => string;
}

export interface OllamaSettings {
  url: string;
  /** Longest silence before the first word of an answer, and between words. */
  firstMs: number;
  betweenMs: number;
}

/** Of the .env file, else of the environment. */
export interface Live {
  title: string;
  chatModel: string | undefined;
  embeddingModel: string | undefined;
  maxUploadBytes: number;
}

/** @throws Error naming the variable */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const url = env['DATABASE_URL'] === undefined ? undefined : new URL(env['DATABASE_URL']);
  const passwordFile = env['DATABASE_PASSWORD_FILE'];
  const password = env['DATABASE_PASSWORD'] ?? (url === undefined ? undefined : decodeURIComponent(url.password));
  return {
    port: whole(env, 'PORT', 8000),
    database: {
      host: env['DATABASE_HOST'] ?? url?.hostname ?? 'database',
      port: whole(env, 'DATABASE_PORT', Number(url?.port || 5432)),
      database: env['DATABASE_NAME'] ?? (url?.pathname.slice(1) || 'pkc'),
      user: env['DATABASE_USER'] ?? (url === undefined ? 'pkc_user' : decodeURIComponent(url.username)),
      password: () => {
        if (passwordFile === undefined) return password ?? '';
        try {
          return readFileSync(passwordFile, 'utf8').replace(/\r?\n$/, '');
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          throw new Error(
            `cannot read the database's password from DATABASE_PASSWORD_FILE (${passwordFile}): ${code}`,
            {
              cause: error,
            },
          );
        }
      },
    },
    documents: env['DOCUMENTS_DIR'] ?? '/var/lib/pkc/documents',
    ollama: {
      url: (env['OLLAMA_URL'] ?? 'http://ollama:11434').replace(/\/$/, ''),
      firstMs: whole(env, 'OLLAMA_FIRST_SECONDS', 120) * 1000,
      betweenMs: whole(env, 'OLLAMA_BETWEEN_SECONDS', 30) * 1000,
    },
    envFile: env['ENV_FILE'] ?? '/app/.env',
    origins: words(env['PKC_ORIGINS']),
    hosts: words(env['PKC_HOSTS']),
  };
}

/** @param env the process's, for what the file does not say */
export function readLive({ envFile }: Pick<Config, 'envFile'>, env: NodeJS.ProcessEnv): Live {
  const file = fileValues(envFile);
  const value = (name: string): string | undefined => file[name] || env[name] || undefined;
  const limit = Number(value('MAX_UPLOAD_BYTES') ?? 10 * 2 ** 30);
  return {
    title: value('PKC_TITLE') ?? 'PKC',
    chatModel: value('CHAT_MODEL'),
    embeddingModel: value('EMBEDDING_MODEL'),
    maxUploadBytes: Number.isSafeInteger(limit) && limit > 0 ? limit : 10 * 2 ** 30,
  };
}

function fileValues(path: string): NodeJS.Dict<string> {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

function whole(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = env[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`${name} must be a whole number above 0, not ${JSON.stringify(text)}`);
  return value;
}

function words(text: string | undefined): Set<string> {
  return new Set((text ?? '').split(/[\s,]+/).filter(Boolean));
}
