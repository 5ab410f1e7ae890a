/** What the room's tests share: a cache on throw-away folders before a registry double, and a client that sees how answers end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Content, openContent } from '../content/index.ts';
import { openRegistry, type RegistryOptions } from '../registry/index.ts';
import type { Logger } from '../std/index.ts';
import type { Mirror } from './door.ts';
import { openMirror } from './open.ts';
import { type MirrorSettings, type MirrorWords, resolveMirror } from './settings.ts';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** It ended before all that was announced had come. */
  cut: boolean;
}

export interface Fixture extends AsyncDisposable {
  mirror: Mirror;
  content: Content;
  root: string;
  /** `level message {fields}` of each line. */
  log: string[];
  /** Lets time go by for the cache. */
  pass(ms: number): void;
  get(path: string, headers?: Record<string, string>, method?: string): Promise<Reply>;
  /** A request whose answer the caller reads as it likes. */
  open(path: string, headers?: Record<string, string>): Promise<Ongoing>;
  /** The process dies and another one comes: nothing is flushed in between. */
  reopen(options?: Partial<MirrorWords>): Promise<void>;
}

/** An answer under way. */
export interface Ongoing {
  status: number;
  headers: IncomingHttpHeaders;
  /** Resolves when so many bytes have come, or the end. */
  until(bytes: number): Promise<Buffer>;
  end(): Promise<Reply>;
  leave(): void;
}

/** @param words over `127.0.0.1:0` and the upstreams that are given */
export async function openFixture(
  words: Partial<MirrorWords> & { upstreams: readonly string[] },
  registry: RegistryOptions = {},
  hurryMs = 5_000,
  folder = tmpdir(),
): Promise<Fixture> {
  const root = mkdtempSync(join(folder, 'wherry-mirror-'));
  const log: string[] = [];
  let ahead = 0;
  const now = (): number => Date.now() + ahead;
  const start = async (changed: Partial<MirrorWords>): Promise<Pick<Fixture, 'mirror' | 'content'>> => {
    const content = await openContent({ root: join(root, 'content'), now });
    const mirror = await openMirror({
      settings: settingsOf({ ...words, ...changed }),
      root: join(root, 'mirror'),
      content,
      // No back-off is waited for.
      openRegistry: (mirrorHeaders) =>
        openRegistry({ clock: { now, sleep: async () => {}, random: () => 0.5 }, mirrorHeaders, ...registry }),
      log: logger(log),
      now,
      hurryMs,
    });
    await content.collect();
    await mirror.start();
    return { mirror, content };
  };
  const fixture: Fixture = {
    ...(await start({})),
    root,
    log,
    pass: (ms) => void (ahead += ms),
    get: async (path, headers = {}, method = 'GET') => (await ask(fixture.mirror.url!, path, headers, method)).end(),
    open: (path, headers = {}) => ask(fixture.mirror.url!, path, headers, 'GET'),
    reopen: async (changed = {}) => {
      await fixture.mirror[Symbol.asyncDispose]();
      Object.assign(fixture, await start(changed));
    },
    [Symbol.asyncDispose]: async () => {
      await fixture.mirror[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return fixture;
}

export function settingsOf(words: Partial<MirrorWords>): MirrorSettings {
  const none = { certificate: undefined, key: undefined, credentials: undefined, size: undefined, age: undefined };
  return resolveMirror({ address: '127.0.0.1:0', upstreams: [], clients: [], ...none, ...words })!;
}

function logger(lines: string[]): Logger {
  const line =
    (level: string): Logger['info'] =>
    (message, fields = {}) =>
      void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
    setLevel: () => {},
  };
}

function ask(url: string, path: string, headers: Record<string, string>, method: string): Promise<Ongoing> {
  return new Promise((done, fail) => {
    const message = request(`${url}${path}`, { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      let ended = false;
      const waiting = new Set<() => void>();
      const tell = (): void => {
        for (const wake of waiting) wake();
      };
      answer.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        tell();
      });
      answer.on('error', () => {});
      answer.on('close', () => {
        ended = true;
        tell();
      });
      const until = (bytes: number): Promise<Buffer> =>
        new Promise((came) => {
          const wake = (): void => {
            if (size < bytes && !ended) return;
            waiting.delete(wake);
            came(Buffer.concat(chunks));
          };
          waiting.add(wake);
          wake();
        });
      done({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        until,
        end: async () => ({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: await until(Infinity),
          cut: !answer.complete,
        }),
        leave: () => message.destroy(),
      });
    });
    message.on('error', fail);
    message.end();
  });
}
