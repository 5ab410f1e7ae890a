/** The requests that an upload is made of (distribution-spec "Pushing blobs"), whichever way its bytes go. */
import { type Digest, digestAlgorithm } from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { registryFault } from './fault.ts';
import type { Session } from './session.ts';
import type { HttpResponse } from './transport.ts';

const cancelTimeoutMs = 2000;

export function uploadScope(path: string): string {
  return `repository:${path}:pull,push`;
}

/** Where an upload goes on, as an answer to one of its requests tells it. */
export function nextLocation(session: Session, response: HttpResponse): string {
  return session.follow(response.headers['location'], response.url);
}

/**
 * Opens an upload, or mounts, as the query asks.
 * @returns the answer's location and least size of a piece in bytes; undefined when the blob was mounted
 * @throws TransportFault, RegistryFault
 */
export async function beginUpload(
  session: Session,
  wanted: { path: string; query: string; scope: string },
  signal: AbortSignal,
): Promise<{ location: string; leastPieceBytes: number } | undefined> {
  const url = session.url(`/v2/${wanted.path}/blobs/uploads/${wanted.query}`);
  const headers = { 'content-length': '0' };
  const response = await session.send({ method: 'POST', url, headers, scope: wanted.scope, signal });
  if (response.status === 201) {
    await response.discard();
    return undefined;
  }
  if (response.status !== 202) throw await registryFault(response);
  const location = nextLocation(session, response);
  const least = Number(response.headers['oci-chunk-min-length'] ?? 0);
  await response.discard();
  return { location, leastPieceBytes: Number.isSafeInteger(least) ? least : 0 };
}

/** PUT, with the last `size` bytes, after which the registry checks the digest. @throws Fault invalid when it stored something else */
export async function finishUpload(
  session: Session,
  upload: { location: string; scope: string; digest: Digest },
  last: { size: number; open: () => AsyncIterable<Uint8Array> } | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { location, scope, digest } = upload;
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  const response = await session.send({
    method: 'PUT',
    url: url.href,
    headers: { 'content-type': 'application/octet-stream', 'content-length': String(last?.size ?? 0) },
    body: last?.open,
    scope,
    signal,
  });
  if (response.status < 200 || response.status > 299) throw await registryFault(response);
  const said = response.headers['docker-content-digest'] ?? '';
  await response.discard();
  const comparable = said.startsWith(`${digestAlgorithm(digest)}:`);
  if (comparable && said !== digest) {
    throw new Fault('invalid', `Cannot push blob ${digest}: the registry stored it as ${said}`);
  }
}

/** Gives the space back at the registry. Never throws: who asks is leaving for another reason. */
export async function cancelUpload(session: Session, upload: { location: string; scope: string }): Promise<void> {
  const signal = AbortSignal.timeout(cancelTimeoutMs);
  const headers = { 'content-length': '0' };
  await session.send({ method: 'DELETE', url: upload.location, headers, scope: upload.scope, signal }).then(
    (response) => response.discard(),
    // It ends by itself after a while.
    () => {},
  );
}
