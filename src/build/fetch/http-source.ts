/** ADD of a URL, and contexts at one: the file, kept with what its server calls it, so that the next build asks only whether it changed. */
import { constants } from 'node:fs';
import { mkdir, open, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { pipeline, Readable } from 'node:stream';
import { type Digest, digestAlgorithm, Digester, isDigest, sha256 } from '../../oci/index.ts';
import { bytesSize, Fault, messageOf, SpaceGuard, syncDirectory } from '../../std/index.ts';
import type { HttpStep } from '../plan/step.ts';
import type { FetchedFolder, Fetching } from './door.ts';
import type { FetchedFolders, FolderRecord, LentFolder } from './fetched-folders.ts';
import { parseHttpDate } from './http-date.ts';
import { headerValue, redacted, withoutCredentials } from './redact.ts';

export interface HttpAnswer {
  status: number;
  /** In lower case. */
  headers: Readonly<Record<string, string>>;
  /** @throws Fault when it breaks off */
  body: AsyncIterable<Uint8Array>;
  /** Lets the connection go without reading the rest. */
  discard(): Promise<void>;
}

/** Asks by way of the daemon's proxies and with its authorities, follows a bounded number of redirects. @throws Fault when nobody answers */
export type HttpClient = (
  request: { url: string; headers: Readonly<Record<string, string>> },
  signal: AbortSignal,
) => Promise<HttpAnswer>;

export interface FetchLimits {
  /** Of a file from a URL. */
  bytes: number;
  /** Of one download or one run of git. */
  milliseconds: number;
}

export interface HttpSourceOptions {
  /** On the disk of the folders. */
  root: string;
  folders: FetchedFolders;
  client: HttpClient;
  limits: FetchLimits;
}

type Step = Pick<HttpStep, 'url' | 'filename' | 'checksum'>;

const fileMode = 0o600;
const longestName = 255;

export class HttpSource {
  readonly #folders: FetchedFolders;
  readonly #client: HttpClient;
  readonly #limits: FetchLimits;
  readonly #guard: SpaceGuard;

  constructor({ root, folders, client, limits }: HttpSourceOptions) {
    this.#folders = folders;
    this.#client = client;
    this.#limits = limits;
    this.#guard = new SpaceGuard(root);
  }

  async fetch(step: Step, by: Fetching, signal: AbortSignal): Promise<FetchedFolder> {
    const checksum = checkedStep(step);
    const key = sha256(JSON.stringify([step.url, step.filename]));
    const found = this.#folders.find('http', key);
    // What must be of that digest need not be asked for again.
    if (checksum !== undefined && found !== undefined && digestsOf(found).includes(checksum))
      return fetched(await this.#folders.lend(found));
    // Of another algorithm nothing is known until all bytes are here again.
    const kept = checksum === undefined || digestAlgorithm(checksum) === 'sha256' ? found : undefined;
    const { url, authorization } = withoutCredentials(step.url);
    const late = AbortSignal.any([signal, AbortSignal.timeout(this.#limits.milliseconds)]);
    const secret = await authorizationOf(url, by, signal);
    const headers = { 'accept-encoding': 'gzip', ...authorizationHeader(secret ?? authorization) };
    try {
      const answer = await this.#client({ url, headers: { ...headers, ...conditions(kept) } }, late);
      if (kept !== undefined && isSame(kept, answer)) {
        await answer.discard();
        checkDigest(kept.facts['digest']!, checksum);
        const lent = this.#lendIfThere(kept);
        if (lent !== undefined) return fetched(await lent);
        // Somebody pruned it meanwhile.
        return fetched(await this.#take(step, await this.#client({ url, headers }, late), by, late));
      }
      return fetched(await this.#take(step, answer, by, late));
    } catch (error) {
      signal.throwIfAborted();
      if (!late.aborted) throw error;
      const message = `Cannot fetch ${redacted(step.url)}: it took longer than ${this.#limits.milliseconds / 60_000} minutes`;
      throw new Fault('unavailable', message, { cause: error });
    }
  }

  #lendIfThere(kept: FolderRecord): Promise<LentFolder> | undefined {
    const now = this.#folders.find(kept.kind, kept.key);
    return now?.id === kept.id ? this.#folders.lend(now) : undefined;
  }

  async #take(step: Step, answer: HttpAnswer, by: Fetching, signal: AbortSignal): Promise<LentFolder> {
    const { status, headers } = answer;
    if (status < 200 || status >= 400) {
      await answer.discard();
      throw new Fault(status >= 500 ? 'unavailable' : 'invalid', `invalid response status ${status}`);
    }
    return this.#folders.make(async (path) => {
      await mkdir(path, { mode: 0o755 });
      const digest = await this.#save(join(path, step.filename), step, answer, { by, signal });
      await syncDirectory(path);
      return {
        kind: 'http',
        key: sha256(JSON.stringify([step.url, step.filename])),
        description: `http url ${redacted(step.url)}`,
        facts: {
          digest,
          ...given('checksum', step.checksum),
          ...given('etag', headers['etag']),
          ...given('modified', headers['last-modified']),
        },
        synced: true,
      };
    });
  }

  /** Streams it to the disk. @throws Fault invalid when it is too large or of another digest */
  async #save(
    path: string,
    step: Step,
    answer: HttpAnswer,
    { by, signal }: { by: Fetching; signal: AbortSignal },
  ): Promise<Digest> {
    const { headers } = answer;
    const total = announcedSize(headers);
    const digester = new Digester();
    const wanted = step.checksum === undefined ? undefined : new Digester(digestAlgorithm(step.checksum as Digest));
    await using file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, fileMode);
    by.progress(0, total);
    for await (const chunk of plain(answer)) {
      signal.throwIfAborted();
      if (digester.size + chunk.length > this.#limits.bytes)
        throw new Fault(
          'invalid',
          `Cannot fetch ${redacted(step.url)}: it is larger than ${bytesSize(this.#limits.bytes)}`,
        );
      this.#guard.spend(chunk.length);
      await file.writeFile(chunk);
      digester.update(chunk);
      wanted?.update(chunk);
      by.progress(digester.size, total);
    }
    if (wanted !== undefined) checkDigest(wanted.digest(), step.checksum);
    const modified = parseHttpDate(headers['last-modified'] ?? '') ?? 0;
    await utimes(path, modified, modified);
    await file.datasync();
    return digester.digest();
  }
}

/** @returns its checksum. @throws Fault invalid for a name that no file can have */
function checkedStep({ url, filename, checksum }: Step): Digest | undefined {
  if (filename === '' || filename === '.' || filename === '..' || /[/\0]/.test(filename))
    throw new Fault('invalid', `Cannot fetch ${redacted(url)}: no file can be called ${JSON.stringify(filename)}`);
  if (Buffer.byteLength(filename) > longestName)
    throw new Fault('invalid', `Cannot fetch ${redacted(url)}: its name is longer than ${longestName} bytes`);
  if (checksum === undefined || checksum === '') return undefined;
  if (!isDigest(checksum)) throw new Fault('invalid', `invalid checksum digest format: ${JSON.stringify(checksum)}`);
  return checksum;
}

function digestsOf({ facts }: FolderRecord): (string | undefined)[] {
  return [facts['digest'], facts['checksum']];
}

/** BuildKit's secrets for a host: a whole header, or a token; the token wins. */
async function authorizationOf(url: string, { secrets }: Fetching, signal: AbortSignal): Promise<string | undefined> {
  const host = URL.parse(url)?.hostname.replace(/^\[|\]$/g, '') ?? '';
  if (host === '') return undefined;
  const token = await secrets.secret(`HTTP_AUTH_TOKEN_${host}`, signal);
  const value = token === undefined ? undefined : headerValue(token);
  if (value !== undefined) return `Bearer ${value}`;
  const header = await secrets.secret(`HTTP_AUTH_HEADER_${host}`, signal);
  return header === undefined ? undefined : headerValue(header);
}

function authorizationHeader(value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { authorization: value };
}

function conditions(kept: FolderRecord | undefined): Record<string, string> {
  const { etag, modified } = kept?.facts ?? {};
  return {
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
    ...(modified === undefined ? {} : { 'if-modified-since': modified }),
  };
}

/** Some servers name their files and compare no names: they send what we have. */
function isSame(kept: FolderRecord, { status, headers }: HttpAnswer): boolean {
  if (status === 304) return true;
  const { etag } = kept.facts;
  return status === 200 && etag !== undefined && strong(headers['etag'] ?? '') === strong(etag);
}

function strong(etag: string): string {
  return etag.replace(/^W\//, '');
}

/** Of the file as it will be; 0 where nobody says. */
function announcedSize(headers: HttpAnswer['headers']): number {
  return isGzipped(headers) ? 0 : Number(/^\d{1,15}$/.exec(headers['content-length'] ?? '')?.[0] ?? 0);
}

function isGzipped(headers: HttpAnswer['headers']): boolean {
  return (headers['content-encoding'] ?? '').toLowerCase() === 'gzip';
}

/** Without the encoding of the transfer, as Go's client gives it to BuildKit. */
function plain({ body, headers }: HttpAnswer): AsyncIterable<Uint8Array> {
  return isGzipped(headers) ? gunzipped(body) : body;
}

async function* gunzipped(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const gunzip = createGunzip();
  let broken: unknown;
  pipeline(Readable.from(body, { objectMode: false }), gunzip, (error) => {
    broken = error;
  });
  try {
    for await (const chunk of gunzip) yield chunk as Buffer;
  } catch (error) {
    const cause = broken ?? error;
    if (cause instanceof Fault) throw cause;
    throw new Fault('unavailable', `Cannot read the answer: ${messageOf(cause)}`, { cause });
  } finally {
    gunzip.destroy();
  }
}

/** @throws Fault invalid in BuildKit's words */
function checkDigest(found: string, wanted: string | undefined): void {
  if (wanted !== undefined && wanted !== '' && found !== wanted)
    throw new Fault('invalid', `digest mismatch ${found}: ${wanted}`);
}

function given(key: string, value: string | undefined): Record<string, string> {
  return value === undefined || value === '' ? {} : { [key]: value };
}

function fetched({ path, record, [Symbol.asyncDispose]: dispose }: LentFolder): FetchedFolder {
  return { path, resolved: record.facts['digest']!, [Symbol.asyncDispose]: dispose };
}
