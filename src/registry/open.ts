/** The distribution protocol (OCI distribution-spec) as one object: resolve, fetch, push, search, log in. */
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  Digester,
  isDigest,
  manifestLimit,
  mediaTypes,
  type Reference,
  sha256,
} from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { fetchBlob } from './blob.ts';
import { Authorizer, type Credentials } from './credentials.ts';
import { registryFault } from './fault.ts';
import { Hosts, type RegistrySettings } from './hosts.ts';
import { login } from './login.ts';
import { searchIndex, type SearchResult } from './search.ts';
import { type Session, Sessions } from './session.ts';
import { Transport } from './transport.ts';
import { uploadBlob } from './upload.ts';

export interface Registry {
  /** The manifest or index a tag or digest names. @throws Fault (RegistryFault when the registry refused) */
  resolve(reference: Reference, credentials: Credentials | undefined, signal: AbortSignal): Promise<Resolved>;
  /** The blob's bytes from `start`; broken transfers are taken up where they broke. The caller verifies the digest. */
  blob(
    reference: Reference,
    descriptor: { digest: Digest; size: number; urls?: string[] },
    start: number,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** Whether the repository has the blob. */
  hasBlob(
    reference: Reference,
    digest: Digest,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<boolean>;
  /**
   * Puts a blob there: by mounting it from `mountFrom` (another repository's path of the same registry) when that works,
   * else by uploading what `open` gives.
   */
  upload(
    reference: Reference,
    blob: { digest: Digest; size: number; open: () => AsyncIterable<Uint8Array>; mountFrom?: string | undefined },
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<'mounted' | 'uploaded'>;
  putManifest(
    reference: Reference,
    bytes: Buffer,
    mediaType: string,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<Digest>;
  tags(reference: Reference, credentials: Credentials | undefined, signal: AbortSignal): Promise<string[]>;
  search(term: string, limit: number, signal: AbortSignal): Promise<SearchResult[]>;
  /** @throws Fault unauthorized for wrong credentials */
  login(credentials: Credentials, signal: AbortSignal): Promise<{ Status: string; IdentityToken: string }>;
  /** Any URL, for `import`. */
  download(url: string, signal: AbortSignal): Promise<{ bytes: AsyncIterable<Uint8Array>; size: number }>;
  close(): Promise<void>;
}

export interface Resolved {
  descriptor: Descriptor;
  bytes: Buffer;
}

const accepted = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
  mediaTypes.dockerManifest1,
  'application/json',
].join(', ');

/** `env` carries the proxy variables. */
export function openRegistry(settings: RegistrySettings & { env?: NodeJS.ProcessEnv }): Registry {
  const transport = new Transport(settings.env ?? {});
  const hosts = new Hosts(settings);
  const authorizer = new Authorizer(transport);
  const sessions = new Sessions(transport, hosts, authorizer);
  const pullScope = (reference: Reference): string => `repository:${reference.path}:pull`;
  const pushScope = (reference: Reference): string => `repository:${reference.path}:pull,push`;
  const toPush = async (
    reference: Reference,
    credentials: Credentials | undefined,
    signal: AbortSignal,
  ): Promise<Session> => (await sessions.open(reference.domain, 'push', credentials, signal))[0]!;

  /** Tries mirrors first; only what the registry itself answers is final. */
  const pulling = async <T>(
    reference: Reference,
    credentials: Credentials | undefined,
    signal: AbortSignal,
    task: (session: Session) => Promise<T>,
  ): Promise<T> => {
    let failure: unknown;
    for (const session of await sessions.open(reference.domain, 'pull', credentials, signal)) {
      try {
        return await task(session);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  };

  return {
    resolve: (reference, credentials, signal) =>
      pulling(reference, credentials, signal, (session) => resolve(session, reference, pullScope(reference), signal)),
    blob: (reference, descriptor, start, credentials, signal) =>
      fetchBlob(
        (from) =>
          pulling(reference, credentials, signal, async (session) => {
            const url = session.url(`/v2/${reference.path}/blobs/${descriptor.digest}`);
            const headers: Record<string, string> = from === 0 ? {} : { range: `bytes=${from}-` };
            const response = await session.send({ method: 'GET', url, headers, scope: pullScope(reference), signal });
            if (response.status === 200 || response.status === 206) return response;
            throw await registryFault(response, 'BLOB_UNKNOWN');
          }),
        descriptor,
        start,
        signal,
      ),
    hasBlob: async (reference, digest, credentials, signal) => {
      const session = await toPush(reference, credentials, signal);
      const url = session.url(`/v2/${reference.path}/blobs/${digest}`);
      const response = await session.send({ method: 'HEAD', url, scope: pushScope(reference), signal });
      await response.discard();
      if (response.status === 404) return false;
      if (response.status !== 200) throw await registryFault(response);
      return true;
    },
    upload: async (reference, blob, credentials, signal) =>
      uploadBlob(await toPush(reference, credentials, signal), reference.path, pushScope(reference), blob, signal),
    putManifest: async (reference, bytes, mediaType, credentials, signal) => {
      const session = await toPush(reference, credentials, signal);
      const url = session.url(`/v2/${reference.path}/manifests/${reference.tag ?? reference.digest ?? sha256(bytes)}`);
      const headers = { 'content-type': mediaType, 'content-length': String(bytes.length) };
      const response = await session.send({
        method: 'PUT',
        url,
        headers,
        body: () => bytes,
        scope: pushScope(reference),
        signal,
      });
      if (response.status < 200 || response.status > 299) throw await registryFault(response);
      await response.discard();
      return sha256(bytes);
    },
    tags: (reference, credentials, signal) =>
      pulling(reference, credentials, signal, (session) => listTags(session, reference, pullScope(reference), signal)),
    search: (term, limit, signal) => searchIndex(transport, hosts, term, limit, signal),
    login: (credentials, signal) => login(transport, hosts, authorizer, credentials, signal),
    download: async (url, signal) => {
      const response = await transport.send({ method: 'GET', url, verify: true, signal });
      if (response.status !== 200) {
        await response.discard();
        throw new Fault('internal', `failed to GET ${url} with status ${response.status}`);
      }
      return { bytes: response.body, size: Number(response.headers['content-length'] ?? 0) };
    },
    close: () => transport.close(),
  };
}

async function resolve(session: Session, reference: Reference, scope: string, signal: AbortSignal): Promise<Resolved> {
  const name = reference.digest ?? reference.tag ?? 'latest';
  const url = session.url(`/v2/${reference.path}/manifests/${name}`);
  const response = await session.send({ method: 'GET', url, headers: { accept: accepted }, scope, signal });
  if (response.status !== 200) throw await registryFault(response, 'MANIFEST_UNKNOWN');
  const bytes = await response.read();
  if (bytes.length > manifestLimit)
    throw new Fault('invalid', `Cannot pull: the manifest has more than ${manifestLimit} bytes`);
  const said = response.headers['docker-content-digest'];
  const digester = new Digester(reference.digest === undefined ? 'sha256' : digestAlgorithm(reference.digest));
  digester.update(bytes);
  const digest = digester.digest();
  if (reference.digest !== undefined && digest !== reference.digest) {
    throw new Fault('invalid', `manifest verification failed for digest ${reference.digest}`);
  }
  if (
    reference.digest === undefined &&
    said !== undefined &&
    isDigest(said) &&
    said.startsWith('sha256:') &&
    said !== digest
  ) {
    throw new Fault('invalid', `manifest verification failed for digest ${said}`);
  }
  const mediaType = (response.headers['content-type'] ?? '').split(';')[0]!.trim();
  return { descriptor: { mediaType, digest, size: bytes.length }, bytes };
}

const pageLimit = 1000;

async function listTags(session: Session, reference: Reference, scope: string, signal: AbortSignal): Promise<string[]> {
  const tags: string[] = [];
  let url: string | undefined = session.url(`/v2/${reference.path}/tags/list`);
  for (let page = 0; url !== undefined && page < pageLimit; page++) {
    const response = await session.send({ method: 'GET', url, scope, signal });
    if (response.status !== 200) throw await registryFault(response, 'NAME_UNKNOWN');
    const body = JSON.parse((await response.read()).toString()) as { tags?: unknown };
    if (Array.isArray(body.tags)) tags.push(...body.tags.map(String));
    const next: string | undefined = /<([^>]+)>;\s*rel="?next"?/.exec(response.headers['link'] ?? '')?.[1];
    const target: URL | undefined = next === undefined ? undefined : new URL(next, url);
    // A page elsewhere would take the credentials elsewhere.
    url = target === undefined || target.origin !== new URL(url).origin ? undefined : target.href;
  }
  return tags;
}
