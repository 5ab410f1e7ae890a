/** The distribution protocol (OCI distribution-spec) as one object: resolve, fetch, push, search, log in. */
import type { Descriptor, Digest, Reference } from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { Authorizer } from './authorizer.ts';
import { fetchBlob } from './blob.ts';
import { blobSource } from './blob-source.ts';
import type { Credentials } from './credentials.ts';
import { registryFault } from './fault.ts';
import { Hosts } from './hosts.ts';
import { login } from './login.ts';
import { describeManifest, getManifest, putManifest, type Resolved } from './manifest.ts';
import { type RetryOptions, withRetries } from './retry.ts';
import { searchIndex, type SearchResult } from './search.ts';
import type { Session } from './session.ts';
import { Sessions } from './sessions.ts';
import { type RegistryOptions, resolveSettings } from './settings.ts';
import { listTagPage, listTags, type TagPage } from './tags.ts';
import { type HttpResponse, Transport } from './transport.ts';
import { type AheadUpload, uploadAhead } from './upload-ahead.ts';
import { type UploadBlob, uploadBlob, type UploadOutcome } from './upload.ts';

/** What was refused in passing, or broke, is tried again where that is safe; what is thrown is final. */
export interface Registry {
  /** The manifest or index a tag or digest names. @throws Fault (RegistryFault when the registry refused) */
  resolve(reference: Reference, credentials: Credentials | undefined, signal: AbortSignal): Promise<Resolved>;
  /** What a tag or digest names, asked by HEAD; undefined when the registry does not say. @throws Fault as `resolve` */
  describe(
    reference: Reference,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<Descriptor | undefined>;
  /** The size of a blob that the repository has, asked by HEAD. @throws Fault not-found */
  blobSize(
    reference: Reference,
    digest: Digest,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<number>;
  /** The blob's bytes; broken transfers are taken up where they broke. The caller verifies the digest. */
  blob(
    reference: Reference,
    descriptor: { digest: Digest; size: number; urls?: string[] },
    options: BlobOptions,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** Whether the repository has the blob. */
  hasBlob(
    reference: Reference,
    digest: Digest,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** Puts a blob there: by mounting it from another repository of the registry when that works, else by uploading it. */
  upload(
    reference: Reference,
    blob: UploadBlob,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<UploadOutcome>;
  /** Begins to put a blob there that is still being made, should that work; only a head start. */
  uploadAhead(reference: Reference, credentials: Credentials | undefined, signal: AbortSignal): AheadUpload;
  /** Whether some of what `resolve` and `blob` give may come from elsewhere than the registry itself. */
  hasMirrors(reference: Reference): boolean;
  putManifest(
    reference: Reference,
    bytes: Buffer,
    mediaType: string,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<Digest>;
  tags(reference: Reference, credentials: Credentials | undefined, signal: AbortSignal): Promise<string[]>;
  /** One page of them, as large as the registry makes it. @param query "" for the first, then what the page before named */
  tagPage(
    reference: Reference,
    query: string,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<TagPage>;
  search(term: string, limit: number, signal: AbortSignal): Promise<SearchResult[]>;
  /** @throws Fault unauthorized for wrong credentials */
  login(credentials: Credentials, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }>;
  /** Any URL, for `import`. */
  download(url: string, signal: AbortSignal): Promise<{ bytes: AsyncIterable<Uint8Array>; size: number }>;
  /** Any URL, with these headers, whatever status it answers; redirects take no credentials along. @throws TransportFault */
  get(request: { url: string; headers: Readonly<Record<string, string>> }, signal: AbortSignal): Promise<HttpResponse>;
  close(): Promise<void>;
}

export interface BlobOptions {
  credentials?: Credentials | undefined;
  /** Bytes that are here already (0). */
  start?: number;
  /** Ask mirrors, too (true): not again for what one of them sent wrong. */
  mirrors?: boolean;
  /** Wait also for a registry that cannot be reached at the very beginning (true). */
  patient?: boolean;
  /** Told every second how many are left until the next try. */
  onWait?: (secondsLeft: number) => void;
}

/** Questions that a person waits for. */
const askingAttempts = 3;

/** Opens nothing yet: the first request loads what it needs. */
export function openRegistry(options: RegistryOptions): Registry {
  const settings = resolveSettings(options);
  const { clock, log } = settings;
  const transport = new Transport(settings);
  const hosts = new Hosts(settings);
  const authorizer = new Authorizer(transport, clock);
  const sessions = new Sessions({ transport, hosts, authorizer, clock, log });
  const asking: RetryOptions = { attempts: askingAttempts };
  const checking: RetryOptions = { attempts: askingAttempts, unreachable: true };
  const transferring: RetryOptions = { attempts: settings.transferAttempts, unreachable: true };

  const pull = <T>(
    reference: Reference,
    credentials: Credentials | undefined,
    signal: AbortSignal,
    task: (session: Session) => Promise<T>,
  ): Promise<T> =>
    withRetries(
      clock,
      asking,
      () => sessions.pull(reference.domain, { credentials, mirrors: true }, task, signal),
      signal,
    );
  /** A registry that was never reached is told of at once; one that was is waited for. */
  const pushing = (reference: Reference, credentials: Credentials | undefined, signal: AbortSignal): Promise<Session> =>
    withRetries(clock, asking, () => sessions.open(reference.domain, credentials, signal), signal);

  return {
    resolve: (reference, credentials, signal) =>
      pull(reference, credentials, signal, (session) => getManifest(session, reference, signal)),
    describe: (reference, credentials, signal) =>
      pull(reference, credentials, signal, (session) => describeManifest(session, reference, signal)),
    blobSize: (reference, digest, credentials, signal) =>
      pull(reference, credentials, signal, (session) => blobSize(session, reference, digest, signal)),
    blob: (reference, descriptor, { credentials, start = 0, mirrors = true, patient = true, onWait }, signal) => {
      const source = blobSource({ sessions, transport }, { reference, descriptor, credentials, mirrors }, signal);
      const options = { start, attempts: settings.transferAttempts, clock, patient, onWait };
      return fetchBlob(source, descriptor, options, signal);
    },
    hasBlob: async (reference, digest, credentials, signal) => {
      const session = await pushing(reference, credentials, signal);
      return withRetries(clock, checking, () => hasBlob(session, reference, digest, signal), signal);
    },
    upload: async (reference, blob, credentials, signal) => {
      const { pieceBytes, transferAttempts: attempts } = settings;
      const session = await pushing(reference, credentials, signal);
      return uploadBlob(session, reference.path, blob, { clock, pieceBytes, attempts }, signal);
    },
    uploadAhead: (reference, credentials, signal) => {
      const session = pushing(reference, credentials, signal);
      return uploadAhead(session, reference.path, { stallMs: settings.silenceTimeoutMs }, signal);
    },
    hasMirrors: (reference) => hosts.hasMirrors(reference.domain),
    putManifest: async (reference, bytes, mediaType, credentials, signal) => {
      const session = await pushing(reference, credentials, signal);
      const manifest = { bytes, mediaType };
      return withRetries(clock, transferring, () => putManifest(session, reference, manifest, signal), signal);
    },
    tags: (reference, credentials, signal) =>
      pull(reference, credentials, signal, (session) => listTags(session, reference, signal)),
    tagPage: (reference, query, credentials, signal) =>
      pull(reference, credentials, signal, (session) => listTagPage(session, reference, query, signal)),
    search: (term, limit, signal) => searchIndex(transport, hosts, term, limit, signal),
    login: (credentials, signal) => login(transport, hosts, authorizer, credentials, signal),
    download: async (url, signal) => {
      const response = await transport.send({ method: 'GET', url, trust: { url, verify: true }, signal });
      if (response.status !== 200) {
        await response.discard();
        throw new Fault('internal', `failed to GET ${url} with status ${response.status}`);
      }
      return { bytes: response.body, size: Number(response.headers['content-length'] ?? 0) };
    },
    get: ({ url, headers }, signal) =>
      transport.send({ method: 'GET', url, headers: { ...headers }, trust: { url, verify: true }, signal }),
    close: () => transport.close(),
  };
}

async function blobSize(session: Session, { path }: Reference, digest: Digest, signal: AbortSignal): Promise<number> {
  const url = session.url(`/v2/${path}/blobs/${digest}`);
  const response = await session.send({ method: 'HEAD', url, scope: `repository:${path}:pull`, signal });
  if (response.status !== 200) throw await registryFault(response, 'BLOB_UNKNOWN');
  await response.discard();
  const length = response.headers['content-length'] ?? '';
  if (!/^\d{1,15}$/.test(length))
    throw new Fault('invalid', `Cannot fetch blob ${digest}: the registry hides its size`);
  return Number(length);
}

async function hasBlob(session: Session, { path }: Reference, digest: Digest, signal: AbortSignal): Promise<boolean> {
  const url = session.url(`/v2/${path}/blobs/${digest}`);
  const response = await session.send({ method: 'HEAD', url, scope: `repository:${path}:pull,push`, signal });
  await response.discard();
  if (response.status === 404) return false;
  if (response.status !== 200) throw await registryFault(response);
  return true;
}
