/** Puts one blob into a repository (distribution-spec "Push"): mounts it, or opens an upload and sends it in one piece. */
import { Readable } from 'node:stream';
import type { Digest } from '../oci/index.ts';
import { registryFault } from './fault.ts';
import type { Session } from './session.ts';

export async function uploadBlob(
  session: Session,
  path: string,
  scope: string,
  blob: { digest: Digest; size: number; open: () => AsyncIterable<Uint8Array>; mountFrom?: string | undefined },
  signal: AbortSignal,
): Promise<'mounted' | 'uploaded'> {
  const begin = session.url(`/v2/${path}/blobs/uploads/`);
  const mounting = blob.mountFrom !== undefined && blob.mountFrom !== path;
  const query = mounting ? `?${new URLSearchParams({ mount: blob.digest, from: blob.mountFrom! }).toString()}` : '';
  const mountScope = mounting ? `${scope} repository:${blob.mountFrom!}:pull` : scope;
  const opened = await session.send({
    method: 'POST',
    url: `${begin}${query}`,
    headers: { 'content-length': '0' },
    scope: mountScope,
    signal,
  });
  if (opened.status === 201) {
    await opened.discard();
    return 'mounted';
  }
  if (opened.status !== 202) throw await registryFault(opened);
  await opened.discard();
  const target = new URL(opened.headers['location'] ?? '', begin);
  target.searchParams.set('digest', blob.digest);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(blob.size) };
  const body = (): AsyncIterable<Uint8Array> => Readable.from(blob.open(), { objectMode: false });
  const done = await session.send({ method: 'PUT', url: target.href, headers, body, scope, signal });
  if (done.status < 200 || done.status > 299) throw await registryFault(done);
  await done.discard();
  return 'uploaded';
}
